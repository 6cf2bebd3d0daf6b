/** Stage 09's findings as a table for people. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { makeLine } from "../cluster/make_line.ts";
import {
  columnOf,
  opener,
  otherEndOf,
  type PathKind,
  pathKinds,
} from "./matrix.ts";
import { foldedTable } from "./folded_table.ts";
import { someNames } from "../text/some_names.ts";
import { notes } from "./matrix_notes.ts";
import type { MatrixReport, PathReport } from "./matrix_report.ts";
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
import type { StageName } from "../stage/stage.ts";

/** What a table needs besides the report. */
interface TableOptions extends WordOptions {
  /** Columns of text that the table may take. */
  readonly width: number;
  /** Whether every cell is shown, however many there are. */
  readonly whole?: boolean;
  /** Marks the cells that have such a path. */
  readonly marks?: Marks;
}

/** What takes more lines than this is folded: a screen has not many more. */
const screenful = 40;

/**
 * The report as text: the table, what is wrong and why, a summary. That of many
 * nodes is folded, unless the whole is asked for.
 */
export function matrixTable(
  report: MatrixReport,
  options: TableOptions,
): string {
  const cells = grid(report, options);
  const lines = cells.join("\n\n").split("\n").length;
  const explained = Map.groupBy(report.paths, ({ cause }) => cause);
  explained.delete(undefined);
  const most = Math.max(0, ...explained.values().map(({ length }) => length));
  const folded = options.whole !== true && Math.max(lines, most) > screenful;
  const parts = [
    ...(folded ? foldedParts(report, options) : cells),
    ...notes(report, { ...options, folded }),
    ...(report.remarks.length === 0 ? [] : [report.remarks.join("\n")]),
    summary(report, options.cluster),
  ];
  return parts.join("\n\n");
}

function foldedParts(
  report: MatrixReport,
  options: TableOptions,
): readonly string[] {
  const table = foldedTable(report, options);
  const line = makeLine("09-verify ARGS=--all", options.cluster);
  return [table, `A row a kind of path; every cell: ${line}`];
}

/** One line that says how it came out. */
export function summary(
  report: MatrixReport,
  cluster: Pick<Cluster, "file">,
): string {
  const { paths, pods, causes } = report;
  const wrong = paths.filter(({ asExpected }) => !asExpected).length;
  const podless = pods.filter(({ asExpected }) => !asExpected);
  const next = report.next === undefined
    ? ""
    : `. Next: ${makeLine(report.next, cluster)}${opens(report, report.next)}`;
  if (paths.length === 0 && causes.length === 0) {
    return `No pods, so no path can be tried${next}`;
  }
  if (report.passed) {
    return `All ${paths.length} paths are as expected${next}`;
  }
  const unready = names(report.nodes);
  const nameless = names(report.dns);
  const turned = names(report.hairpin);
  const unmapped = names(report.hostPorts);
  const lost = names(report.others);
  const long = names(report.long);
  const counts = [
    ...(unready === "" ? [] : [`Ready of ${unready}`]),
    ...(wrong > 0 ? [`${wrong} of ${paths.length} paths`] : []),
    ...(podless.length > 0 ? [`the pods on ${names(podless)}`] : []),
    ...(lost === "" ? [] : [`the other pods on ${lost}`]),
    ...(long === "" ? [] : [`long packets of pods on ${long}`]),
    ...(turned === "" ? [] : [`a service's way back to its pod on ${turned}`]),
    ...(unmapped === "" ? [] : [`hostPort on ${unmapped}`]),
    ...(nameless === "" ? [] : [`DNS on ${nameless}`]),
  ];
  const many = causes.length === 1 ? "1 cause" : `${causes.length} causes`;
  return `Not as expected: ${counts.join(" and ")}; ${many} above`;
}

/** The nodes of which something is not as expected. */
function names(
  found: readonly { node: string; asExpected: boolean }[] | undefined,
): string {
  const nodes = (found ?? []).filter(({ asExpected }) => !asExpected)
    .map(({ node }) => node);
  return someNames([...new Set(nodes)]);
}

/** The kinds of path that a stage turns to yes. */
function opens({ paths }: MatrixReport, stage: StageName): string {
  const kinds = pathKinds.filter((kind) =>
    paths.some((path) =>
      path.kind === kind && path.expected.answer === "no" &&
      opener(path.expected).stage === stage
    )
  );
  if (kinds.length === 0) return "";
  return `, which opens ${
    kinds.map((kind) => `"${labels[kind]}"`).join(" and ")
  }`;
}

/** A row of the table. */
interface Row {
  readonly label: string;
  readonly cells: readonly string[];
}

