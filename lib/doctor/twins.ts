/** The doctor's check of addresses that are held twice, on one node or on two. Pure. */
import { parseCidr } from "../net/cidr.ts";
import {
  heldTwice,
  podNetworkAddresses,
  podsOnce,
} from "../inventory/pod_claims.ts";
import { cmd } from "../exec/command.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  shownBy,
  uplinkOf,
} from "./check.ts";
import { onNode } from "../diagnosis/remedy.ts";
import type { InventoryNode } from "../inventory/inventory.ts";
import {
  fullPodName,
  podAddressesCommand,
  podsAnew,
} from "../verify/pod_remedy.ts";

export const twins: Check = {
  name: "twins",
  well: "nobody else has an address of the node's or of its pods, or its MAC",
  read: (context) => [
    ...samePods(context),
    ...sameAsNode(context),
    ...context.nodes.flatMap((other) => elsewhere(context, other)),
  ],
};

/** Pods of the node that share an address. */
function samePods(context: CheckContext): readonly Finding[] {
  const { host, node, cluster } = context;
  return heldTwice(host, cluster.clusterCIDRs.map(parseCidr)).map((
    { address, pods, surplus },
  ): Finding => ({
    is: "fault",
    what: `${address} is held by ${pods.length} pods of the node: ${
      pods.map(fullPodName).join(", ")
    }`,
    evidence: pods.map((pod) => shownBy(context, podAddressesCommand(pod))),
    remedies: podsAnew(cluster, node.name, surplus),
  }));
}

/** Pods that have an address of the node's own. */
function sameAsNode(context: CheckContext): readonly Finding[] {
  const { host, node, cluster } = context;
  const network = cluster.clusterCIDRs.map(parseCidr);
  return podsOnce(host).flatMap((pod) =>
    podNetworkAddresses(pod, network).flatMap((address): readonly Finding[] => {
      const link = host.links.find(({ addresses }) =>
        addresses.some((own) => own.address === address)
      );
      if (link === undefined) return [];
      return [{
        is: "fault",
        what:
          `${address} of the pod ${fullPodName(pod)} is also the node's own ` +
          `(${link.name})`,
        evidence: [
          shownBy(context, podAddressesCommand(pod)),
          shownBy(context, cmd`ip -br addr show dev ${link.name}`),
        ],
        remedies: podsAnew(cluster, node.name, [pod]),
      }];
    })
  );
}

/** What another node holds of this one's. */
function elsewhere(
  context: CheckContext,
  other: InventoryNode,
): readonly Finding[] {
  const { node, host, cluster } = context;
  if (other.name === node.name || other.host.is !== "read") return [];
  const mine = new Set([
    ...node.addresses,
    ...host.pods.flatMap(({ addresses }) =>
      addresses.map(({ address }) => address)
    ),
  ]);
  const isMine = ({ address }: { readonly address: string }) =>
    mine.has(address) && !/^(127\.|::1$)/.test(address);
  const onLinks = other.host.links.flatMap(({ name, addresses }) =>
    addresses.filter(isMine).map(({ address, prefixLength }): Finding => ({
      is: "fault",
      what: `${address} is also held by ${other.name} (${name})`,
      evidence: [
        shownBy({ node: other }, cmd`ip -br addr show dev ${name}`),
      ],
      remedies: [
        onNode(
          other.name,
          cmd`ip addr del ${address}/${prefixLength} dev ${name}`,
        ),
      ],
    }))
  );
  const inPods = podsOnce(other.host).flatMap((pod) =>
    pod.addresses.filter(isMine).map(({ address }): Finding => ({
      is: "fault",
      what: `${address} is also held by ${other.name} (pod ${
        fullPodName(pod)
      })`,
      evidence: [shownBy({ node: other }, podAddressesCommand(pod))],
      remedies: podsAnew(cluster, other.name, [pod]),
    }))
  );
  return [...onLinks, ...inPods, ...sameMac(context, other)];
}

function sameMac(
  context: CheckContext,
  { name, address, host }: InventoryNode,
): readonly Finding[] {
  const own = uplinkOf(context.host, context.node.addresses);
  const mac = host.is === "read" ? uplinkOf(host, [address])?.mac : undefined;
  if (own?.mac === undefined || mac !== own.mac) return [];
  return [{
    is: "fault",
    what: `${name} has the same MAC address: the segment cannot ` +
      "tell them apart, as with machines copied from one another",
    evidence: [shownBy(context, cmd`ip -br link show dev ${own.name}`)],
    remedies: [{
      say: "give it a MAC address of its own, where the machine is made",
    }],
  }];
}
