/** Something on a packet's path that ends it, and the packets that are asked about. Pure. */
import { cmd, type Command, show } from "../../exec/command.ts";
import type { Cluster, ClusterNode } from "../../cluster/cluster.ts";
import { oncePer } from "../../cluster/once.ts";
import { networkHas } from "../../net/route_match.ts";
import { onNode, type Remedy } from "../remedy.ts";
import type { Evidence } from "../evidence.ts";
import type { Space } from "./survey.ts";

/** Where on the kernel's path an obstacle lies. */
export type ObstacleKind =
  | "address"
  | "arp"
  | "bridge-port"
  | "echo"
  | "iptables"
  | "ipsec"
  /** What a rule of nat writes, or keeps from being written. */
  | "nat"
  | "neighbour"
  | "nft"
  /** A chain at the hook forward of the families ip, ip6 and inet. */
  | "nft-forward"
  | "pod-address"
  | "pod-route"
  | "qdisc"
  | "route"
  | "routing-rule"
  | "setting"
  /** What a pod sends from. */
  | "source"
  | "tc"
  | "ttl"
  /** An address or a route that a node has on a pod's veth. */
  | "veth"
  | "xdp";

/** Something that ends packets. */
export interface Obstacle {
  readonly kind: ObstacleKind;
  /** Whether it loses packets of those that were asked about, or may. */
  readonly is: "loses" | "may lose";
  readonly space: Space;
  /** A sentence without its full stop. */
  readonly what: string;
  readonly evidence: readonly Evidence[];
  /** What takes it away. */
  readonly remedies: readonly Remedy[];
}

/** A packet of a path, before it is known by which links it goes. */
export interface Flow {
  readonly source: string;
  readonly destination: string;
  readonly reply: boolean;
  /** What it carries and how long it is, where that is known. */
  readonly protocol?: "tcp" | "udp" | "icmp";
  /** The port that it is for, or, of a reply, from. */
  readonly port?: number;
  readonly length_bytes?: number;
}

/** What is asked about, of one namespace. */
export interface Traffic {
  /** With the addresses of one family alone. */
  readonly cluster: Cluster;
  readonly flows: readonly Flow[];
  /** The links that such packets go by here. */
  readonly links: ReadonlySet<string>;
  /** The bridge that pods are plugged into; none in a pod. */
  readonly bridge?: string;
  /** The link by which an address that is not the namespace's own is reached. */
  readonly linkTo: (address: string) => string | undefined;
  /** Whether a link is the host end of a pod's veth. */
  readonly isPort: (link: string) => boolean;
  /** The host veths of pods by the pods' link-layer addresses. */
  readonly podPorts: ReadonlyMap<string, string>;
  /** The link-layer addresses of those whose addresses are known. */
  readonly owners: ReadonlyMap<string, string>;
}

/** A namespace's name, as evidence has it. */
export function spaceName({ node, pod }: Space): string {
  return pod === undefined ? node : `${pod.name} on ${node}`;
}

/** What a command printed in a namespace, or the part of it that matters. */
export function shownIn(
  space: Space,
  command: Command,
  printed: string,
): Evidence {
  return { where: spaceName(space), command: show(command), printed };
}

/** A command to run in a namespace, as what mends something. */
export function mendIn({ node, pod }: Space, command: Command): Remedy {
  return onNode(
    node,
    pod === undefined
      ? command
      : cmd`nsenter --net=${pod.sandbox} ${command.argv}`,
  );
}

/** The node whose pods have such an address. */
export function ownerOfPod(
  { nodes }: Pick<Cluster, "nodes">,
  address: string,
): ClusterNode | undefined {
  const known = ownersAmong(nodes);
  const before = known.get(address);
  if (before !== undefined) return before.owner;
  const owner = nodes.find(({ podCIDRs }) =>
    podCIDRs.some((podCIDR) => networkHas(podCIDR, address))
  );
  known.set(address, { owner });
  return owner;
}

/** Each node is asked for the same addresses. */
const ownersAmong = oncePer((_: readonly ClusterNode[]) =>
  new Map<string, { readonly owner: ClusterNode | undefined }>()
);
