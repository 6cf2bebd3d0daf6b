/** Things that lose packets, or send them astray, as a hand breaks them on a lab. */
import type { CauseKind } from "../../lib/diagnosis/cause.ts";
import type { TraceHop } from "../../lib/trace/report.ts";

/** A thing that is broken by hand, and what the trace must say of it. */
export interface Fault {
  readonly name: string;
  readonly from?: string;
  readonly to?: string;
  readonly on?: string;
  /**
   * A line for a shell; `$veth` and `$web` are the host veth and the address
   * of the node's pod "web", `$caller` and `$shell` those of "shell".
   */
  readonly break: string;
  readonly kind: CauseKind;
  /** The machine that has the cause (default: where it was broken). */
  readonly blames?: string;
  /** Part of what is said to be wrong. */
  readonly says: string;
  /** Part of the evidence. */
  readonly shows: string;
  /** The hop at which it ends, if it does: of two with one address, either may win. */
  readonly ends:
    | readonly [
      direction: TraceHop["direction"],
      node: string,
      place: TraceHop["place"],
    ]
    | "delivered"
    | "by chance";
  /** What brings it back beside what is advised: a line for a shell where it was broken. */
  readonly after?: string;
}

/** What sends packets elsewhere, or changes them on their way. */
export const strayFaults: readonly Fault[] = [
  {
    name: "a rule of policy routing looks into a table that refuses",
    break: "ip rule add from 10.244.1.0/24 lookup 100; " +
      "ip route add blackhole 10.244.2.0/24 table 100",
    kind: "routing-rule",
    says: '("from 10.244.1.0/24 lookup 100") is about what goes to 10.244.2.',
    shows: "from 10.244.1.0/24 lookup 100",
    ends: ["there", "worker-1", "routing"],
    after: "ip route flush table 100",
  },
  {
    name: "a rule of policy routing sends marked answers to somebody else",
    on: "worker-2",
    break: "iptables -w -t mangle -A PREROUTING -s 10.244.2.0/24 -j MARK " +
      "--set-mark 7; ip rule add fwmark 7 lookup 101; " +
      "ip route add default via 10.0.1.1 table 101",
    kind: "routing-rule",
    says: 'bears the mark 7 and sends it by "default via 10.0.1.1 dev eth0 ' +
      'table 101"',
    shows: "fwmark 0x7 lookup 101",
    ends: ["back", "outside", "routing"],
    after: "iptables -w -t mangle -F PREROUTING; ip route flush table 101",
  },
  {
    name: "somebody's rule gives what is for the receiver to another",
    break: "iptables -w -t nat -A PREROUTING -d 10.244.2.0/24 -p tcp -j DNAT " +
      "--to-destination 10.244.2.77",
    kind: "rule",
    says: "gives what is for pods of worker-2 to 10.244.2.77 instead",
    shows: "-j DNAT --to-destination 10.244.2.77",
    ends: ["there", "worker-2", "veth"],
  },
  {
    name: "the receiver's node takes for itself what is for its pod",
    on: "worker-2",
    break: "nft add table ip theirs; nft add chain ip theirs pre " +
      "'{ type nat hook prerouting priority -100; }'; " +
      "nft add rule ip theirs pre tcp dport 80 redirect to :99",
    kind: "rule",
    says: "to worker-2 (10.0.1.12) instead",
    shows: "tcp dport 80 redirect to :99",
    ends: "by chance",
    after: "nft delete table ip theirs",
  },
  {
    name: "what is sent is not tracked, and so not masqueraded",
    to: "outside",
    break: "iptables -w -t raw -A PREROUTING -s 10.244.1.0/24 -j CT --notrack",
    kind: "masquerade",
    says: "keeps packets from being tracked: they are not masqueraded",
    shows: "-j CT --notrack",
    ends: ["back", "outside", "output"],
  },
  {
    name: "answers are not tracked, and so not translated back",
    to: "outside",
    break: "nft add table ip strange; " +
      "nft add chain ip strange pre '{ type filter hook prerouting priority raw; }'; " +
      "nft add rule ip strange pre ip daddr 10.0.1.11 notrack",
    kind: "rule",
    says: "so they are not translated back to 10.244.1.",
    shows: "ip daddr 10.0.1.11 notrack",
    ends: ["back", "worker-1", "input"],
  },
  {
    name: "a rule ends the packet's time to live",
    break: "iptables -w -t mangle -A PREROUTING -s 10.244.1.0/24 -j TTL " +
      "--ttl-set 1",
    kind: "packet-path",
    says: "lets packets end by its TTL of 1",
    shows: "-j TTL --ttl-set 1",
    ends: ["there", "worker-1", "routing"],
  },
  {
    name: "a rule of nftables leaves too little of the time to live",
    break: "nft add table ip theirs; nft add chain ip theirs pre " +
      "'{ type filter hook prerouting priority -150; }'; " +
      "nft add rule ip theirs pre ip saddr 10.244.1.0/24 ip ttl set 2",
    kind: "packet-path",
    says: "lets packets end by its TTL: ip saddr 10.244.1.0/24 ip ttl set 2",
    shows: "ip ttl set 2",
    ends: ["there", "worker-2", "routing"],
    after: "nft delete table ip theirs",
  },
  {
    name:
      "the route of the receiver's bridge is gone, and another takes its packets",
    on: "worker-2",
    break: "ip route del 10.244.2.0/24",
    kind: "route",
    says: "worker-2 has no route to its own pods (10.244.2.0/24 dev cni0)",
    shows: "default via 10.0.1.1",
    ends: ["there", "outside", "routing"],
  },
  {
    name: "a rule drops what is long, and no link is narrow",
    on: "worker-2",
    break: "iptables -w -I FORWARD -m length --length 1400: -j DROP",
    kind: "rule",
    says:
      "a rule of FORWARD in the table filter of iptables on worker-2 says " +
      "DROP to packets of 1500 bytes",
    shows: "-m length --length 1400:65535 -j DROP",
    ends: ["there", "worker-2", "forward"],
  },
  {
    name: "two nodes send a packet to each other",
    on: "worker-2",
    break: "ip route add 10.244.2.0/26 via 10.0.1.11",
    kind: "route",
    says: "on worker-2 the network 10.244.2.0/26 takes what is for pods of",
    shows: "10.244.2.0/26 via 10.0.1.11 dev eth0",
    ends: ["there", "worker-2", "routing"],
  },
  {
    name: "a route has an MTU of its own",
    break: "ip route replace 10.244.2.0/24 via 10.0.1.12 proto 244 mtu 1300",
    kind: "mtu",
    says: "has a route that takes packets of 1300 bytes at most",
    shows: '"mtu":1300',
    ends: ["there", "worker-1", "routing"],
  },
  {
    name: "another pod is the gateway, and sends on",
    break: "nsenter --net=/run/netns/web sysctl -qw net.ipv4.ip_forward=1; " +
      "nsenter --net=/run/netns/shell ip route replace default via $web",
    kind: "pod-route",
    says: "pod shell on worker-1 sends to the gateway 10.244.1.",
    shows: `"gateway":"10.244.1.`,
    ends: "delivered",
    after: "nsenter --net=/run/netns/web sysctl -qw net.ipv4.ip_forward=0",
  },
];
