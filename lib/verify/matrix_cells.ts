/** Stage 09's findings in words, a cell at a time. Pure. */
import type { Family } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import {
  type Addresses,
  type Missing,
  opener,
  type PathKind,
  whose,
} from "./matrix.ts";
import type {
  DnsReport,
  HairpinReport,
  HostPortReport,
  MatrixReport,
  NodeReadiness,
  PathReport,
  PodsReport,
} from "./matrix_report.ts";
import type { StageName } from "../stage/stage.ts";

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

/** Stands before what is marked. */
export const markSign = "▸ ";

/** How what is seen of paths is marked. */
export interface Marks {
  readonly has: (path: PathReport) => boolean;
  /** What makes something marked stand out besides its sign. */
  readonly emphasize: (text: string) => string;
}

/**
 * The kinds of path whose receiver could see more than one address, each of
 * them right at some stage.
 */
const kindsWithSource: ReadonlySet<PathKind> = new Set([
  "pod-to-other-node",
  "pod-to-pod-other-node",
  "pod-to-outside",
  "node-to-other-pod",
]);

/** What the words of a table need besides the report. */
export interface WordOptions {
  readonly cluster: Cluster;
  /** By family. */
  readonly addresses: ReadonlyMap<Family, Addresses>;
}

/** Whether a node is Ready, in a cell. */
export function nodeCell({ ready, waitsFor, cause }: NodeReadiness): string {
  if (ready) return "yes";
  return waitsFor === undefined
    ? `✗ no [${cause}]`
    : `no, until ${short(waitsFor)}`;
}

/** Whether a name was resolved, in a cell. */
export function dnsCell({ asExpected, cause }: DnsReport): string {
  return asExpected ? "yes" : `✗ no [${cause}]`;
}

/** Whether a pod reaches itself by a service, in a cell. */
export function hairpinCell(
  { answered, asExpected, cause }: HairpinReport,
): string {
  if (answered) return "yes";
  return asExpected ? "no, hairpin is off" : `✗ no [${cause}]`;
}

/** Whether a port of the node leads to a pod, in a cell; or what keeps it from being tried. */
export function hostPortCell(
  { answered, asExpected, cause }: HostPortReport,
): string {
  if (answered === undefined) return "no portmap";
  return asExpected ? "yes" : `✗ no [${cause}]`;
}

/** Whether a worker's test pods are there, in a cell. */
export function podsCell({ waitsFor, asExpected, cause }: PodsReport): string {
  if (waitsFor !== undefined) return `no pods, until ${short(waitsFor)}`;
  return asExpected ? "yes" : `✗ no [${cause}]`;
}

/** What came of a path, in a cell; what is not as expected begins with ✗. */
export function cell(
  path: PathReport,
  report: MatrixReport,
  options: WordOptions,
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
  options: Pick<WordOptions, "addresses">,
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
  options: Pick<WordOptions, "addresses">,
): string {
  const { expected, expectedSource } = path;
  if (expected.answer === "no") return noWords(opener(expected), report);
  if (expectedSource === undefined) return "yes";
  return `yes, as ${seen(path, expectedSource, options)}`;
}

function seen(
  path: PathReport,
  source: string,
  { addresses }: Pick<WordOptions, "addresses">,
): string {
  const own = addresses.get(path.family);
  return own === undefined ? source : whose(path, source, own);
}
