/** Between whom BGP sessions are, and with which addresses. Pure. */
import { containsAddress, familyOf, ofFamily, parseCidr } from "../net/cidr.ts";
import { digest } from "../net/mac.ts";
import type { Cluster, ClusterNode } from "./cluster.ts";
import { oncePer } from "./once.ts";
import { segmentAt, shareSegment } from "./segments.ts";

/** A session as one of its ends has it. */
export interface BgpSession {
  /** What bird calls it. */
  readonly name: string;
  /** The node at the far end; none where that is a router. */
  readonly node?: string;
  /** The own address of the session, and the far end's. */
  readonly local: string;
  readonly address: string;
  /** The far end's autonomous system. */
  readonly as: number;
  /** Whether the two ends are known to be on one segment. */
  readonly near: boolean;
  /** Whether this end passes on to it what other nodes told. */
  readonly client: boolean;
}

/** Nodes that all have a session with each other: more of them, and some reflect. */
const mostInMesh = 20;

/**
 * The nodes that pass on what the others tell them (RFC 4456); none where each
 * node tells each other.
 */
export const reflectorsOf = oncePer(
  ({ bgp, nodes }: Pick<Cluster, "bgp" | "nodes">): readonly string[] => {
    if (bgp?.reflectors !== undefined) return bgp.reflectors;
    return nodes.length <= mostInMesh
      ? []
      : nodes.filter(({ role }) => role === "control-plane")
        .map(({ name }) => name);
  },
);

/** The address of a node's sessions with nodes: of the family of the first clusterCIDR. */
function sessionAddress(
  { clusterCIDRs: [first = ""] }: Pick<Cluster, "clusterCIDRs">,
  { address, addresses }: Pick<ClusterNode, "address" | "addresses">,
): string {
  return ofFamily(addresses, familyOf(first)) ?? address;
}

/**
 * A node's sessions: with other nodes, then with routers. One session carries
 * both families, so those of one family are those of the whole cluster.
 */
export function sessionsOf(
  { whole, ...one }: Cluster,
  { name }: Pick<ClusterNode, "name">,
): readonly BgpSession[] {
  const cluster = whole ?? one;
  const { bgp, nodes } = cluster;
  const node = nodes.find((one) => one.name === name);
  if (bgp === undefined || node === undefined) return [];
  const reflectors = new Set(reflectorsOf(cluster));
  const reflects = reflectors.has(node.name);
  const local = sessionAddress(cluster, node);
  const others = nodes.filter(({ name }) =>
    name !== node.name &&
    (reflectors.size === 0 || reflects || reflectors.has(name))
  );
  return [
    ...others.map((other): BgpSession => ({
      name: sessionName(other.name),
      node: other.name,
      local,
      address: sessionAddress(cluster, other),
      as: bgp.as,
      near: shareSegment(cluster, node, other),
      client: reflects && !reflectors.has(other.name),
    })),
    ...peersOf(cluster, node).map(({ address, as }): BgpSession => ({
      // No node's name has a colon.
      name: `peer:${address}`,
      local: ofFamily(node.addresses, familyOf(address)) ?? local,
      address,
      as,
      near: true,
      client: false,
    })),
  ];
}

/**
 * The session that brings a node the podCIDRs of another: with that one, or with
 * one that reflects.
 */
export function sessionBy(
  cluster: Cluster,
  node: Pick<ClusterNode, "name">,
  other: Pick<ClusterNode, "name">,
): BgpSession | undefined {
  const reflectors = reflectorsOf(cluster);
  const sessions = sessionsOf(cluster, node);
  return sessions.find((session) => session.node === other.name) ??
    sessions.find((session) => reflectors.includes(session.node ?? ""));
}

/**
 * By which address BGP's routes lead from a node to another: by the other, or
 * by the router between their segments.
 *
 * @param cluster of one family
 * @returns undefined where it is not known what is between them
 */
export function nextHopOf(
  cluster: Cluster,
  node: ClusterNode,
  other: ClusterNode,
): string | undefined {
  if (cluster.bgp === undefined || shareSegment(cluster, node, other)) {
    return other.address;
  }
  const own = cluster.segments?.[segmentAt(cluster, node.address)];
  return ofFamily(own?.router ?? [], familyOf(other.address));
}

/** A symbol of bird's has 64 bytes at most, and must be no word of its language. */
function sessionName(node: string): string {
  return node.length <= 61
    ? `to-${node}`
    : `to-${node.slice(0, 50)}-${digest(node)}`;
}

/** The routers that a node has a session with: in a lab of several segments, those on its own. */
function peersOf(
  cluster: Cluster,
  node: ClusterNode,
): readonly { readonly address: string; readonly as: number }[] {
  const { bgp, segments } = cluster;
  const own = segments?.[segmentAt(cluster, node.address)];
  return (bgp?.peers ?? []).filter(({ address }) =>
    own === undefined ||
    own.cidrs.some((cidr) => containsAddress(parseCidr(cidr), address))
  );
}
