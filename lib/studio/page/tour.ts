/** The guided tour, beside the picture: the very one of the command line, at a terminal. */
import { h, type PagePart } from "./ui.ts";

/** The way into the tour. */
export function Tour(
  { begin }: { readonly begin: () => void },
): PagePart {
  return h(
    "section",
    { "aria-labelledby": "tour-heading" },
    h("h2", { id: "tour-heading" }, "The tour"),
    h(
      "p",
      {},
      "It builds the pod network stage by stage, says why each is needed, shows " +
        "the commands and what reaches what from then on, and makes the classic " +
        "mistake on the way. Enter goes on, q ends it; the picture follows.",
    ),
    h(
      "p",
      {},
      "It begins without a lab: one that an earlier tour made it takes down " +
        "first, any other it leaves alone and says so (make down takes it away).",
    ),
    h("button", { type: "button", onClick: begin }, "Begin the tour"),
  );
}
