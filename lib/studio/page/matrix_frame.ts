/** The frame of a matrix: what can be scrolled, and the heads of its columns. */
import { h, type PagePart } from "./ui.ts";

/**
 * A matrix as a table.
 *
 * @param label for a screen reader
 * @param rows each a `tr` whose first cell is the path
 */
export function matrixFrame(
  { label, id }: { readonly label: string; readonly id?: string },
  columns: readonly string[],
  rows: readonly PagePart[],
): PagePart {
  return h(
    "div",
    { class: "wide", tabIndex: 0, role: "group", "aria-label": label },
    h(
      "table",
      id === undefined ? {} : { id },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Path"),
          ...columns.map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h("tbody", {}, ...rows),
    ),
  );
}
