/** The tunnels between the nodes: which ways they are on, and what they take. Pure. */
import { familyOf } from "../net/cidr.ts";
import type { Cluster, ClusterNode, Provider } from "./cluster.ts";
import { leastMtu, shareSegment } from "./segments.ts";

/**
 * What a tunnel adds to a packet: Ethernet's 14 bytes, VXLAN's 8, UDP's 8, and
 * the outer IP header, 20 bytes or 40 (RFC 7348, section 5).
 *
 * @param address a node's, between which the tunnels are
 */
export function tunnelOverhead(address: string): number {
  return familyOf(address) === 4 ? 50 : 70;
}

/**
 * A network of GCP takes that much where its maker says nothing:
 * https://cloud.google.com/vpc/docs/mtu
 */
const gcpMtu = 1460;

/** What the ways between the nodes take. */
export function wayMtu(
  cluster: Pick<Cluster, "vxlan" | "segments" | "provider">,
): number {
  return cluster.vxlan?.mtu ?? leastWay(cluster.provider, cluster.segments);
}

/** The same where the cluster file does not say. */
export function leastWay(
  provider: Provider | undefined,
  segments: Cluster["segments"],
): number {
  return provider === "gcp"
    ? gcpMtu
    : leastMtu(segments === undefined ? {} : { segments });
}

/** The MTU of the tunnels; undefined where there are none. */
export function tunnelMtu(
  cluster: Pick<Cluster, "vxlan" | "segments" | "nodes" | "provider">,
): number | undefined {
  const [first] = cluster.nodes;
  return cluster.vxlan === undefined || first === undefined
    ? undefined
    : wayMtu(cluster) - tunnelOverhead(first.vtep ?? first.address);
}

/** Whether tunnels lead to the node of this name. */
export function hasTunnels(cluster: Cluster, name: string): boolean {
  const node = cluster.nodes.find((node) => node.name === name);
  return node !== undefined &&
    cluster.nodes.some((other) =>
      other !== node && isTunnelled(cluster, node, other)
    );
}

/** Whether a tunnel leads from one node to another; false where a plain route does. */
export function isTunnelled(
  cluster: Cluster,
  one: ClusterNode,
  other: ClusterNode,
): boolean {
  const { vxlan } = cluster;
  return vxlan !== undefined &&
    !(vxlan.direct && shareSegment(cluster, one, other));
}

/** Whether packets between nodes may bear pods' addresses, which clouds have to let pass. */
export function hasBarePods(
  { vxlan, provider }: Pick<Cluster, "vxlan" | "provider">,
): boolean {
  // Machines of GCP share no segment.
  return vxlan === undefined || (vxlan.direct && provider !== "gcp");
}
