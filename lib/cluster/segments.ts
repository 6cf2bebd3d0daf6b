/** The segments of a lab: which of them a machine is on, and how it leaves it. Pure. */
import { containsAddress, familyOf, ofFamily, parseCidr } from "../net/cidr.ts";
import type { Cluster, ClusterNode, Segment } from "./cluster.ts";
import { oncePer } from "./once.ts";

/** The name, among a lab's machines, of the router between its segments. */
export const routerName = "router";

type Segmented = Pick<Cluster, "segments" | "segmentCIDRs" | "outside">;

/** All segments; the one of a cluster that names none has the outside host as its router. */
export function segmentsOf(cluster: Segmented): readonly Segment[] {
  const { segments, segmentCIDRs, outside } = cluster;
  return segments ?? [{ cidrs: segmentCIDRs, router: outside.gateways }];
}

/** Gives the place of the segment that an address is on; undefined for what is on none. */
const placeIn = oncePer((cluster: Segmented) => {
  const ranges = segmentsOf(cluster).map(({ cidrs }) => cidrs.map(parseCidr));
  const known = new Map<string, number>();
  return (address: string): number | undefined => {
    const at = known.get(address) ??
      ranges.findIndex((cidrs) =>
        cidrs.some((cidr) => containsAddress(cidr, address))
      );
    known.set(address, at);
    return at < 0 ? undefined : at;
  };
});

/** The place of the segment that an address is on; 0 for what is on none. */
export function segmentAt(cluster: Segmented, address: string): number {
  return placeIn(cluster)(address) ?? 0;
}

/** Whether two nodes are known to be on one segment. */
export function shareSegment(
  cluster: Segmented & Pick<Cluster, "provider">,
  one: Pick<ClusterNode, "address">,
  other: Pick<ClusterNode, "address">,
): boolean {
  const place = placeIn(cluster);
  const at = place(one.address);
  // Subnets of a cloud look like segments, and are none.
  return at !== undefined && at === place(other.address) &&
    cluster.provider !== "gcp";
}

/** A node's default gateways, one a family. */
export function gatewaysOf(
  cluster: Segmented,
  { address }: Pick<ClusterNode, "address">,
): readonly string[] {
  const at = segmentAt(cluster, address);
  // The outside host is on the first one.
  return at === 0
    ? cluster.outside.gateways
    : segmentsOf(cluster)[at]?.router ?? cluster.outside.gateways;
}

/** A node's default gateway; of the family of its first address. */
export function gatewayOf(
  cluster: Segmented,
  node: Pick<ClusterNode, "address">,
): string {
  return ofFamily(gatewaysOf(cluster, node), familyOf(node.address)) ??
    cluster.outside.gateway;
}

/** The least MTU of the ways between the lab's segments; 1500 where none is named. */
export function leastMtu({ segments = [] }: Pick<Cluster, "segments">): number {
  return Math.min(1500, ...segments.map(({ mtu = 1500 }) => mtu));
}
