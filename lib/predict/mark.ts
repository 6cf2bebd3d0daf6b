/**
 * What a learner may say of the matrix before a stage runs: a mark for each
 * kind of path. Pure.
 */
import type { Cluster } from "../cluster/cluster.ts";
import {
  allPaths,
  gatewayAddress,
  type PathKind,
  pathKinds,
  workersOf,
} from "../verify/matrix.ts";
import { labels } from "../verify/matrix_cells.ts";
import type { MatrixReport, PathReport } from "../verify/matrix_report.ts";
import { caller } from "../verify/namespace_pods.ts";

/** What a mark can say, and its words. */
export const markWords = {
  no: "no",
  yes: "yes",
  pod: "yes, as the pod",
  node: "yes, as the node",
  some: "in part",
} as const;

/** What is said of a kind of path. */
export type Mark = keyof typeof markWords;

/** What is said of the kinds of path; of some nothing may be said. */
export type Prediction = Readonly<Partial<Record<PathKind, Mark>>>;

/** A kind of path that can be marked. */
export interface MarkRow {
  readonly kind: PathKind;
  readonly label: string;
  /** The marks that it can have. */
  readonly choices: readonly Mark[];
  /** How it is now; a path that there is nothing to try with is a "no". */
  readonly now: Mark | "other";
}

/** The kinds whose receiver may see the pod, or another address in its place. */
const withSource: ReadonlySet<PathKind> = new Set([
  "pod-to-other-node",
  "pod-to-pod-other-node",
  "pod-to-outside",
]);

/** Whether an answer of this kind tells whose address the receiver saw. */
export function hasSource(kind: PathKind): boolean {
  return withSource.has(kind);
}

/**
 * The kinds of path that a cluster has once all of its workers have pods.
 *
 * @param now the matrix as it is; undefined where none was tried yet
 */
export function markRows(
  cluster: Cluster,
  now: MatrixReport | undefined,
): readonly MarkRow[] {
  const workers = new Set(workersOf(cluster).map(({ name }) => name));
  const paths = allPaths(cluster, workers);
  return pathKinds.flatMap((kind): MarkRow[] => {
    const { length } = paths.filter((path) => path.kind === kind);
    if (length === 0) return [];
    const yes: readonly Mark[] = hasSource(kind) ? ["pod", "node"] : ["yes"];
    return [{
      kind,
      label: labels[kind],
      choices: ["no", ...yes, ...(length > 1 ? ["some"] as const : [])],
      now: now === undefined ? "no" : outcomeOf(kind, now, cluster),
    }];
  });
}

/** What a matrix has of a kind of path; "other" where a third address was seen. */
export function outcomeOf(
  kind: PathKind,
  report: MatrixReport,
  cluster: Cluster,
): Mark | "other" {
  const found = new Set(
    report.paths.filter((path) => path.kind === kind)
      .map((path) => markOf(path, report, cluster)),
  );
  const [one = "no", ...more] = found;
  return more.length === 0 ? one : "some";
}

/** What was seen of a path. */
function markOf(
  { kind, from, observed, expected, asExpected }: PathReport,
  { pods }: MatrixReport,
  { nodes }: Cluster,
): Mark | "other" {
  if (observed.answer !== "yes") return "no";
  if (!hasSource(kind)) return "yes";
  const { source } = observed;
  const own = pods.find(({ node }) => node === from)?.addresses[caller] ?? [];
  if (own.includes(source)) return "pod";
  // Beyond further NAT a node is seen by another address than its own.
  if (asExpected && expected.answer === "yes") return expected.as;
  const isNodes = nodes.some((node) =>
    node.addresses.includes(source) || gatewayAddress(node) === source
  );
  return isNodes ? "node" : "other";
}
