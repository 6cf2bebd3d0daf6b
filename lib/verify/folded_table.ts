/** Stage 09's findings of many nodes: a row a kind of path, and what differs below it. Pure. */
import { firstAlike } from "./alike_causes.ts";
import { pathsInWords } from "./many_paths.ts";
import { someNames } from "../text/some_names.ts";
import { pathKinds } from "./matrix.ts";
import {
  cell,
  dnsCell,
  hairpinCell,
  hostPortCell,
  labels,
  type Marks,
  markSign,
  nodeCell,
  podsCell,
  type WordOptions,
} from "./matrix_cells.ts";
import type { MatrixReport, PathReport } from "./matrix_report.ts";
import { wrap } from "../text/wrap.ts";

/** What a folded table needs besides the report. */
interface FoldOptions extends WordOptions {
  /** Columns of text that the table may take. */
  readonly width: number;
  /** Marks the lines about such a path. */
  readonly marks?: Marks;
}

/** What was seen, of how many, and of whom. */
interface Line {
  readonly text: string;
  readonly whom: readonly string[];
  readonly marked: boolean;
}

/** A row: what was looked at, and what was seen of it. */
interface FoldedRow {
  readonly label: string;
  readonly lines: readonly Line[];
}

/** What is said of a path in its row. */
interface Words {
  /** Paths of one key are one line. */
  readonly key: string;
  readonly text: string;
}

/** The table of a cluster of many nodes, in lines of the width that it may take. */
export function foldedTable(
  report: MatrixReport,
  options: FoldOptions,
): string {
  const words = wordsIn(report, options);
  const rows = [
    nodeRow("node Ready", report.nodes, nodeCell),
    nodeRow("test pods", report.pods, podsCell),
    ...pathKinds.flatMap((kind) => {
      const paths = report.paths.filter((path) => path.kind === kind);
      const families = [...new Set(paths.map(({ family }) => family))];
      const rows = families.map((family) => {
        const label = labels[kind] +
          (families.length === 1 ? "" : `, IPv${family}`);
        const own = paths.filter((path) => path.family === family);
        return pathRow(label, own, words, options.marks);
      });
      return together(labels[kind], rows);
    }),
    nodeRow("pod → own service", report.hairpin, hairpinCell),
    nodeRow("hostPort → pod", report.hostPorts, hostPortCell),
    nodeRow("pod → DNS", report.dns, dnsCell),
  ].filter((row) => row !== undefined);
  const space = Math.max(...rows.map(({ label }) => label.length)) + 2;
  return rows.map((row) => rowText(row, space, options)).join("\n");
}

/** Both families as one row, where they are alike. */
function together(
  label: string,
  rows: readonly FoldedRow[],
): readonly FoldedRow[] {
  const [first, second] = rows.map(({ lines }) => lines);
  const isOne = first !== undefined &&
    JSON.stringify(first) === JSON.stringify(second);
  return isOne ? [{ label: `${label}, 4 and 6`, lines: first }] : rows;
}

function rowText(
  { label, lines }: FoldedRow,
  space: number,
  { width, marks }: FoldOptions,
): string {
  const gap = marks === undefined ? "" : " ".repeat(markSign.length);
  const indent = " ".repeat(space + gap.length + 2);
  return lines.flatMap(({ text, whom, marked }, at) => {
    const head = (at === 0 ? label : "").padEnd(space);
    const shown = (line: string) =>
      head +
      (marked && marks ? marks.emphasize(markSign + line) : gap + line);
    const short = whom.length === 0 ? text : `${text}, ${whom.join("; ")}`;
    if (space + gap.length + short.length <= width) return [shown(short)];
    return [
      shown(text),
      ...whom.map((one) => wrap(one, indent, `${indent}  `, width)),
    ];
  }).join("\n");
}

/** What is known node by node; undefined where nothing is. */
function nodeRow<Found extends { readonly node: string }>(
  label: string,
  found: readonly Found[] | undefined,
  words: (found: Found) => string,
): FoldedRow | undefined {
  if (found === undefined) return undefined;
  const groups = sorted(Map.groupBy(found, words));
  const lines = groups.map(([text, own]): Line => ({
    text: `${text}: ${count(own, found)}`,
    whom: own.length > found.length / 2
      ? []
      : [someNames(own.map(({ node }) => node))],
    marked: false,
  }));
  return { label, lines };
}

function pathRow(
  label: string,
  paths: readonly PathReport[],
  wordsOf: (path: PathReport) => Words,
  marks: Marks | undefined,
): FoldedRow {
  const groups = sorted(Map.groupBy(paths, (path) => wordsOf(path).key));
  const lines = groups.map(([key, own], at): Line => {
    const texts = [...new Set(own.map((path) => wordsOf(path).text))];
    const [text = key] = texts.length === 1 ? texts : [key];
    const isUsual = at === 0 && own.every(({ asExpected }) => asExpected);
    return {
      text: `${text}: ${count(own, paths)}`,
      whom: isUsual ? [] : pathsInWords(own, paths),
      marked: marks !== undefined && own.some(marks.has),
    };
  });
  return { label, lines };
}

function count(own: readonly unknown[], all: readonly unknown[]): string {
  return own.length === all.length
    ? `all ${all.length}`
    : `${own.length} of ${all.length}`;
}

/**
 * The words for a path: of causes that are alike the first one's number, and no
 * name of a node that the stage is lacking on.
 */
function wordsIn(
  report: MatrixReport,
  options: WordOptions,
): (path: PathReport) => Words {
  const first = firstAlike(report.causes);
  const nowhere = { ...report, complete: {} };
  return (path) => {
    const { cause, asExpected, observed } = path;
    if (cause === undefined) {
      const text = cell(path, nowhere, options);
      return { key: text, text };
    }
    const number = first.get(cause) ?? cause;
    const text = cell({ ...path, cause: number }, report, options);
    const isAltered = !asExpected && observed.answer === "yes";
    return { key: isAltered ? `✗ yes, as others [${number}]` : text, text };
  };
}

/** The most frequent first; what is wrong last. */
function sorted<Of>(
  groups: ReadonlyMap<string, readonly Of[]>,
): readonly [string, readonly Of[]][] {
  const isWrong = (word: string) => word.startsWith("✗");
  return [...groups].toSorted(([a, ofA], [b, ofB]) =>
    Number(isWrong(a)) - Number(isWrong(b)) || ofB.length - ofA.length
  );
}
