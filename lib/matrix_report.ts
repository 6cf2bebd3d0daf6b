/** Stage 09's findings as a table for people and as data. Pure. */
import type { Family } from "./cidr.ts";
import type { Cluster } from "./cluster.ts";
import {
  type Addresses,
  columnOf,
  type Expected,
  type Missing,
  type Observed,
  opener,
  otherEndOf,
  type Path,
  type PathKind,
  pathKinds,
  whose,
} from "./matrix.ts";
import type { StageName } from "./step.ts";
import type { Cause } from "./suspects.ts";

/** The data form of stage 09 (`-o json`). */
export interface MatrixReport {
  /** Grows when a field changes its meaning or goes away. */
  readonly version: 1;
  /** The cluster's name. */
  readonly cluster: string;
  /** Whether everything is as expected: the exit code is 0. */
  readonly passed: boolean;
  /** The stages that each node's journal calls complete, by node. */
  readonly complete: Readonly<Record<string, readonly StageName[]>>;
  /** The test pods of each worker. */
  readonly pods: readonly PodsReport[];
  /** Whether Kubernetes calls each node Ready; absent where there is none. */
  readonly nodes?: readonly NodeReport[];
  /** What became of a service's name in each worker's pod; absent where it was not tried. */
  readonly dns?: readonly DnsReport[];
  readonly paths: readonly PathReport[];
  /** What explains the entries above that are not as expected; they refer to `number`. */
  readonly causes: readonly (Cause & { readonly number: number })[];
  /** What else one should know, a sentence each. */
  readonly remarks: readonly string[];
  /** The stage that opens the next paths; absent when none is left. */
  readonly next?: StageName;
}

