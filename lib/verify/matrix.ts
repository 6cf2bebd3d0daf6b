/**
 * The matrix of stage 09: which paths a cluster has, what is expected of each
 * after the stages that the nodes' journals call complete, and how what was
 * seen compares. Pure.
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

/** One way through the network, from a pod or a node on `from` to a pod, a node or the host on `to`. */
export interface Path {
  readonly kind: PathKind;
  /** A node's name. */
  readonly from: string;
  /** A node's name, or "outside". */
  readonly to: string;
}

/** What is known of the nodes before anything is tried. */
export interface StageProgress {
  /** The stages that each node's journal calls complete. */
  readonly complete: ReadonlyMap<string, readonly StageName[]>;
  /**
   * The nodes whose kernel never shows bridged frames to iptables: they have
   * no /proc/sys/net/bridge, since br_netfilter is not loaded.
   */
  readonly unfiltered: ReadonlySet<string>;
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
  /** The address that the receiver must see, where an answer is expected and the address is known. */
  readonly expectedSource: string | undefined;
  readonly observed: Observed;
}

/** The nodes that get pods. */
export function workersOf(cluster: Cluster): readonly ClusterNode[] {
  return cluster.nodes.filter(({ role }) => role === "worker");
}

/** Whether the path starts at a pod; else it starts at a node. */
export function startsAtPod({ kind }: Path): boolean {
  return kind.startsWith("pod-");
}

/** Whether the path ends at a pod. */
export function endsAtPod({ kind }: Path): boolean {
  return kind.includes("-to-pod-") || kind.endsWith("-pod");
}

/** The worker in whose column a path is shown: where its pod is, the calling one if both ends are pods. */
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

/** The first stage that a node still lacks to have pods; undefined when it can have them. */
export function podsWaitFor(
  progress: StageProgress,
  node: string,
): StageName | undefined {
  const needed = ["03-cni-config", "04-bridge", "05-plugin"] as const;
  return needed.find((stage) => !isComplete(progress, stage, node));
}

/**
 * What is expected of a path between nodes that can have pods, by the table
 * "What must be seen after which stage": no node forwards before 06, the way
 * back to a pod is known by 07's rewriting or 08's routes, and only what leaves
 * the cluster is rewritten.
 */
export function expect(path: Path, progress: StageProgress): Expected {
  const { kind, from, to } = path;
  const has = (stage: StageName, node: string) =>
    isComplete(progress, stage, node);
  switch (kind) {
    case "pod-to-own-node":
      return { answer: "yes", as: "pod" };
    case "node-to-own-pod":
      return { answer: "yes", as: "node" };
    case "pod-to-pod-same-node":
      return progress.unfiltered.has(from)
        ? { answer: "yes", as: "pod" }
        : unlessMissing(progress, [["06-forwarding", from]], "pod");
    case "pod-to-other-node": {
      // The other node answers a pod by its route, and a node in any case.
      const routed = has("08-routes", to) && !has("07-masquerade", from);
      return unlessMissing(
        progress,
        [["06-forwarding", from], ...rewrittenUnless(routed, from)],
        routed ? "pod" : "node",
      );
    }
    case "pod-to-pod-other-node":
      return unlessMissing(progress, [
        ["06-forwarding", from],
        ["06-forwarding", to],
        ["08-routes", from],
        ["08-routes", to],
      ], "pod");
    case "pod-to-outside":
      return unlessMissing(
        progress,
        [["06-forwarding", from], ["07-masquerade", from]],
        "node",
      );
    case "node-to-other-pod":
      return unlessMissing(
        progress,
        [["06-forwarding", to], ["08-routes", from]],
        "node",
      );
  }
}

type Need = readonly [stage: StageName, node: string];

function rewrittenUnless(routed: boolean, node: string): readonly Need[] {
  return routed ? [] : [["07-masquerade", node]];
}

/** Yes, unless something that it needs is missing. The needs stand in the stages' order. */
function unlessMissing(
  progress: StageProgress,
  needs: readonly Need[],
  as: "pod" | "node",
): Expected {
  const missing: Missing[] = [];
  for (const [stage, node] of needs) {
    if (isComplete(progress, stage, node)) continue;
    const last = missing.at(-1);
    if (last?.stage === stage) {
      missing[missing.length - 1] = { stage, on: [...last.on, node] };
    } else missing.push({ stage, on: [node] });
  }
  const [first, ...more] = missing;
  return first === undefined
    ? { answer: "yes", as }
    : { answer: "no", missing: [first, ...more] };
}

function isComplete(
  { complete }: StageProgress,
  stage: StageName,
  node: string,
): boolean {
  return complete.get(node)?.includes(stage) ?? false;
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

/** The address that the receiver must see; undefined where it is not known, or no answer is expected. */
export function expectedSource(
  path: Path,
  expected: Expected,
  addresses: Addresses,
): string | undefined {
  if (expected.answer === "no") return undefined;
  if (expected.as === "pod") return addresses.callers.get(path.from);
  if (path.kind === "node-to-own-pod") return addresses.gateways.get(path.from);
  const beyond = path.kind === "pod-to-outside"
    ? addresses.beyond?.get(path.from)
    : undefined;
  return beyond ?? addresses.nodes.get(path.from);
}

/** The bridge's address on a node, without its prefix length; undefined before 02 has found out its podCIDR. */
export function gatewayAddress(node: ClusterNode): string | undefined {
  const [podCIDR] = node.podCIDRs;
  return podCIDR === undefined ? undefined : gateway(podCIDR).split("/")[0];
}

/** Whether what was seen is what was expected, the address that the receiver saw included. */
export function isAsExpected(tried: Tried): boolean {
  const { expected, observed } = tried;
  if (expected.answer === "no") return observed.answer === "no";
  return observed.answer === "yes" && observed.source === tried.expectedSource;
}

/** Whose address a receiver saw, in words: "the pod", "the node", "node worker-2", or the address itself. */
export function whose(
  path: Path,
  source: string,
  addresses: Addresses,
): string {
  if (source === addresses.callers.get(path.from)) return "the pod";
  if (
    path.kind === "pod-to-outside" &&
    source === addresses.beyond?.get(path.from)
  ) return "the node";
  for (const table of [addresses.nodes, addresses.gateways]) {
    for (const [node, address] of table) {
      if (address !== source) continue;
      if (node !== path.from) return `node ${node}`;
      return startsAtPod(path) ? "the node" : "that node";
    }
  }
  return source;
}
