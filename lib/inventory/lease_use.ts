/** What a node's leases come to: how many a podCIDR has, which are left over. Pure. */
import { hosts, parseSubnet } from "../../plugin/address/address.ts";
import { vethAlias } from "../../plugin/veth.ts";
import { containsAddress, parseCidr } from "../net/cidr.ts";
import { cmd, type Command, quote } from "../exec/command.ts";
import { mark } from "../net/mark.ts";
import type { NodeLease } from "./leases.ts";
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
export function staleLeases(
  { leases, links, pods }: Host,
): readonly NodeLease[] {
  const aliases = new Set(links.flatMap(({ alias }) => alias ?? []));
  const held = new Set(
    pods.flatMap(({ addresses }) => addresses.map(({ address }) => address)),
  );
  const hasVeth = (lease: NodeLease) =>
    lease.ifname === ""
      ? [...aliases].some((alias) =>
        alias.startsWith(`${mark} ${lease.network} ${lease.containerID} `)
      )
      : aliases.has(vethAlias(lease));
  return leases.filter((lease) =>
    lease.network === mark && !hasVeth(lease) && !held.has(lease.address)
  );
}

/** As many are named one by one. */
const few = 4;

/**
 * Removes leases as their store wants it: under its lock, which flock(2) keeps.
 * Many are told by ranges, for a line that can be read and pasted.
 */
export function releaseCommand(paths: readonly string[]): Command {
  if (paths.length <= few) {
    const [first = ""] = paths;
    const lock = first.replace(/[^/]*$/, "lock");
    return cmd`flock ${lock} rm -f ${paths}`;
  }
  const byFolder = Map.groupBy(paths, (path) => path.replace(/\/[^/]*$/, ""));
  const lines = [...byFolder].map(([folder, own]) => {
    const names = listed(own.map((path) => path.replace(/.*\//, "")));
    return `cd ${quote(folder)} && (${names}) | flock lock xargs rm -f`;
  });
  return cmd`sh -c ${lines.join("; ")}`;
}

/** For a POSIX shell: prints addresses, runs of IPv4's by seq(1). */
function listed(addresses: readonly string[]): string {
  const rest: string[] = [];
  const numbers = new Map<string, number[]>();
  for (const address of addresses) {
    const [, prefix, last] = /^(\d+\.\d+\.\d+\.)(\d+)$/.exec(address) ?? [];
    if (prefix === undefined) rest.push(address);
    else numbers.set(prefix, [...numbers.get(prefix) ?? [], Number(last)]);
  }
  const runs: string[] = [];
  for (const [prefix, all] of numbers) {
    for (const { from, to } of runsOf(all)) {
      if (to - from >= 2) runs.push(`seq -f ${prefix}%g ${from} ${to}`);
      else for (let at = from; at <= to; at++) rest.push(`${prefix}${at}`);
    }
  }
  return [...runs, ...(rest.length === 0 ? [] : [`echo ${rest.join(" ")}`])]
    .join("; ");
}

/** Numbers that follow one another, from the least on. */
function runsOf(
  numbers: readonly number[],
): readonly { readonly from: number; readonly to: number }[] {
  const runs: { from: number; to: number }[] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && number <= last.to + 1) last.to = number;
    else runs.push({ from: number, to: number });
  }
  return runs;
}
