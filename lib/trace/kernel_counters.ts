/**
 * The kernel's counters of what it dropped: /proc/net (proc(5), and the
 * kernel's networking/snmp_counter, xfrm_proc), links and queues. Pure.
 */
import { cmd, type Command, show } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { readList } from "../net/ip_json.ts";
import type { Evidence } from "../diagnosis/evidence.ts";
import type { Family } from "../net/cidr.ts";

/** Counters by name, e.g. "Ip.OutNoRoutes", "link eth0 rx dropped". */
export type Counters = ReadonlyMap<string, number>;

/** Those that say why a packet went nowhere, each with a clause of what it means. */
const telling: Readonly<Record<string, string>> = {
  "Ip.InHdrErrors": "a header that cannot be used, or a TTL that is over",
  "Ip.InAddrErrors": "an address that is not valid here, or forwarding is off",
  "Ip.InDiscards": "taken in, and dropped by a filter or for want of room",
  "Ip.OutDiscards": "to be sent, and dropped by a filter or for want of room",
  "Ip.OutNoRoutes": "no route for what is sent here",
  "Ip.FragFails": "too long for the next link, and not to be cut",
  "Ip.ReasmFails": "a packet in pieces, of which not all came",
  "Ip.InUnknownProtos": "a protocol that nothing here takes",
  "Icmp.InCsumErrors": "a wrong checksum",
  "Icmp.OutDestUnreachs": "a sender was told that this is not reached",
  "Icmp.OutTimeExcds": "a TTL was over here",
  "Tcp.InCsumErrors": "a wrong checksum",
  "Udp.NoPorts": "no program has that port",
  "Udp.RcvbufErrors": "a program was slow to take what came for it",
  "IpExt.InNoRoutes": "no route for what came in",
  "IpExt.InTruncatedPkts": "a frame shorter than its packet",
  "IpExt.InCsumErrors": "a wrong checksum",
  "TcpExt.ListenOverflows": "a server's queue of connections was full",
  "TcpExt.ListenDrops": "a server could not take a connection",
  "TcpExt.TCPBacklogDrop": "a socket's backlog was full",
  "TcpExt.IPReversePathFilter":
    "what came would not be answered by the same link (rp_filter)",
  "Ip6InHdrErrors": "a header that cannot be used, or a hop limit that is over",
  "Ip6InTooBigErrors": "too long for the next link",
  "Ip6InNoRoutes": "no route for what came in",
  "Ip6InAddrErrors": "an address that is not valid here, or forwarding is off",
  "Ip6InDiscards": "taken in, and dropped by a filter or for want of room",
  "Ip6OutDiscards": "to be sent, and dropped by a filter or for want of room",
  "Ip6OutNoRoutes": "no route for what is sent here",
  "Ip6FragFails": "too long for the next link, and not to be cut",
  "Udp6NoPorts": "no program has that port",
  "XfrmInNoPols": "no IPsec policy lets it in",
  "XfrmInNoStates": "IPsec has no state for what came in",
  "XfrmInPolBlock": "an IPsec policy blocks what came in",
  "XfrmInTmplMismatch": "it came in otherwise than an IPsec policy wants",
  "XfrmOutNoStates": "IPsec has no state to send it with",
  "XfrmOutPolBlock": "an IPsec policy blocks what is sent",
  "Softnet dropped":
    "a CPU's backlog was full, of all namespaces (net.core.netdev_max_backlog)",
  "Conntrack drop": "connection tracking was full, or a helper refused it",
  "Conntrack early_drop": "a connection was forgotten for want of room",
  "Conntrack insert_failed": "two packets became one connection's first",
  "Conntrack invalid": "it belongs to no connection that is known",
};

/** Of links, whose names are before these words. */
const ofLinks: Readonly<Record<string, string>> = {
  "rx dropped": "came in, and nothing took it, or for want of room",
  "rx errors": "came in damaged",
  "rx missed_errors": "came in faster than it was taken",
  "rx nohandler": "came in, and no program takes it",
  "rx otherhost_dropped": "came in for another link-layer address",
  "tx dropped": "could not be sent",
  "tx errors": "was sent badly",
  "tx carrier_errors": "there is no carrier",
};

/** What a counter's growth means; undefined of one that does not tell of drops. */
function meaningOf(name: string): string | undefined {
  const [, ofLink = ""] = /^link \S+ (.*)$/.exec(name) ?? [];
  return telling[name] ?? ofLinks[ofLink] ??
    (name.startsWith("qdisc ")
      ? "the queue had no room, or loses on purpose"
      : name.startsWith("Xfrm")
      ? "IPsec refused it"
      : undefined);
}

