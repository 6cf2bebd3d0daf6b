/** Marks for what the matrix will be, and what came of them. */
import "./marks.css";
import type { MarkedView, MarkRowView } from "../tour_protocol.ts";
import { h, type PagePart, useState } from "./ui.ts";

/** The marks that were set, by kind of path. */
type MarksSet = Readonly<Record<string, string>>;

/** Marks that a reload of the page leaves as they are. */
export function useMarks(
  key: string,
): readonly [MarksSet, (marks: MarksSet) => void] {
  const [all, setAll] = useState<Readonly<Record<string, MarksSet>>>({});
  const set = (marks: MarksSet) => {
    localStorage.setItem(key, JSON.stringify(marks));
    setAll({ ...all, [key]: marks });
  };
  return [all[key] ?? kept(key), set];
}

function kept(key: string): MarksSet {
  const text = localStorage.getItem(key);
  return text === null ? {} : JSON.parse(text);
}

/** Marks as the server takes them; undefined where none is set. */
export function sentMarks(
  rows: readonly MarkRowView[],
  marks: MarksSet,
): string | undefined {
  const set = rows.flatMap(({ kind }) => {
    const mark = marks[kind];
    return mark === undefined ? [] : [`${kind}=${mark}`];
  });
  return set.length === 0 ? undefined : set.join();
}

interface MarksProps {
  /** Begins the names of the fields. */
  readonly id: string;
  readonly rows: readonly MarkRowView[];
  readonly marks: MarksSet;
  readonly set: (marks: MarksSet) => void;
}

/** A row a kind of path: how it is now, and what it will be. */
export function MarksForm({ id, rows, marks, set }: MarksProps): PagePart {
  const now = Object.fromEntries(
    rows.filter(({ nowMark }) => nowMark !== "other")
      .map(({ kind, nowMark }) => [kind, nowMark]),
  );
  return h(
    "div",
    {},
    h(
      "div",
      { class: "bar" },
      h("button", {
        type: "button",
        onClick: () => set(now),
      }, "All as it is now"),
      h("button", { type: "button", onClick: () => set({}) }, "No marks"),
    ),
    h(
      "div",
      { class: "wide", tabIndex: 0, role: "group", "aria-label": "Marks" },
      h(
        "table",
        { class: "marks" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ...["Path", "Now", "Afterwards"].map((text) =>
              h("th", { scope: "col" }, text)
            ),
          ),
        ),
        h(
          "tbody",
          {},
          ...rows.map((row) =>
            markRow(
              id,
              row,
              marks[row.kind],
              (mark) => set({ ...marks, [row.kind]: mark }),
            )
          ),
        ),
      ),
    ),
  );
}

function markRow(
  id: string,
  { kind, label, now, choices }: MarkRowView,
  chosen: string | undefined,
  choose: (mark: string) => void,
): PagePart {
  return h(
    "tr",
    { key: kind },
    h("th", { scope: "row" }, label),
    h("td", {}, now),
    h(
      "td",
      { role: "radiogroup", "aria-label": label },
      ...choices.map(({ mark, words }) =>
        h(
          "label",
          { class: "mark" },
          h("input", {
            type: "radio",
            name: `${id}-${kind}`,
            value: mark,
            checked: chosen === mark,
            onChange: () => choose(mark),
          }),
          words,
        )
      ),
    ),
  );
}

/** How many marks were right, and why the others were not. */
export function MarkedResult(
  { marked, heading, level }: {
    readonly marked: MarkedView;
    readonly heading: string;
    readonly level: "h3" | "h4";
  },
): PagePart {
  const { score, wrong } = marked;
  const isRight = wrong.length === 0 && score.startsWith("all");
  return h(
    "div",
    { class: "marked" },
    h(
      level,
      { class: isRight ? "is-good" : "" },
      `${isRight ? "✓ " : ""}${heading}: ${score}`,
    ),
    wrong.length === 0 ? null : h(
      "dl",
      {},
      ...wrong.flatMap(({ label, said, is, why }) => [
        h("dt", {}, `✗ ${label}: you said "${said}", it is "${is}"`),
        h("dd", { class: "why" }, why.join("\n")),
      ]),
    ),
  );
}
