/** What the machines of a lab, their links and their processes are called. */
import type { Cluster } from "../cluster/cluster.ts";

/** The name, among a lab's machines, of the host outside the cluster; no node may have it. */
export const outsideName = "outside";

/**
 * Names a lab among all of the computer: two copies of the project may each
 * have a cluster of one name.
 */
export function labId(cluster: Pick<Cluster, "name" | "stateDir">): string {
  return `${cluster.name}-${hex(digest(cluster.stateDir))}`;
}

/** The segment's port for a node: a link's name has at most 15 bytes (IFNAMSIZ). */
export function portName(node: string): string {
  const taken = node === "segment" || node === "lo";
  return node.length <= 15 && !taken ? node : `port-${hex(digest(node))}`;
}

/** A locally administered MAC address (IEEE 802, the second bit), always the same for a name. */
export function mac(name: string): string {
  return `02:dc:${hex(digest(name)).replace(/..(?!$)/g, "$&:")}`;
}

/** FNV-1a: 32 bits that differ where the texts do, for names; no secret. */
function digest(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
