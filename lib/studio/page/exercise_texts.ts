/** What an exercise says: its hints, what is still wrong, and the explanation. */
import type { ShownExercise, ShownExplanation } from "../protocol.ts";
import { h, type PagePart } from "./ui.ts";

/** The hints that were asked for. */
export function hintList(hints: ShownExercise["hints"]): PagePart | null {
  if (hints.length === 0) return null;
  return h(
    "ol",
    { class: "hints", "aria-label": "Hints" },
    ...hints.map(({ says, run }) =>
      h("li", { key: says }, says, lines([run], "What looks there"))
    ),
  );
}

/** What is still to be done. */
export function problemList(problems: readonly string[]): PagePart {
  return h("ul", { "aria-label": "To be done" }, ...problems.map(problem));
}

/** What is wrong, and lines to paste behind it. */
function problem(text: string): PagePart {
  const [what = "", ...more] = text.split("\n");
  return h(
    "li",
    { key: text },
    what,
    more.length === 0 ? null : lines(more, "What mends it"),
  );
}

/** What an exercise was about. */
export function explanationOf(
  { says, shows, mends }: ShownExplanation,
): PagePart {
  return h(
    "div",
    { class: "explanation" },
    h("h4", {}, "What it was"),
    h("p", {}, says),
    h("h4", {}, "What shows it while it is there"),
    lines([shows], "What shows it"),
    h("h4", {}, "What repairs it"),
    lines(mends, "What repairs it"),
  );
}

function lines(texts: readonly string[], label: string): PagePart {
  return h(
    "pre",
    { tabIndex: 0, role: "group", "aria-label": label },
    texts.join("\n"),
  );
}
