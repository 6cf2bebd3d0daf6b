/** A stop of the tour: why, the commands, and what was seen once they had run. */
import type { StopTable, StopView } from "../tour_protocol.ts";
import { MarkedResult } from "./marks.ts";
import { h, type PagePart, useEffect, useRef } from "./ui.ts";
import { matrixFrame } from "./matrix_frame.ts";

interface StopProps {
  readonly stop: StopView;
  readonly of: number;
  /** The matrix of the stop before. */
  readonly before: StopTable | undefined;
}

/** A stop; its heading gets the focus where another stop was shown. */
export function ShownStop({ stop, of, before }: StopProps): PagePart {
  const { title, number, text, commands, said, table, changes, marked } = stop;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // Not while the user is elsewhere on the page.
    const last = document.activeElement;
    if (last === document.body || last?.closest("#tour")) {
      heading.current?.focus();
    }
  }, []);
  return h(
    "article",
    { "aria-labelledby": "stop-heading" },
    h(
      "h3",
      { id: "stop-heading", ref: heading, tabIndex: -1 },
      `${title} · stop ${number} of ${of}`,
    ),
    h("p", {}, text),
    ...(commands.length === 0
      ? [h("p", {}, "There is nothing to do: all of it is there already.")]
      : commands.flatMap(({ where, script }) => [
        h("p", {}, where),
        listing(script, `Commands. ${where}`),
      ])),
    before === undefined
      ? null
      : table === undefined
      ? matrix("The matrix before", before, false)
      : h(
        "details",
        {},
        h("summary", {}, "The matrix before"),
        matrix("The matrix before", before, false),
      ),
    ...said.map((text) => listing(text, "What was seen")),
    table === undefined ? null : matrix("The matrix afterwards", table, true),
    changes === undefined ? null : changed(changes),
    marked === undefined
      ? null
      : h(MarkedResult, { marked, heading: "Your marks", level: "h4" }),
  );
}

function changed(changes: readonly string[]): PagePart {
  if (changes.length === 0) {
    return h("p", {}, "Nothing in the matrix has changed.");
  }
  return h(
    "div",
    {},
    h("h4", {}, "Changed since the matrix before (▸)"),
    h("ul", {}, ...changes.map((line) => h("li", {}, line))),
  );
}

function listing(text: string, label: string): PagePart {
  return h("pre", { tabIndex: 0, role: "group", "aria-label": label }, text);
}

function matrix(
  title: string,
  { columns, rows, notes }: StopTable,
  hasNotes: boolean,
): PagePart {
  return h(
    "div",
    {},
    h("h4", {}, title),
    matrixFrame(
      { label: title },
      columns,
      rows.map(({ label, cells }) =>
        h(
          "tr",
          { key: label },
          h("th", { scope: "row" }, label),
          ...cells.map(({ text, tone }) =>
            h("td", { class: `is-${tone}` }, text)
          ),
        )
      ),
    ),
    hasNotes
      ? h("pre", {
        class: "notes",
        tabIndex: 0,
        role: "group",
        "aria-label": "What stage 09 says of it",
      }, notes.join("\n\n"))
      : null,
  );
}
