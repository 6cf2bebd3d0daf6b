/** Marks as text: numbers typed at a terminal, and a flag's value. Pure. */
import { pathKinds } from "../verify/matrix.ts";
import {
  hasSource,
  type Mark,
  type MarkRow,
  markWords,
  type Prediction,
} from "./mark.ts";

/** What was typed where rows are asked for. */
type RowsAnswer =
  | { readonly is: "rows"; readonly rows: readonly MarkRow[] }
  | { readonly is: "same" | "skip" }
  | { readonly is: "wrong"; readonly why: string };

/**
 * Reads which rows are meant: their numbers, "0" or "none", "all", "same" for
 * as it is now, nothing to say nothing.
 *
 * @param rows those that are shown, by their numbers
 */
export function readRows(
  text: string,
  rows: ReadonlyMap<number, MarkRow>,
): RowsAnswer {
  const words = text.trim().toLowerCase().split(/[\s,;]+/)
    .filter((word) => word !== "");
  const [first] = words;
  if (first === undefined) return { is: "skip" };
  if (words.length === 1) {
    if (first === "same") return { is: "same" };
    if (first === "all") return { is: "rows", rows: [...rows.values()] };
    if (first === "0" || first === "none") return { is: "rows", rows: [] };
  }
  const found = new Set<MarkRow>();
  for (const word of words) {
    const row = /^\d+$/.test(word) ? rows.get(Number(word)) : undefined;
    if (row === undefined) {
      const known = [...rows.keys()].join(", ");
      const given = [...word].slice(0, 20).join("");
      return {
        is: "wrong",
        why: `"${given}" is none of them: expected some of ${known}, or 0 ` +
          "for none",
      };
    }
    found.add(row);
  }
  return { is: "rows", rows: [...found] };
}

/** The marks of all rows, of those that will answer and those of them that hide the pod. */
export function marksOf(
  rows: readonly MarkRow[],
  answered: readonly MarkRow[],
  hidden: readonly MarkRow[],
): Prediction {
  return Object.fromEntries(rows.map((row): [string, Mark] => {
    if (!answered.includes(row)) return [row.kind, "no"];
    if (!hasSource(row.kind)) return [row.kind, "yes"];
    return [row.kind, hidden.includes(row) ? "node" : "pod"];
  }));
}

/** The marks that say that all stays as it is. */
export function marksAsNow(rows: readonly MarkRow[]): Prediction {
  return Object.fromEntries(
    rows.flatMap(({ kind, now }) => now === "other" ? [] : [[kind, now]]),
  );
}

/** Marks as a flag takes them: "pod-to-outside=node,node-to-own-pod=yes". */
export function marksText(marks: Prediction): string {
  return Object.entries(marks).map(([kind, mark]) => `${kind}=${mark}`).join();
}

/** Reads what marksText() made; undefined where it makes no sense. */
export function readMarks(text: string): Prediction | undefined {
  const found = new Map<string, Mark>();
  for (const part of text.split(",")) {
    const [name, said = "", ...more] = part.split("=");
    const kind = pathKinds.find((kind) => kind === name);
    const mark = Object.hasOwn(markWords, said) ? said as Mark : undefined;
    if (kind === undefined || mark === undefined || more.length > 0) {
      return undefined;
    }
    const fits = mark === "no" || mark === "some" ||
      hasSource(kind) === (mark !== "yes");
    if (!fits || found.has(kind)) return undefined;
    found.set(kind, mark);
  }
  return Object.fromEntries(found);
}
