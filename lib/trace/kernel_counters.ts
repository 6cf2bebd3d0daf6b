/** The kernel's counters of what it dropped: /proc/net/snmp and netstat (proc(5)). Pure. */
import type { Family } from "../net/cidr.ts";

/** Counters by name, e.g. "Ip.OutNoRoutes". */
export type Counters = ReadonlyMap<string, number>;

/** Those that say why a packet went nowhere. */
const telling = [
  "Ip.InHdrErrors",
  "Ip.InAddrErrors",
  "Ip.InDiscards",
  "Ip.OutDiscards",
  "Ip.OutNoRoutes",
  "Ip.FragFails",
  "Ip.ReasmFails",
  "Ip.InUnknownProtos",
  "Icmp.InCsumErrors",
  "Tcp.InCsumErrors",
  "IpExt.InNoRoutes",
  "IpExt.InTruncatedPkts",
  "IpExt.InCsumErrors",
  "TcpExt.ListenOverflows",
  "TcpExt.ListenDrops",
  "TcpExt.TCPBacklogDrop",
  "TcpExt.IPReversePathFilter",
  "Ip6InHdrErrors",
  "Ip6InTooBigErrors",
  "Ip6InNoRoutes",
  "Ip6InAddrErrors",
  "Ip6InDiscards",
  "Ip6OutDiscards",
  "Ip6OutNoRoutes",
  "Ip6FragFails",
];

/** The files that readCounters() reads, one after the other. */
export const counterFiles = [
  "/proc/net/snmp",
  "/proc/net/netstat",
  "/proc/net/snmp6",
] as const;

/** Reads them: pairs of lines, names above numbers, or a name and a number a line. */
export function readCounters(text: string): Counters {
  const found = new Map<string, number>();
  let names: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [first = "", ...rest] = line.trim().split(/\s+/);
    if (!first.endsWith(":")) {
      if (first !== "") found.set(first, Number(rest[0]));
      continue;
    }
    if (rest.every((word) => /^-?\d+$/.test(word))) {
      for (const [at, name] of names.entries()) {
        found.set(`${first.slice(0, -1)}.${name}`, Number(rest[at]));
      }
      names = [];
    } else names = rest;
  }
  return found;
}

/** Counters of one family alone; those of TCP are of both. */
const only = {
  4: /^(Ip|IpExt|Icmp)\.|IPReversePathFilter$/,
  6: /^Ip6/,
} as const;

/** Those that tell of drops of a family's packets and grew, with how much. */
export function grown(
  before: Counters,
  after: Counters,
  family: Family,
): Counters {
  const own = telling.filter((name) => !only[family === 4 ? 6 : 4].test(name));
  return new Map(own.flatMap((name) => {
    const more = (after.get(name) ?? 0) - (before.get(name) ?? 0);
    return more > 0 ? [[name, more] as const] : [];
  }));
}
