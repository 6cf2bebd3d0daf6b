/** The kernel's own reasons for what it drops (since 5.17, skb:kfree_skb), while pings are sent. */
import { cmd, type RunOptions } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import type { Evidence } from "../diagnosis/evidence.ts";
import type { Family } from "../net/cidr.ts";
import type { Runner } from "../node/node.ts";
import type { Place } from "./endpoints.ts";
import { atPlace } from "./send_packets.ts";

/** How many pings are sent; what the kernel drops less often is not about them. */
const sent = 3;

/** How long reasons are listened for. */
const life_seconds = 1;

/** What a reason means (include/net/dropreason-core.h), of those that paths meet. */
const meanings: Readonly<Record<string, string>> = {
  NETFILTER_DROP: "a rule of netfilter",
  OTHERHOST: "a frame for another link-layer address",
  IP_INHDR: "a bad header of IP",
  IP_RPFILTER: "rp_filter",
  XFRM_POLICY: "an IPsec policy",
  IP_OUTNOROUTES: "no route for what is sent here",
  IP_INNOROUTES: "no route for what came in",
  IP_INADDRERRORS: "an address that is not valid here",
  IP_LOCAL_SOURCE: "the source is an address of the machine itself",
  IP_INVALID_SOURCE: "a source that nothing may have",
  IP_INVALID_DEST: "a destination that nothing may have",
  BPF_CGROUP_EGRESS: "a BPF program of a cgroup",
  SOCKET_FILTER: "a filter of the socket",
  IPV6DISABLED: "IPv6 is disabled on the link",
  NEIGH_CREATEFAIL: "no room for a neighbour",
  NEIGH_FAILED: "nothing answers for the link-layer address",
  NEIGH_QUEUEFULL: "too much waits for one link-layer address",
  NEIGH_DEAD: "the neighbour is gone",
  TC_EGRESS: "a program of tc on what leaves",
  TC_INGRESS: "a program of tc on what comes in",
  XDP: "an XDP program",
  SECURITY_HOOK: "a security module",
  QDISC_DROP: "a queueing discipline",
  CPU_BACKLOG: "a CPU's backlog was full",
  PKT_TOO_BIG: "too long for the next link",
  DEV_READY: "the link is down",
  UNHANDLED_PROTO: "a protocol that nothing here takes",
  NO_TX_TARGET: "the bridge or link knows no way on",
  BRIDGE_INGRESS_STP_STATE: "the state of a port of a bridge",
  ARP_PVLAN_DISABLE: "an answer by the link that asked",
  IPV6_NDISC_NS_OTHERHOST: "a neighbour solicitation for somebody else",
};

/** What is dropped, how often, and in which function of the kernel. */
interface Drop {
  readonly reason: string;
  readonly place: string;
  readonly times: number;
}

/** Reads the lines of a trace; drops of sockets are not about packets on their way. */
export function readDrops(text: string): readonly Drop[] {
  const line =
    /kfree_skb: .*\brx_sk=0+ .*location=([\w.]+)\S* reason: (\w+)$/gm;
  const found = new Map<string, Drop>();
  for (const [, place = "", reason = ""] of text.matchAll(line)) {
    const key = `${reason} ${place}`;
    const times = (found.get(key)?.times ?? 0) + 1;
    found.set(key, { reason, place, times });
  }
  return [...found.values()];
}

/** Where packets are let go that have done their work, e.g. questions about routes. */
const noDrops = /^(inet6?_rtm_getroute|ip6_mc_input|netlink_|ping_rcv)/;

/** Drops that may be those of the pings, as evidence. */
export function dropsEvidence(
  where: string,
  drops: readonly Drop[],
): readonly Evidence[] {
  const lines = drops
    .filter(({ times, place }) => times >= sent && !noDrops.test(place))
    .toSorted((a, b) => a.times - b.times)
    .slice(0, 4)
    .map(({ reason, place, times }) => {
      const meaning = meanings[reason];
      return `${reason} ${times} times, in ${place}` +
        (meaning === undefined ? "" : `: ${meaning}`);
    });
  return lines.length === 0 ? [] : [{
    where,
    command: "cat /sys/kernel/tracing/instances/…/trace (skb:kfree_skb)",
    printed: lines.join("\n"),
  }];
}

/**
 * Sends a few pings, and has a machine's kernel say meanwhile what it drops.
 *
 * @returns nothing where the kernel does not say
 */
export async function askDropReasons(
  { sender, address, family }: {
    readonly sender: Place;
    readonly address: string;
    readonly family: Family;
  },
  machine: string,
  runnerOf: (machine: string) => Runner,
  options: RunOptions,
): Promise<readonly Evidence[]> {
  const program = shellProgram("drop_reasons.sh", import.meta.url);
  const protocol = family === 4 ? 0x0800 : 0x86dd;
  const listen =
    cmd`unshare --mount sh -c ${program} drops ${life_seconds} ${protocol}`;
  const ping =
    cmd`sh -c ${`sleep 0.2; exec ping -n -q -c ${sent} -i 0.2 -W 0.2 ${address}`}`;
  const [heard] = await Promise.all([
    runnerOf(machine).run(listen, options),
    runnerOf(sender.machine).run(atPlace(ping, sender), options),
  ]);
  return dropsEvidence(machine, readDrops(heard.stdout));
}
