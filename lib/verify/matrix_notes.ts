/** The causes in stage 09's findings, as text for people. Pure. */
import { causeLines } from "../diagnosis/cause.ts";
import { alikeCauses } from "./alike_causes.ts";
import { pathsInWords } from "./many_paths.ts";
import { someNames } from "../text/some_names.ts";
import type {
  MatrixReport,
  OthersReport,
  PathReport,
} from "./matrix_report.ts";
import {
  expectedWords,
  labels,
  observedWords,
  type WordOptions,
} from "./matrix_cells.ts";

/** A cause: what it explains, its evidence, and what mends it. */
export function note(
  cause: MatrixReport["causes"][number],
  report: MatrixReport,
  options: NoteOptions,
): string {
  const lines = [
    `[${cause.number}] ${cause.what}`,
    ...explainedNodes(cause, report, options),
    ...explainedPaths(cause, report, options),
  ];
  lines.push(...causeLines(cause).map((line) => `    ${line}`));
  return lines.join("\n");
}

/**
 * All causes; where they are folded, of those that are the same on many nodes
 * one, and the numbers and nodes of the others.
 */
export function notes(
  report: MatrixReport,
  options: NoteOptions,
): readonly string[] {
  const { causes } = report;
  if (!options.folded) {
    return causes.map((cause) => note(cause, report, options));
  }
  return alikeCauses(causes).flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const numbers = someNames(others.map(({ number }) => `[${number}]`));
    const nodes = someNames([...new Set(others.map(({ on }) => on))]);
    return [
      note(first, report, options),
      ...(others.length === 0
        ? []
        : [`${numbers}: the same as [${first.number}], on ${nodes}`]),
    ];
  });
}

/** As many groups of paths stand in a line. */
const few = 3;

type Numbered = MatrixReport["causes"][number];

/** What the words of a note need besides the report. */
interface NoteOptions extends WordOptions {
  /** Whether paths and nodes of one kind are told of in one line. */
  readonly folded?: boolean;
}

/** What is not as expected of nodes by a cause. */
function explainedNodes(
  { number }: Numbered,
  report: MatrixReport,
  { folded = false }: NoteOptions,
): readonly string[] {
  const by = <Found extends { readonly cause?: number }>(
    found: readonly Found[] | undefined,
  ) => (found ?? []).filter(({ cause }) => cause === number);
  const told = (
    found:
      | readonly { readonly node: string; readonly cause?: number }[]
      | undefined,
    words: (node: string) => string,
  ) => {
    const names = by(found).map(({ node }) => node);
    if (!folded) return names.map(words);
    return names.length === 0 ? [] : [words(someNames(names))];
  };
  return [
    ...told(
      report.pods,
      (node) => `test pods on ${node}: expected yes, saw no`,
    ),
    ...told(
      report.nodes,
      (node) => `node ${node}: expected Ready, saw NotReady`,
    ),
    ...told(
      report.dns,
      (node) => `pod → DNS, ${node}: expected an address, saw none`,
    ),
    ...told(
      report.hairpin,
      (node) => `pod → own service, ${node}: expected yes, saw no`,
    ),
    ...told(
      report.hostPorts,
      (node) => `hostPort → pod, ${node}: expected yes, saw no`,
    ),
    ...by(report.others).map(othersWords),
    ...told(
      report.long,
      (node) => `long packets of pods on ${node}: expected to arrive, are lost`,
    ),
  ].map((line) => `    ${line}`);
}

/** What is not as expected of paths by a cause. */
function explainedPaths(
  { number }: Numbered,
  report: MatrixReport,
  options: NoteOptions,
): readonly string[] {
  const explained = report.paths.filter(({ cause }) => cause === number);
  const tried = explained
    .filter(({ observed }) => observed.answer !== "untried");
  const lines = options.folded
    ? foldedPaths(tried, report, options)
    : tried.map((path) =>
      pathWords(path, `${path.from} → ${path.to}`, report, options)
    );
  const untried = explained.length - tried.length;
  return [
    ...lines,
    ...(untried === 0 ? [] : [
      `${untried === 1 ? "1 path" : `${untried} paths`} ` +
      "could not be tried without it",
    ]),
  ].map((line) => `    ${line}`);
}

/** Paths that are told of in the same words, together. */
function foldedPaths(
  tried: readonly PathReport[],
  report: MatrixReport,
  options: NoteOptions,
): readonly string[] {
  const groups = Map.groupBy(
    tried,
    (path) => pathWords(path, "", report, options),
  );
  return [...groups.values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined) return [];
    const { kind, family } = first;
    const all = report.paths.filter((path) =>
      path.kind === kind && path.family === family
    );
    const which = pathsInWords(own, all, few).join("; ") || "all";
    return [pathWords(first, which, report, options)];
  });
}

function pathWords(
  path: PathReport,
  which: string,
  report: MatrixReport,
  options: NoteOptions,
): string {
  const { kind, family, observed } = path;
  if (observed.answer === "untried") throw new TypeError("it was not tried");
  const more = observed.answer === "no" ? observed.said : observed.source;
  const both = options.cluster.clusterCIDRs.length > 1;
  return `${labels[kind]}, ${which}${both ? `, IPv${family}` : ""}: expected ${
    expectedWords(path, report, options)
  }; saw ${observedWords(path, options)} (${more})`;
}

function othersWords(
  { node, cutOff, heldTwice, withoutLease }: OthersReport,
): string {
  const pods = `other pods on ${node}: expected`;
  if (heldTwice > 0) {
    return `${pods} an address each, saw ${heldTwice} held twice`;
  }
  return withoutLease > 0
    ? `${pods} a lease each, saw ${withoutLease} without`
    : `${pods} all plugged in, saw ${cutOff} that ${
      cutOff === 1 ? "is" : "are"
    } not`;
}