/** The rows of the table, a cell for each worker with test pods, in the order of `report.pods`. */
export function rowsOf(
  report: MatrixReport,
  options: Omit<TableOptions, "width">,
): readonly Row[] {
  const columns = report.pods.map(({ node }) => node);
  if (columns.length === 0) return [];
  const unmarked = (cells: readonly string[]) =>
    options.marks === undefined
      ? cells
      : cells.map((cell) => " ".repeat(markSign.length) + cell);
  const plain = ({ label, cells }: Row) => ({ label, cells: unmarked(cells) });
  return [
    ...ofNodes("node Ready", report.nodes, columns, nodeCell).map(plain),
    { label: "test pods", cells: unmarked(report.pods.map(podsCell)) },
    ...pathKinds.flatMap((kind) => kindRows(kind, columns, report, options)),
    ...ofNodes(
      "pod → own service",
      report.hairpin,
      columns,
      hairpinCell,
    ).map(plain),
    ...ofNodes(
      "hostPort → pod",
      report.hostPorts,
      columns,
      hostPortCell,
    ).map(plain),
    ...ofNodes("pod → DNS", report.dns, columns, dnsCell).map(plain),
  ];
}

function grid(report: MatrixReport, options: TableOptions): string[] {
  const columns = report.pods.map(({ node }) => node);
  if (columns.length === 0) return [];
  const space = options.marks === undefined ? "" : " ".repeat(markSign.length);
  const head = { label: "", cells: columns.map((name) => space + name) };
  const rows: Row[] = [head, ...rowsOf(report, options)];
  const labelWidth = Math.max(...rows.map(({ label }) => label.length)) + 2;
  const widths = columns.map((_, column) =>
    Math.max(...rows.map(({ cells }) => cells[column]?.length ?? 0)) + 2
  );
  return blocks(widths, options.width - labelWidth).map(([first, end]) =>
    rows.map(({ label, cells }) => {
      const line = cells.slice(first, end).map((cell, at) =>
        emphasized(cell, options) +
        " ".repeat((widths[first + at] ?? 0) - cell.length)
      );
      return (label.padEnd(labelWidth) + line.join("")).trimEnd();
    }).join("\n")
  );
}

/** Which columns stand side by side: as many as fit, and at least one. */
function blocks(
  widths: readonly number[],
  room: number,
): [first: number, end: number][] {
  const found: [number, number][] = [];
  let first = 0;
  let used = 0;
  widths.forEach((width, column) => {
    // The last column of a line needs no gap behind it.
    if (column > first && used + width - 2 > room) {
      found.push([first, column]);
      first = column;
      used = 0;
    }
    used += width;
  });
  found.push([first, widths.length]);
  return found;
}

/** One row for a kind, or one for each family and for each other end where they differ. */
function kindRows(
  kind: PathKind,
  columns: readonly string[],
  report: MatrixReport,
  options: Omit<TableOptions, "width">,
): Row[] {
  const paths = report.paths.filter((path) => path.kind === kind);
  const whole = rowOf(labels[kind], paths, columns, report, options);
  if (whole !== undefined) return [whole];
  const families = [...new Set(paths.map(({ family }) => family))];
  return families.flatMap((family) => {
    const own = paths.filter((path) => path.family === family);
    const suffix = families.length === 1 ? "" : `, IPv${family}`;
    const label = labels[kind] + suffix;
    const one = rowOf(label, own, columns, report, options);
    if (one !== undefined) return [one];
    const others = [...new Set(own.map(otherEndOf))];
    return others.flatMap((other) => {
      const label = kind === "node-to-other-pod"
        ? `${other} → pod${suffix}`
        : `${labels[kind]}${suffix}: ${other}`;
      const there = own.filter((path) => otherEndOf(path) === other);
      return rowOf(label, there, columns, report, options) ?? [];
    });
  });
}

/** Paths as one row; undefined where a cell would need two words. */
function rowOf(
  label: string,
  paths: readonly PathReport[],
  columns: readonly string[],
  report: MatrixReport,
  options: Omit<TableOptions, "width">,
): Row | undefined {
  const cells = columns.map((column) => {
    const own = paths.filter((path) => columnOf(path) === column);
    return [...new Set(own.map((path) => cell(path, report, options)))];
  });
  if (cells.some((words) => words.length > 1)) return undefined;
  return {
    label,
    cells: cells.map(([word = "-"], column) =>
      markOf(paths, columns[column], options) + word
    ),
  };
}

/** What stands before a column's cell for these paths. */
function markOf(
  paths: readonly PathReport[],
  column: string | undefined,
  { marks }: Pick<TableOptions, "marks">,
): string {
  if (marks === undefined) return "";
  const marked = paths.some((path) =>
    columnOf(path) === column && marks.has(path)
  );
  return marked ? markSign : " ".repeat(markSign.length);
}

function emphasized(
  cell: string,
  { marks }: Pick<TableOptions, "marks">,
): string {
  return marks !== undefined && cell.startsWith(markSign)
    ? marks.emphasize(cell)
    : cell;
}

/** A row of what is known node by node; none where nothing is. */
function ofNodes<Found extends { readonly node: string }>(
  label: string,
  found: readonly Found[] | undefined,
  columns: readonly string[],
  words: (found: Found) => string,
): Row[] {
  if (found === undefined) return [];
  const cells = columns.map((column) => {
    const own = found.find(({ node }) => node === column);
    return own === undefined ? "-" : words(own);
  });
  return [{ label, cells }];
}
