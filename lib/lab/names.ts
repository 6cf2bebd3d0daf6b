/** What the machines of a lab, their links and their processes are called. */
import type { Cluster } from "../cluster/cluster.ts";
import { digest } from "../net/mac.ts";

/** The name, among a lab's machines, of the host outside the cluster; no node may have it. */
export const outsideName = "outside";

/**
 * Names a lab among all of the computer: two copies of the project may each
 * have a cluster of one name.
 */
export function labId(cluster: Pick<Cluster, "name" | "stateDir">): string {
  return `${cluster.name}-${digest(cluster.stateDir)}`;
}

/** What a lab's segment is called where it is a bridge: by its place among the segments. */
export function bridgeName(at: number): string {
  return at === 0 ? "segment" : `segment-${at + 1}`;
}

/** The segment's port for a node: a link's name has at most 15 bytes (IFNAMSIZ). */
export function portName(node: string): string {
  const taken = /^(segment(-\d+)?|lo|(port-)?eth\d+)$/.test(node);
  return node.length <= 15 && !taken ? node : `port-${digest(node)}`;
}
