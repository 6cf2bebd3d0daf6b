/**
 * The matrix of stage 09: which paths a cluster has, whose address the receiver
 * of each must see, and how what was seen compares. Pure.
 */
import { gateway } from "../net/cidr.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import type { StageName } from "../stage/stage.ts";

/** The kinds of path, in the order in which they are shown. */
export const pathKinds = [
  "pod-to-own-node",
  "pod-to-other-node",
  "pod-to-pod-same-node",
  "pod-to-pod-other-node",
  "pod-to-outside",
  "node-to-own-pod",
  "node-to-other-pod",
] as const;

/** A kind of path. */
export type PathKind = typeof pathKinds[number];

/** Stands for the host outside the cluster where a node's name could stand. */
export const outside = "outside";

/**
 * One way through the network: from a pod or a node on `from` to a pod, a node
 * or the host on `to`.
 */
export interface Path {
  readonly kind: PathKind;
  /** A node's name. */
  readonly from: string;
  /** A node's name, or "outside". */
  readonly to: string;
}

/** A stage that a path still waits for, and the nodes on the path that lack it. */
export interface Missing {
  readonly stage: StageName;
  readonly on: readonly [string, ...string[]];
}

/** What is expected of a path. */
export type Expected =
  /** An answer, and whose address the receiver sees. */
  | { readonly answer: "yes"; readonly as: "pod" | "node" }
  /** None before each of these stages is complete; in the stages' order. */
  | {
    readonly answer: "no";
    readonly missing: readonly [Missing, ...Missing[]];
  };

/** What was seen of a path. */
export type Observed =
  /** An answer; the receiver saw this address. */
  | { readonly answer: "yes"; readonly source: string }
  /** None; what the client said of it. */
  | { readonly answer: "no"; readonly said: string }
  /** There was nothing to try it with. */
  | { readonly answer: "untried"; readonly why: string };

/** The addresses that a receiver can see. */
export interface Addresses {
  /** By node. */
  readonly nodes: ReadonlyMap<string, string>;
  /** By node: all that its links have; absent where nodes were not asked. */
  readonly held?: ReadonlyMap<string, readonly string[]>;
  /** By node: the bridge's, which the node uses towards its own pods. */
  readonly gateways: ReadonlyMap<string, string>;
  /** By node: the pod that calls. */
  readonly callers: ReadonlyMap<string, string>;
  /** By node: as whom a page beyond sees the node itself, which further NAT may have changed. */
  readonly beyond?: ReadonlyMap<string, string>;
}

/** A path that was looked at. */
export interface Tried {
  readonly path: Path;
  readonly expected: Expected;
  /** The address that the receiver must see, where an answer is expected. */
  readonly expectedSource: string | undefined;
  /** Others that are as right: the node's further addresses. */
  readonly otherSources?: readonly string[];
  readonly observed: Observed;
  /** How long it was given, where it answered only at the second try. */
  readonly slow_ms?: number;
}

/** The nodes that get pods. */
export function workersOf(cluster: Cluster): readonly ClusterNode[] {
  return cluster.nodes.filter(({ role }) => role === "worker");
}

/** Whether the path starts at a pod; else it starts at a node. */
export function startsAtPod({ kind }: Pick<Path, "kind">): boolean {
  return kind.startsWith("pod-");
}

/** Whether the path ends at a pod. */
export function endsAtPod({ kind }: Path): boolean {
  return kind.includes("-to-pod-") || kind.endsWith("-pod");
}

/**
 * The worker in whose column a path is shown: where its pod is, the calling one
 * if both ends are pods.
 */
export function columnOf(path: Path): string {
  return startsAtPod(path) ? path.from : path.to;
}

/** The end of the path that is not the column's. */
export function otherEndOf(path: Path): string {
  return startsAtPod(path) ? path.to : path.from;
}

/**
 * All paths between pods on these nodes, the cluster's nodes and the outside,
 * by kind, then column, then other end.
 *
 * @param withPods the names of the nodes that have pods
 */
export function allPaths(
  cluster: Cluster,
  withPods: ReadonlySet<string>,
): readonly Path[] {
  const columns = workersOf(cluster).map(({ name }) => name)
    .filter((name) => withPods.has(name));
  const names = cluster.nodes.map(({ name }) => name);
  return pathKinds.flatMap((kind) =>
    columns.flatMap((own) => {
      const others = names.filter((name) => name !== own);
      return otherEnds(kind, own, others, withPods).map((other) =>
        kind.startsWith("pod-")
          ? { kind, from: own, to: other }
          : { kind, from: other, to: own }
      );
    })
  );
}

