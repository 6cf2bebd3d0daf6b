/** What pods that live hold, and what leases say of it: addresses held twice, leases lost. Pure. */
import { ownerOf, vethAlias } from "../../plugin/veth.ts";
import { type Cidr, containsAddress } from "../net/cidr.ts";
import type { InventoryLink, InventoryPod } from "../net/ip_json.ts";
import { mark } from "../net/mark.ts";
import type { Host } from "./inventory.ts";

/** A node's pods, each once: several names may stand for one network namespace. */
export function podsOnce(
  { pods }: Pick<Host, "pods">,
): readonly InventoryPod[] {
  return [
    ...new Map(
      pods.map((pod) => [pod.hostLink?.name ?? `sandbox ${pod.name}`, pod]),
    ).values(),
  ];
}

/** The addresses of the pod network that a pod has; others may be on a network of its own. */
export function podNetworkAddresses(
  { addresses }: InventoryPod,
  podNetwork: readonly Cidr[],
): readonly string[] {
  return addresses.map(({ address }) => address).filter((address) =>
    podNetwork.some((cidr) => containsAddress(cidr, address))
  );
}

/** An address that several pods of one node have. */
export interface HeldTwice {
  readonly address: string;
  readonly pods: readonly InventoryPod[];
  /** Those of them that have to go: without its lease, where one has it. */
  readonly surplus: readonly InventoryPod[];
}

/** Pods of the node that share an address; they share the MAC address, too. */
export function heldTwice(
  host: Pick<Host, "pods" | "leases">,
  podNetwork: readonly Cidr[],
): readonly HeldTwice[] {
  const holders = new Map<string, readonly InventoryPod[]>();
  for (const pod of podsOnce(host)) {
    for (const address of podNetworkAddresses(pod, podNetwork)) {
      holders.set(address, [...holders.get(address) ?? [], pod]);
    }
  }
  return [...holders].filter(([, pods]) => pods.length > 1)
    .map(([address, pods]) => {
      const without = pods.filter((pod) => !holdsLease(pod, host, address));
      return { address, pods, surplus: without.length > 0 ? without : pods };
    });
}

/** Whether the pod holds the lease of this address. */
function holdsLease(
  { hostLink }: InventoryPod,
  { leases }: Pick<Host, "leases">,
  address: string,
): boolean {
  return leases.some((lease) =>
    lease.address === address && vethAlias(lease) === hostLink?.alias
  );
}

/** Host veths of our network whose attachments have no lease at all. */
export function vethsWithoutLease(
  { links, leases, list }: Pick<Host, "links" | "leases" | "list">,
): readonly InventoryLink[] {
  // An IPAM plugin of another kind keeps its leases where it likes.
  if (/"ipam"\s*:/.test(list?.text ?? "")) return [];
  const leased = new Set(leases.map(vethAlias));
  // One lease of the oldest format is of all interfaces of its container.
  const whole = new Set(
    leases.filter(({ ifname }) => ifname === "")
      .map(({ containerID }) => containerID),
  );
  return links.filter(({ kind, alias = "", peerIndex }) =>
    kind === "veth" && peerIndex !== undefined &&
    alias.startsWith(`${mark} ${mark} `) && !leased.has(alias) &&
    !whole.has(ownerOf(alias)?.containerID ?? "")
  );
}