/** A worker's test pods. */
export interface PodsReport {
  readonly node: string;
  /** The stage before which the node can have none; absent when it must have them. */
  readonly waitsFor?: StageName;
  /** The addresses of each pod that is there, one a family. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A node in the eyes of Kubernetes. */
export interface NodeReport {
  readonly node: string;
  readonly ready: boolean;
  /** The stage before which it cannot be Ready; absent when it must be. */
  readonly waitsFor?: StageName;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A service's name, as a worker's pod resolves it. */
export interface DnsReport {
  readonly node: string;
  /** Absent where it was not resolved. */
  readonly address?: string;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A path in one family. */
export interface PathReport extends Path {
  /** The IP version. */
  readonly family: Family;
  readonly expected: Expected;
  /** The address that the receiver must see; absent where no answer is expected. */
  readonly expectedSource?: string;
  readonly observed: Observed;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** What the kinds of path are called in a table. */
export const labels: Readonly<Record<PathKind, string>> = {
  "pod-to-own-node": "pod → own node",
  "pod-to-other-node": "pod → other node",
  "pod-to-pod-same-node": "pod → pod, same node",
  "pod-to-pod-other-node": "pod → pod, other node",
  "pod-to-outside": "pod → outside",
  "node-to-own-pod": "node → its pod",
  "node-to-other-pod": "other node → pod",
};

/** The kinds of path whose receiver could see more than one address, all of them right at some stage. */
const kindsWithSource: ReadonlySet<PathKind> = new Set([
  "pod-to-other-node",
  "pod-to-pod-other-node",
  "pod-to-outside",
  "node-to-other-pod",
]);

/** What the words of a table need besides the report. */
export interface TableOptions {
  readonly cluster: Cluster;
  /** By family. */
  readonly addresses: ReadonlyMap<Family, Addresses>;
  /** Columns of text that the table may take. */
  readonly width: number;
  /** Marks the cells that have such a path. */
  readonly marks?: Marks;
}

/** How cells are marked. */
export interface Marks {
  readonly has: (path: PathReport) => boolean;
  /** What makes a marked cell stand out besides its sign. */
  readonly emphasize: (text: string) => string;
}

/** Stands before a marked cell. */
export const markSign = "▸ ";

/** The report as text: the table, what is wrong and why, a summary. */
export function table(report: MatrixReport, options: TableOptions): string {
  const parts = [
    ...grid(report, options),
    ...report.causes.map((cause) => note(cause, report, options)),
    ...(report.remarks.length === 0 ? [] : [report.remarks.join("\n")]),
    summary(report),
  ];
  return parts.join("\n\n");
}

/** One line that says how it came out. */
export function summary(report: MatrixReport): string {
  const { paths, pods, causes } = report;
  const wrong = paths.filter(({ asExpected }) => !asExpected).length;
  const podless = pods.filter(({ asExpected }) => !asExpected);
  const next = report.next === undefined
    ? ""
    : `. Next: make ${report.next}${opens(report, report.next)}`;
  if (paths.length === 0 && causes.length === 0) {
    return `No pods, so no path can be tried${next}`;
  }
  if (report.passed) {
    return `All ${paths.length} paths are as expected${next}`;
  }
  const unready = names(report.nodes);
  const nameless = names(report.dns);
  const counts = [
    ...(unready === "" ? [] : [`Ready of ${unready}`]),
    ...(wrong > 0 ? [`${wrong} of ${paths.length} paths`] : []),
    ...(podless.length > 0
      ? [`the pods on ${podless.map(({ node }) => node).join(", ")}`]
      : []),
    ...(nameless === "" ? [] : [`DNS on ${nameless}`]),
  ];
  const many = causes.length === 1 ? "1 cause" : `${causes.length} causes`;
  return `Not as expected: ${counts.join(" and ")}; ${many} above`;
}

/** The nodes of which something is not as expected. */
function names(
  found: readonly { node: string; asExpected: boolean }[] | undefined,
): string {
  return (found ?? []).filter(({ asExpected }) => !asExpected)
    .map(({ node }) => node).join(", ");
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

interface Row {
  readonly label: string;
  readonly cells: readonly string[];
}

function grid(report: MatrixReport, options: TableOptions): string[] {
  const columns = report.pods.map(({ node }) => node);
  if (columns.length === 0) return [];
  const unmarked = (cells: readonly string[]) =>
    options.marks === undefined
      ? cells
      : cells.map((cell) => " ".repeat(markSign.length) + cell);
  const plain = ({ label, cells }: Row) => ({ label, cells: unmarked(cells) });
  const rows: Row[] = [
    { label: "", cells: unmarked(columns) },
    ...ofNodes("node Ready", report.nodes, columns, nodeCell).map(plain),
    { label: "test pods", cells: unmarked(report.pods.map(podsCell)) },
    ...pathKinds.flatMap((kind) => kindRows(kind, columns, report, options)),
    ...ofNodes("pod → DNS", report.dns, columns, dnsCell).map(plain),
  ];
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
  options: TableOptions,
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
  options: TableOptions,
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
  { marks }: TableOptions,
): string {
  if (marks === undefined) return "";
  const marked = paths.some((path) =>
    columnOf(path) === column && marks.has(path)
  );
  return marked ? markSign : " ".repeat(markSign.length);
}

function emphasized(cell: string, { marks }: TableOptions): string {
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

function nodeCell({ ready, waitsFor, cause }: NodeReport): string {
  if (ready) return "yes";
  return waitsFor === undefined
    ? `✗ no [${cause}]`
    : `no, until ${short(waitsFor)}`;
}

function dnsCell({ asExpected, cause }: DnsReport): string {
  return asExpected ? "yes" : `✗ no [${cause}]`;
}

function podsCell({ waitsFor, asExpected, cause }: PodsReport): string {
  if (waitsFor !== undefined) return `no pods, until ${short(waitsFor)}`;
  return asExpected ? "yes" : `✗ no [${cause}]`;
}

function cell(
  path: PathReport,
  report: MatrixReport,
  options: TableOptions,
): string {
  if (!path.asExpected) {
    return `✗ ${observedWords(path, options)} [${path.cause}]`;
  }
  const { expected } = path;
  if (expected.answer === "no") return noWords(opener(expected), report);
  return observedWords(path, options);
}

/** "no, until 08", and on which nodes where others have it already. */
function noWords({ stage, on }: Missing, { complete }: MatrixReport): string {
  const someHaveIt = Object.values(complete)
    .some((stages) => stages.includes(stage));
  const where = someHaveIt ? ` on ${on.join(", ")}` : "";
  return `no, until ${short(stage)}${where}`;
}

function short(stage: StageName): string {
  return stage.slice(0, 2);
}

/** What was seen of a path, as a table says it. */
export function observedWords(
  path: PathReport,
  options: Pick<TableOptions, "addresses">,
): string {
  const { observed } = path;
  if (observed.answer === "untried") return "not tried";
  if (observed.answer === "no") return "no";
  return path.asExpected && !kindsWithSource.has(path.kind)
    ? "yes"
    : `yes, as ${seen(path, observed.source, options)}`;
}

/** What was expected of a path, as a table says it. */
export function expectedWords(
  path: PathReport,
  report: MatrixReport,
  options: Pick<TableOptions, "addresses">,
): string {
  const { expected, expectedSource } = path;
  if (expected.answer === "no") return noWords(opener(expected), report);
  if (expectedSource === undefined) return "yes";
  return `yes, as ${seen(path, expectedSource, options)}`;
}

function seen(
  path: PathReport,
  source: string,
  { addresses }: Pick<TableOptions, "addresses">,
): string {
  const own = addresses.get(path.family);
  return own === undefined ? source : whose(path, source, own);
}

/** A cause: what it explains, its evidence, and what mends it. */
function note(
  cause: MatrixReport["causes"][number],
  report: MatrixReport,
  options: TableOptions,
): string {
  const { cluster } = options;
  const both = cluster.clusterCIDRs.length > 1;
  const lines = [`[${cause.number}] ${cause.what}`];
  for (const pods of report.pods) {
    if (pods.cause !== cause.number) continue;
    lines.push(`    test pods on ${pods.node}: expected yes, saw no`);
  }
  for (const { node, cause: number } of report.nodes ?? []) {
    if (number !== cause.number) continue;
    lines.push(`    node ${node}: expected Ready, saw NotReady`);
  }
  for (const { node, cause: number } of report.dns ?? []) {
    if (number !== cause.number) continue;
    lines.push(`    pod → DNS, ${node}: expected an address, saw none`);
  }
  const explained = report.paths.filter((path) => path.cause === cause.number);
  for (const path of explained) {
    const { observed } = path;
    if (observed.answer === "untried") continue;
    const more = observed.answer === "no" ? observed.said : observed.source;
    lines.push(
      `    ${labels[path.kind]}, ${path.from} → ${path.to}${
        both ? `, IPv${path.family}` : ""
      }: expected ${expectedWords(path, report, options)}; saw ` +
        `${observedWords(path, options)} (${more})`,
    );
  }
  const untried = explained
    .filter(({ observed }) => observed.answer === "untried").length;
  if (untried > 0) {
    const paths = untried === 1 ? "1 path" : `${untried} paths`;
    lines.push(`    ${paths} could not be tried without it`);
  }
  for (const { where, command, printed } of cause.evidence) {
    lines.push(`    ${where}$ ${command}`);
    lines.push(...printed.split("\n").map((line) => `      ${line}`));
  }
  for (const command of cause.mend) {
    lines.push(`    mend: ${forCluster(command, cluster)}`);
  }
  return lines.join("\n");
}

/** A command of ours, told which cluster it is about where that is not the default. */
function forCluster(command: string, { file }: Cluster): string {
  if (file === "config/lab.yaml") return command;
  if (command.startsWith("scripts/")) {
    return command.replace(" ", ` --cluster ${file} `);
  }
  if (!command.startsWith("make ")) return command;
  return command.includes('ARGS="')
    ? command.replace('ARGS="', `ARGS="--cluster ${file} `)
    : `${command} ARGS="--cluster ${file}"`;
}
