/** What Kubernetes' own view adds to the matrix: nodes that are Ready, names that resolve. */
import type { Cluster } from "../cluster/cluster.ts";
import type { RunOptions } from "../exec/command.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { dnsFault, nodeFault } from "../kubernetes/faults.ts";
import type { StageName } from "../stage/stage.ts";
import type { StageProgress } from "./expected.ts";
import {
  dns_ms,
  readResolved,
  resolve,
  type Resolved,
} from "./kubernetes_dns.ts";
import { execOn } from "./kubernetes_pods.ts";
import { workersOf } from "./matrix.ts";
import { caller } from "./namespace_pods.ts";
import type { Situation } from "./situation.ts";

/** Whether Kubernetes calls a node Ready. */
export interface NodeTried {
  readonly node: string;
  readonly ready: boolean;
  /** The stage before which it cannot be. */
  readonly waitsFor?: StageName;
  readonly cause?: Cause;
}

/**
 * What Kubernetes says of the nodes; one without a CNI configuration is not
 * expected to be Ready.
 */
export function tryNodes(
  { cluster, progress, kubernetes }: Situation,
  selected: readonly string[],
): readonly NodeTried[] {
  if (kubernetes === undefined) return [];
  const { seen, controlPlane } = kubernetes;
  return cluster.nodes.map(({ name }) => name)
    .filter((name) => selected.includes(name))
    .map((node): NodeTried => {
      const cause = nodeFault(node, seen, controlPlane.name);
      if (cause === undefined) return { node, ready: true };
      const configured = progress.complete.get(node)
        ?.includes("03-cni-config") ?? false;
      return configured
        ? { node, ready: false, cause }
        : { node, ready: false, waitsFor: "03-cni-config" };
    });
}

/** What became of a name in a worker's pod. */
export interface DnsTried {
  readonly node: string;
  readonly resolved: Resolved;
  /** Why not, if so. */
  readonly cause?: Cause;
}

/**
 * Whether the pods of every node should reach those of all others: the DNS
 * server may be on any.
 */
export function isRouted(
  { nodes }: Cluster,
  { complete }: StageProgress,
): boolean {
  return nodes.every(({ name }) =>
    (["06-forwarding", "08-routes"] as const)
      .every((stage) => complete.get(name)?.includes(stage))
  );
}

/**
 * Resolves a name in each selected worker's pod, where the cluster has DNS and
 * every stage that it needs is complete.
 */
export async function tryDns(
  situation: Situation,
  selected: readonly string[],
  callers: ReadonlyMap<string, string>,
  options: RunOptions,
): Promise<readonly DnsTried[]> {
  const { cluster, kubernetes, progress } = situation;
  if (kubernetes?.dns !== "ready") return [];
  if (!isRouted(cluster, progress)) return [];
  const { controlPlane } = kubernetes;
  const nodes = workersOf(cluster).map(({ name }) => name)
    .filter((name) => selected.includes(name) && callers.has(name));
  const limits = { ...options, timeout_ms: dns_ms + 10_000 };
  return await Promise.all(nodes.map(async (node): Promise<DnsTried> => {
    const inside = execOn(controlPlane, caller, node);
    const resolved = readResolved(await inside.run(resolve(), limits));
    if (resolved.answer === "yes") return { node, resolved };
    const cause = dnsFault(
      node,
      "nslookup kubernetes.default",
      resolved.said,
      controlPlane.name,
    );
    return { node, resolved, cause };
  }));
}

/** What one should know of names that were not tried. */
export function dnsRemarks({ kubernetes }: Situation): readonly string[] {
  switch (kubernetes?.dns) {
    case "none":
      return [
        "The cluster has no DNS (no service kube-dns), so no name was tried",
      ];
    case "not ready":
      return [
        "The cluster's DNS has no endpoint that is ready, so no name was tried",
      ];
    default:
      return [];
  }
}
