/** The machine or pod that was chosen: what it says of itself, and the way there. */
import type { PagePlace, PageState, ShownCommand } from "../protocol.ts";
import { get } from "./asking.ts";
import { titleOfPlace } from "./picture.ts";
import { h, type PagePart, useEffect, useState } from "./ui.ts";

interface ChosenProps {
  readonly place: PagePlace | undefined;
  /** The state of the cluster, asked for at each other one; none while nobody looks. */
  readonly moment: PageState | undefined;
  readonly openTerminal: (place: PagePlace) => void;
  readonly traceFrom: (place: PagePlace) => void;
}

/** What there is to know of a place. */
export function Chosen(
  { place, moment, openTerminal, traceFrom }: ChosenProps,
): PagePart {
  const [facts, setFacts] = useState<readonly ShownCommand[] | string>("");
  const name = place === undefined ? undefined : titleOfPlace(place);
  useEffect(() => {
    if (place === undefined || moment === undefined) return;
    let isOld = false;
    const { node, sandbox } = place;
    const query = { node, ...(sandbox === undefined ? {} : { sandbox }) };
    get<readonly ShownCommand[]>("/facts", query)
      .catch((error: Error) => error.message)
      .then((found) => isOld || setFacts(found));
    return () => {
      isOld = true;
    };
  }, [name, moment]);
  if (place === undefined) {
    return h(
      "p",
      { class: "quiet" },
      "Choose a node or a pod in the picture: its addresses, routes, rules and " +
        "leases stand here then, with the commands that show them.",
    );
  }
  return h(
    "section",
    { "aria-labelledby": "chosen-heading", id: "chosen" },
    h(
      "div",
      { class: "bar" },
      h("h2", { id: "chosen-heading" }, name),
      h("button", {
        type: "button",
        onClick: () => openTerminal(place),
      }, "Terminal"),
      h("button", {
        type: "button",
        onClick: () => traceFrom(place),
      }, "Trace from here"),
    ),
    ...(typeof facts === "string" ? [h("p", { class: "quiet" }, facts)] : facts)
      .map((one) =>
        "title" in one
          ? h(
            "div",
            { key: one.command },
            h("h3", {}, one.title),
            h(
              "pre",
              { tabIndex: 0, role: "group", "aria-label": one.title },
              h("code", { class: "command" }, `$ ${one.command}`),
              `\n${one.output}`,
            ),
          )
          : one
      ),
  );
}