/** The program whose output readCounters() reads. It changes nothing. */
export const countersProgram = shellProgram(
  "kernel_counters.sh",
  import.meta.url,
);

/** A link as `ip -s -s -j link` has it, as far as it counts. */
interface CountedLink {
  readonly ifname?: string;
  readonly stats64?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** A queueing discipline as `tc -s -j qdisc` has it, as far as it counts. */
interface CountedQdisc {
  readonly dev?: string;
  readonly kind?: string;
  readonly drops?: number;
}

/** Reads them: pairs of lines, names above numbers; or a name and a number a line; or lists. */
export function readCounters(text: string): Counters {
  const found = new Map<string, number>();
  let names: readonly string[] = [];
  const add = (name: string, more: number) =>
    found.set(name, (found.get(name) ?? 0) + more);
  for (const line of text.split("\n")) {
    const [first = "", ...rest] = line.trim().split(/\s+/);
    if (first.startsWith("[")) {
      readStatistics(line, add);
    } else if (first === "Softnet") {
      // The second column of each CPU (net-procfs.c).
      add("Softnet dropped", parseInt(rest[1] ?? "0", 16));
    } else if (first === "Conntrack") {
      if (rest[0] === "entries") names = rest;
      else {
        for (const [at, name] of names.entries()) {
          add(`Conntrack ${name}`, parseInt(rest[at] ?? "0", 16));
        }
      }
    } else if (!first.endsWith(":")) {
      if (first !== "") found.set(first, Number(rest[0]));
    } else if (rest.every((word) => /^-?\d+$/.test(word))) {
      for (const [at, name] of names.entries()) {
        found.set(`${first.slice(0, -1)}.${name}`, Number(rest[at]));
      }
      names = [];
    } else names = rest;
  }
  return found;
}

function readStatistics(
  line: string,
  add: (name: string, more: number) => void,
): void {
  const all = readList<CountedLink & CountedQdisc>(line);
  for (const { ifname, stats64 = {}, dev, kind, drops = 0 } of all) {
    if (dev !== undefined) add(`qdisc ${dev} ${kind}`, drops);
    for (const [way, counts] of Object.entries(stats64)) {
      for (const [name, count] of Object.entries(counts)) {
        add(`link ${ifname} ${way} ${name}`, count);
      }
    }
  }
}

/** Counters of one family alone; the others are of both. */
const only = {
  4: /^(Ip|IpExt|Icmp|Udp)\.|IPReversePathFilter$/,
  6: /^(Ip|Icmp|Udp)6/,
} as const;

/** Those that tell of drops of a family's packets and grew, with how much. */
export function grown(
  before: Counters,
  after: Counters,
  family: Family,
): Counters {
  const others = only[family === 4 ? 6 : 4];
  return new Map([...after].flatMap(([name, now]) => {
    const more = now - (before.get(name) ?? 0);
    return more > 0 && meaningOf(name) !== undefined && !others.test(name)
      ? [[name, more] as const]
      : [];
  }));
}

/** What shows a counter. */
function sourceOf(name: string): Command {
  const [kind = "", device = ""] = name.split(" ");
  switch (kind) {
    case "link":
      return cmd`ip -s -s link show dev ${device}`;
    case "qdisc":
      return cmd`tc -s qdisc show dev ${device}`;
    case "Softnet":
      return cmd`cat /proc/net/softnet_stat`;
    case "Conntrack":
      return cmd`cat /proc/net/stat/nf_conntrack`;
  }
  const [, file = "snmp"] = [
    [/^Xfrm/, "xfrm_stat"],
    [/Ext\./, "netstat"],
    [/^\w+6/, "snmp6"],
  ].find(([words]) => words instanceof RegExp && words.test(name)) ?? [];
  return cmd`cat ${`/proc/net/${file}`}`;
}

/**
 * Counters that grew as evidence, in the kernel's own names: nstat(8)'s, where
 * a file of /proc has them.
 */
export function countersEvidence(
  where: string,
  more: Counters,
): readonly Evidence[] {
  const shown = [...more].map(([name, by]) => ({
    command: show(sourceOf(name)),
    printed: `${name.replace(".", "")} +${by}: ${meaningOf(name) ?? "more"}`,
  }));
  return [...Map.groupBy(shown, ({ command }) => command)].map(
    ([command, lines]): Evidence => ({
      ...{ where, command },
      printed: lines.map(({ printed }) => printed).join("\n"),
    }),
  );
}
