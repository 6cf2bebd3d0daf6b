/** The cluster that the stages plan with, of the Nodes that Kubernetes has. Pure. */
import type { NetworkPart } from "../cluster/network_part.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { leastMtu } from "../cluster/segments.ts";
import {
  addressNumber,
  containsAddress,
  containsCidr,
  familyOf,
  formatCidr,
  ofFamily,
  parseCidr,
} from "../net/cidr.ts";
import type { NodeRecord } from "./node_record.ts";

/** Why there is nothing to plan for a node, in words for its owner. */
interface Unplannable {
  /** One word, as an Event's reason. */
  readonly reason: string;
  readonly message: string;
}

/** The plan's cluster, or why there is none. */
export type NodePlan =
  | { readonly cluster: Cluster; readonly own: ClusterNode }
  | { readonly unplannable: Unplannable };

/**
 * The cluster as one of its nodes sees it.
 *
 * @param name the node's own
 * @param held the addresses that the node's links have, as its kernel tells
 */
export function clusterOfNodes(
  { cluster: part, auto }: NetworkPart,
  nodes: Iterable<NodeRecord>,
  name: string,
  held: readonly LinkAddress[],
): NodePlan {
  const all = [...nodes].filter(({ addresses }) => addresses.length > 0);
  const self = all.find((node) => node.name === name);
  const why = missing(part, self, name);
  if (why !== undefined || self === undefined) {
    return { unplannable: why ?? noNode(name) };
  }
  const own = connected(self, held);
  const near = ({ addresses }: NodeRecord) =>
    addresses.some((address) =>
      own.some((cidr) => containsAddress(parseCidr(cidr), address))
    );
  const { vxlan: _, ...plain } = part;
  const direct = auto && all.every(near);
  const base: Cluster = direct ? { ...plain, routes: "host" } : part;
  const cluster: Cluster = {
    ...base,
    // What the kernel says is what decides whether a plain route will do.
    segments: [{ cidrs: own, router: [], mtu: leastMtu(part) }],
    nodes: all.map((node) => toClusterNode(node, base, node === self)),
  };
  return { cluster, own: cluster.nodes[all.indexOf(self)]! };
}

/** @param isOwn of the own one, what is wrong has been told by missing() */
function toClusterNode(
  { name, isControlPlane, addresses, podCIDRs }: NodeRecord,
  { vxlan, clusterCIDRs }: Cluster,
  isOwn: boolean,
): ClusterNode {
  const within = (podCIDR: string) =>
    clusterCIDRs.some((cidr) =>
      containsCidr(parseCidr(cidr), parseCidr(podCIDR))
    );
  const [first = ""] = clusterCIDRs;
  const [any = ""] = addresses;
  // Of one family at both ends of a tunnel, in whatever order Nodes have theirs.
  const address = ofFamily(addresses, familyOf(first)) ?? any;
  return {
    name,
    role: isControlPlane ? "control-plane" : "worker",
    address,
    addresses,
    // A route to what is not the pods' would lead others' packets away.
    podCIDRs: isOwn ? podCIDRs : podCIDRs.filter(within),
    // Not what the annotation says, which may be old, or another's.
    ...(vxlan === undefined ? {} : { vtep: address }),
  };
}

/** An address of a link, with its prefix length. */
interface LinkAddress {
  readonly address: string;
  readonly prefixLength: number;
}

/** The subnets in which the node's InternalIPs are; the addresses alone where no link has them. */
function connected(
  { addresses }: NodeRecord,
  held: readonly LinkAddress[],
): string[] {
  return addresses.map((address) => {
    const number = addressNumber(address);
    const link = held.find((one) =>
      familyOf(one.address) === familyOf(address) &&
      addressNumber(one.address) === number
    );
    const width = familyOf(address) === 6 ? 128 : 32;
    const prefixLength = link?.prefixLength ?? width;
    const hostBits = BigInt(width - prefixLength);
    const network = (number >> hostBits) << hostBits;
    return formatCidr({ family: familyOf(address), network, prefixLength });
  });
}

function noNode(name: string): Unplannable {
  return {
    reason: "NodeUnknown",
    message: `Kubernetes has no Node ${name} with an InternalIP; ` +
      "expected NODE_NAME to be spec.nodeName, and the kubelet to have registered",
  };
}

function missing(
  part: Cluster,
  self: NodeRecord | undefined,
  name: string,
): Unplannable | undefined {
  if (self === undefined) return undefined;
  const list = part.clusterCIDRs.join(",");
  if (self.podCIDRs.length < part.clusterCIDRs.length) {
    const has = self.podCIDRs.length === 0
      ? "no podCIDR"
      : `the podCIDR ${self.podCIDRs.join(", ")} alone`;
    return {
      reason: "NoPodCIDR",
      message: `Node ${name} has ${has}, so its pods have no addresses: ` +
        `kubeadm init was run without --pod-network-cidr=${list}. ` +
        "Give kube-controller-manager --allocate-node-cidrs=true " +
        `--cluster-cidr=${list} (/etc/kubernetes/manifests/kube-controller-manager.yaml ` +
        "on the control plane), or run kubeadm reset and init with the flag",
    };
  }
  const stray = self.podCIDRs.find((podCIDR) =>
    !part.clusterCIDRs.some((cidr) =>
      containsCidr(parseCidr(cidr), parseCidr(podCIDR))
    )
  );
  return stray === undefined ? undefined : {
    reason: "PodCIDROutside",
    message: `Node ${name} has the podCIDR ${stray}, which is not within the ` +
      `clusterCIDR ${list} of the agent's configuration: set clusterCIDR there to ` +
      "what --pod-network-cidr of kubeadm init was",
  };
}
