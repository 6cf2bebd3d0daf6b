/** What reaches what: a cell tells its cause, and has its path traced. */
import type { MatrixCell, PageState } from "../protocol.ts";
import { h, type PagePart, useState } from "./ui.ts";
import { matrixFrame } from "./matrix_frame.ts";

interface MatrixProps {
  readonly matrix: PageState["matrix"];
  readonly verify: () => void;
  readonly trace: (from: string, to: string) => void;
}

/** The matrix, and below it the cell that was chosen. */
export function Matrix({ matrix, verify, trace }: MatrixProps): PagePart {
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  const { columns, rows, summary } = matrix;
  const all = rows.flatMap(({ label, cells }) =>
    cells.map((cell, at) => ({ cell, label, column: columns[at] ?? "" }))
  );
  const one = all.find(({ label, column }) => `${label} ${column}` === chosen);
  return h(
    "section",
    { "aria-labelledby": "matrix-heading" },
    h(
      "div",
      { class: "bar" },
      h("h2", { id: "matrix-heading" }, "What reaches what"),
      h("button", { type: "button", onClick: verify }, "Run 09-verify"),
    ),
    rows.length === 0 ? null : matrixFrame(
      { label: "Matrix", id: "matrix" },
      columns,
      rows.map(({ label, cells }) =>
        h(
          "tr",
          { key: label },
          h("th", { scope: "row" }, label),
          ...cells.map((cell, at) => {
            const key = `${label} ${columns[at]}`;
            const isChosen = key === chosen;
            return matrixCell(
              cell,
              isChosen,
              () => setChosen(isChosen ? undefined : key),
            );
          }),
        )
      ),
    ),
    h("p", { id: "summary" }, summary),
    one === undefined ? null : h(
      "div",
      { class: "opened" },
      h("h3", {}, `${one.label}, ${one.column}: ${one.cell.text}`),
      one.cell.cause === undefined
        ? null
        : h("pre", { id: "cause", tabIndex: 0 }, one.cell.cause),
      traceButton(one.cell, trace),
    ),
  );
}

function matrixCell(
  { text, tone, cause, from }: MatrixCell,
  isChosen: boolean,
  choose: () => void,
): PagePart {
  if (cause === undefined && from === undefined) {
    return h("td", { class: `is-${tone}` }, text);
  }
  return h(
    "td",
    { class: `is-${tone}` },
    h("button", {
      type: "button",
      class: "link",
      "aria-expanded": isChosen,
      onClick: choose,
    }, text),
  );
}

function traceButton(
  { from, to }: MatrixCell,
  trace: MatrixProps["trace"],
): PagePart | null {
  if (from === undefined || to === undefined) return null;
  return h("button", {
    type: "button",
    onClick: () => trace(from, to),
  }, `Trace ${from} → ${to}`);
}
