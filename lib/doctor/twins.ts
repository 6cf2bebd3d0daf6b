/** The doctor's check of addresses that are held twice, on one node or on two. Pure. */
import { containsAddress, parseCidr } from "../net/cidr.ts";
import { cmd } from "../exec/command.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  shownBy,
  uplinkOf,
} from "./check.ts";
import { onNode } from "../diagnosis/remedy.ts";
import type {
  Host,
  InventoryNode,
  InventoryPod,
} from "../inventory/inventory.ts";
import {
  fullPodName,
  holdsLease,
  podAddressesCommand,
  podsAnew,
} from "./pod_remedy.ts";

export const twins: Check = {
  name: "twins",
  well: "nobody else has an address of the node's or of its pods, or its MAC",
  read: (context) => [
    ...samePods(context),
    ...sameAsNode(context),
    ...context.nodes.flatMap((other) => elsewhere(context, other)),
  ],
};

/** A node's pods, each once: several names may stand for one network namespace. */
function podsOf({ pods }: Host): readonly InventoryPod[] {
  return [
    ...new Map(
      pods.map((pod) => [pod.hostLink?.name ?? `sandbox ${pod.name}`, pod]),
    ).values(),
  ];
}

/** The addresses of the pod network that a pod has; others may be on a network of its own. */
function podAddresses(
  { addresses }: InventoryPod,
  { cluster }: CheckContext,
): readonly string[] {
  const pods = cluster.clusterCIDRs.map(parseCidr);
  return addresses.map(({ address }) => address)
    .filter((address) => pods.some((cidr) => containsAddress(cidr, address)));
}

/** Pods of the node that share an address; they share the MAC address, too. */
function samePods(context: CheckContext): readonly Finding[] {
  const { host, node, cluster } = context;
  const holders = new Map<string, readonly InventoryPod[]>();
  for (const pod of podsOf(host)) {
    for (const address of podAddresses(pod, context)) {
      holders.set(address, [...holders.get(address) ?? [], pod]);
    }
  }
  return [...holders].filter(([, pods]) => pods.length > 1)
    .map(([address, pods]): Finding => {
      const without = pods.filter((pod) => !holdsLease(pod, host, address));
      return {
        is: "fault",
        what: `${address} is held by ${pods.length} pods of the node: ${
          pods.map(fullPodName).join(", ")
        }`,
        evidence: pods.map((pod) => shownBy(context, podAddressesCommand(pod))),
        remedies: podsAnew(
          cluster,
          node.name,
          without.length > 0 ? without : pods,
        ),
      };
    });
}

/** Pods that have an address of the node's own. */
function sameAsNode(context: CheckContext): readonly Finding[] {
  const { host, node, cluster } = context;
  return podsOf(host).flatMap((pod) =>
    podAddresses(pod, context).flatMap((address): readonly Finding[] => {
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
  const inPods = podsOf(other.host).flatMap((pod) =>
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
