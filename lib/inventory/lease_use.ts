/** What a node's leases come to: how many a podCIDR has, which are left over. Pure. */
import { hosts, parseSubnet } from "../../plugin/address/address.ts";
import { vethAlias } from "../../plugin/veth.ts";
import { containsAddress, parseCidr } from "../net/cidr.ts";
import { cmd, type Command } from "../exec/command.ts";
import { mark } from "../net/mark.ts";
import type { Lease } from "./leases.ts";
import type { Host } from "./inventory.ts";

/** How many pods a podCIDR has room for: all hosts but the gateway. */
export function capacity(podCIDR: string): bigint {
  const { first, last } = hosts(parseSubnet(podCIDR));
  return last - first;
}

/** The leases of a podCIDR's addresses, those that name no attachment among them. */
export function leasesIn(
  { leases, brokenLeases }: Host,
  podCIDR: string,
): readonly { readonly address: string }[] {
  const cidr = parseCidr(podCIDR);
  return [...leases, ...brokenLeases]
    .filter(({ address }) => containsAddress(cidr, address));
}

/**
 * The leases of our network whose attachment is gone: no host veth is theirs,
 * and no pod has the address. Those of other networks are not ours to judge.
 */
export function staleLeases({ leases, links, pods }: Host): readonly Lease[] {
  const aliases = new Set(links.flatMap(({ alias }) => alias ?? []));
  const held = new Set(
    pods.flatMap(({ addresses }) => addresses.map(({ address }) => address)),
  );
  const hasVeth = (lease: Lease) =>
    lease.ifname === ""
      ? [...aliases].some((alias) =>
        alias.startsWith(`${mark} ${lease.network} ${lease.containerID} `)
      )
      : aliases.has(vethAlias(lease));
  return leases.filter((lease) =>
    lease.network === mark && !hasVeth(lease) && !held.has(lease.address)
  );
}

/** Removes leases as their store wants it: under its lock, which flock(2) keeps. */
export function releaseCommand(paths: readonly string[]): Command {
  const [first = ""] = paths;
  const lock = first.replace(/[^/]*$/, "lock");
  return cmd`flock ${lock} rm -f ${paths}`;
}
