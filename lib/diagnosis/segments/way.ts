/** A way between two machines of a lab with several segments. Pure. */
import type { Cluster, ClusterNode, Segment } from "../../cluster/cluster.ts";
import { sessionBy } from "../../cluster/bgp_sessions.ts";
import { wholeOf } from "../../cluster/address_family.ts";
import { segmentAt } from "../../cluster/segments.ts";
import { isTunnelled } from "../../cluster/tunnels.ts";
import { familyOf, ofFamily } from "../../net/cidr.ts";

/** An end of a way, by the address that its packets bear there. */
export interface WayEnd {
  readonly name: string;
  readonly address: string;
}

/** A way, and the packets that it has to carry. */
export interface SegmentWay {
  readonly from: WayEnd;
  readonly to: WayEnd;
  readonly carries?: {
    readonly protocol: "tcp" | "udp";
    readonly port: number;
  };
}

/**
 * The ways that packets between two nodes, or their pods, depend on: that of the
 * tunnel or of the BGP session, then the plain one.
 *
 * @param cluster with the addresses of the family that is looked at
 * @param pods whether the packets are for a pod
 */
export function waysBetween(
  cluster: Cluster,
  one: ClusterNode,
  other: ClusterNode,
  pods: boolean,
): readonly SegmentWay[] {
  const plain: SegmentWay = { from: endOf(one), to: endOf(other) };
  if (!pods) return [plain];
  const { vxlan, bgp } = cluster;
  if (vxlan !== undefined && isTunnelled(cluster, one, other)) {
    return [{
      from: { name: one.name, address: one.vtep ?? one.address },
      to: { name: other.name, address: other.vtep ?? other.address },
      carries: { protocol: "udp", port: vxlan.port },
    }];
  }
  const session = bgp && sessionBy(cluster, one, other);
  if (session?.node !== other.name) return [plain];
  const { local, address } = session;
  return [{
    from: { name: one.name, address: local },
    to: { name: other.name, address },
    carries: { protocol: "tcp", port: 179 },
  }, plain];
}

function endOf({ name, address }: ClusterNode): WayEnd {
  return { name, address };
}

/** The segment that an address is on, and its place. */
export function segmentPlace(
  cluster: Cluster,
  address: string,
): { readonly at: number; readonly segment: Segment | undefined } {
  const whole = wholeOf(cluster);
  const at = segmentAt(whole, address);
  return { at, segment: whole.segments?.[at] };
}

/** The router's address on the segment of an address. */
export function routerOf(
  cluster: Cluster,
  address: string,
): string | undefined {
  const { segment } = segmentPlace(cluster, address);
  return ofFamily(segment?.router ?? [], familyOf(address));
}

/** The CIDR of the segment of an address. */
export function cidrOf(cluster: Cluster, address: string): string | undefined {
  const { segment } = segmentPlace(cluster, address);
  return ofFamily(segment?.cidrs ?? [], familyOf(address));
}
