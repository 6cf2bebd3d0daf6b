/** What became another between two runs of stage 09. Pure. */
import { someNames } from "../text/some_names.ts";
import type { PathKind } from "./matrix.ts";
import { columnOf, pathKinds } from "./matrix.ts";
import type { MatrixReport, PathReport } from "./matrix_report.ts";
import { labels, observedWords, type WordOptions } from "./matrix_cells.ts";

/** Paths that changed alike. */
export interface PathChange {
  /** What the table calls their row. */
  readonly label: string;
  /** The workers in whose columns they are; empty: in all. */
  readonly columns: readonly string[];
  /** What was seen before, as the table says it; undefined where the path was not there. */
  readonly was: string | undefined;
  readonly is: string;
}

/** Names a path among all of a report. */
function keyOf({ kind, from, to, family }: PathReport): string {
  return `${kind} ${from} ${to} ${family}`;
}

/** What was seen of a path; two paths of one meaning have equal texts. */
function seenOf({ observed }: PathReport): string {
  return observed.answer === "yes" ? `yes ${observed.source}` : observed.answer;
}

/**
 * The paths of which something else was seen than before, or which are new. A
 * pod that was made anew has another address: that is a change too.
 */
export function changedPaths(
  before: MatrixReport,
  now: MatrixReport,
): readonly PathReport[] {
  const old = new Map(before.paths.map((path) => [keyOf(path), seenOf(path)]));
  return now.paths.filter((path) => old.get(keyOf(path)) !== seenOf(path));
}

/**
 * What changed, in words: an entry for paths of one kind that changed alike,
 * in the order of the table.
 */
export function matrixChanges(
  before: MatrixReport,
  now: MatrixReport,
  options: Pick<WordOptions, "addresses">,
): readonly PathChange[] {
  const old = new Map(before.paths.map((path) => [keyOf(path), path]));
  const found = new Map<string, PathChange & { readonly kind: PathKind }>();
  for (const path of changedPaths(before, now)) {
    const { kind } = path;
    const past = old.get(keyOf(path));
    const was = past && observedWords(past, options);
    const is = observedWords(path, options);
    const key = JSON.stringify([kind, was, is]);
    const columns = found.get(key)?.columns ?? [];
    const column = columnOf(path);
    found.set(key, {
      kind,
      label: labels[kind],
      columns: columns.includes(column) ? columns : [...columns, column],
      was,
      is,
    });
  }
  const all = now.pods.length;
  return [...found.values()]
    .toSorted((a, b) => pathKinds.indexOf(a.kind) - pathKinds.indexOf(b.kind))
    .map(({ kind: _, columns, ...rest }) => ({
      ...rest,
      columns: columns.length === all ? [] : columns,
    }));
}

/** A change as a line. */
export function changeLine({ label, columns, was, is }: PathChange): string {
  const where = columns.length === 0 ? "" : `, ${someNames(columns)}`;
  return `${label}${where}: ` +
    (was === undefined ? `"${is}"` : `was "${was}", is "${is}"`);
}