/**
 * The same paths, by where they start: from each pod in turn, then from each
 * node. There are n² of all nodes, and 2n of one place.
 *
 * @param withPods as allPaths() takes it
 */
export function* pathsFrom(
  cluster: Cluster,
  withPods: ReadonlySet<string>,
): Generator<readonly Path[]> {
  const columns = workersOf(cluster).map(({ name }) => name)
    .filter((name) => withPods.has(name));
  const names = cluster.nodes.map(({ name }) => name);
  const kinds = Map.groupBy(pathKinds, (kind) => startsAtPod({ kind }));
  for (const from of columns) {
    const others = names.filter((name) => name !== from);
    yield (kinds.get(true) ?? []).flatMap((kind) =>
      otherEnds(kind, from, others, withPods)
        .map((to): Path => ({ kind, from, to }))
    );
  }
  // In the order in which allPaths() comes to them.
  for (const from of new Set([...columns, ...names])) {
    yield (kinds.get(false) ?? []).flatMap((kind) =>
      columns.filter((to) => (to === from) === (kind === "node-to-own-pod"))
        .map((to): Path => ({ kind, from, to }))
    );
  }
}

function otherEnds(
  kind: PathKind,
  own: string,
  others: readonly string[],
  withPods: ReadonlySet<string>,
): readonly string[] {
  switch (kind) {
    case "pod-to-own-node":
    case "pod-to-pod-same-node":
    case "node-to-own-pod":
      return [own];
    case "pod-to-other-node":
    case "node-to-other-pod":
      return others;
    case "pod-to-pod-other-node":
      return others.filter((name) => withPods.has(name));
    case "pod-to-outside":
      return [outside];
  }
}

/**
 * The stage that turns a "no" to "yes" when the stages are run in their order:
 * the last one that the path waits for.
 */
export function opener(
  expected: Expected & { readonly answer: "no" },
): Missing {
  return expected.missing.at(-1) ?? expected.missing[0];
}

/**
 * The addresses that the receiver may see, the usual one first: any address of
 * a node is that node, whichever its routes make it send as.
 *
 * @returns none where they are not known, or no answer is expected
 */
export function sourcesOf(
  { kind, from }: Path,
  expected: Expected,
  { callers, gateways, nodes, beyond, held }: Addresses,
): readonly string[] {
  if (expected.answer === "no") return [];
  const usual = expected.as === "pod"
    ? callers.get(from)
    : kind === "node-to-own-pod"
    ? gateways.get(from)
    : (kind === "pod-to-outside" ? beyond?.get(from) : undefined) ??
      nodes.get(from);
  const others = expected.as === "pod" ? [] : held?.get(from) ?? [];
  return [...new Set([...usual === undefined ? [] : [usual], ...others])];
}

/**
 * The bridge's address on a node, without its prefix length.
 *
 * @returns undefined before stage 02 has found out the node's podCIDR
 */
export function gatewayAddress(node: ClusterNode): string | undefined {
  const [podCIDR] = node.podCIDRs;
  return podCIDR === undefined ? undefined : gateway(podCIDR).split("/")[0];
}

/** Whether what was seen is what was expected, the address that the receiver saw included. */
export function isAsExpected(
  { expected, observed, expectedSource, otherSources = [] }: Tried,
): boolean {
  if (expected.answer === "no") return observed.answer === "no";
  return observed.answer === "yes" &&
    [expectedSource, ...otherSources].includes(observed.source);
}

/**
 * Whose address a receiver saw, in words: "the pod", "the node",
 * "node worker-2", or the address itself.
 */
export function whose(
  path: Path,
  source: string,
  { callers, nodes, gateways, held, beyond }: Addresses,
): string {
  if (source === callers.get(path.from)) return "the pod";
  if (path.kind === "pod-to-outside" && source === beyond?.get(path.from)) {
    return "the node";
  }
  const has = (node: string) =>
    nodes.get(node) === source || gateways.get(node) === source ||
    (held?.get(node) ?? []).includes(source);
  // An address that several nodes have, as docker0's, is the sender's first.
  const node = [path.from, ...nodes.keys(), ...gateways.keys()].find(has);
  if (node === undefined) return source;
  if (node !== path.from) return `node ${node}`;
  return startsAtPod(path) ? "the node" : "that node";
}
