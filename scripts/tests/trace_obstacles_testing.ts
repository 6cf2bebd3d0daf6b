/**
 * What ends packets on the kernel's path beside iptables' FORWARD, down the way
 * that a packet goes: each as a shell makes it, and the words for it.
 */

import { across, fartherDown, inPod } from "./kernel_obstacles_testing.ts";

/** A fault, and what is said of it. */
export interface LabObstacle {
  readonly name: string;
  readonly on: string;
  /** A line for a shell; `$web`, `$shell` are the host veths of the node's pods, `$mac` the first's. */
  readonly make: string;
  /** Part of what doctor, trace and stage 09 say. */
  readonly says: string;
  /** Part of the evidence. */
  readonly shows: string;
  /** The doctor's word for it. */
  readonly is: "fault" | "warning";
  /** The ends of a trace that meets it; none where the doctor alone is asked. */
  readonly traced?: readonly [from: string, to: string];
  /** What its advice does not take away. */
  readonly after?: string;
}

/**
 * An object for the BPF loader, gzipped: a section "xdp" that returns 1
 * (XDP_DROP) and a section "tc" that returns 2 (TC_ACT_SHOT). Made by
 * `llvm-mc -triple bpfel -filetype=obj`.
 */
const bpf = "H4sIAAAAAAACA6t39XFjYmRkgAFGhu8MCB4CPEBiO0BJdqDK7WA9DAxToXIgPhMS" +
  "3z3AhwEf4AFiIQZmOF8ASrODxVkwxBn0SlIrShiKM/JLGFKK8gsYKlIKGHIyk1Pz" +
  "ilMZSpIZ9IpLikoSk4B0ZS6IphQoADEzFvENUNoATZwRCx+E2dDEHXDYx4LGFySg" +
  "X4CA/bI49AcQqV8UKoYeBgk43IuuXwOaHtBBBpT2QAsnDihfAhpzAGC/7tygAgAA";

const object = `echo ${bpf} | base64 -d | gunzip >/run/drop.o; ` +
  "mkdir -p /run/bpf; export TC_BPF_MNT=/run/bpf; " +
  "mountpoint -q /run/bpf || mount -t bpf bpf /run/bpf";

/** Such a chain as a firewall of its own would make it. */
const nft = (family: string, hook: string, rule = "") =>
  `nft add table ${family} fw; nft add chain ${family} fw c ` +
  `'{ type filter hook ${hook} priority 0; policy ${
    rule === "" ? "drop" : "accept"
  }; }'` + (rule === "" ? "" : `; nft add rule ${family} fw c ${rule}`);

export const labObstacles: readonly LabObstacle[] = [
  {
    name: "a pod with too wide a network",
    on: "worker-1",
    make: `address=$(${inPod("shell")} ip -br -4 addr show dev eth0 | ` +
      "awk '{print $3}'); " +
      `${inPod("shell")} sh -euc "ip addr add \${address%/*}/16 dev eth0; ` +
      `ip addr del $address dev eth0; ` +
      'ip route replace default via 10.244.1.1"',
    says: "it asks its own link for what is elsewhere",
    shows: "/16",
    is: "fault",
  },
  {
    name: "a pod that sends by another gateway",
    on: "worker-1",
    make: `${inPod("web")} ip route replace default via 10.244.1.99`,
    says: "sends to the gateway 10.244.1.99, and its gateway, the bridge cni0",
    shows: "default via 10.244.1.99",
    is: "fault",
  },
  {
    name: "a pod that may send nothing",
    on: "worker-2",
    make: `${inPod("web")} iptables -w -P OUTPUT DROP`,
    says: "OUTPUT in the table filter of iptables on web on worker-2 says DROP",
    shows: "-P OUTPUT DROP",
    is: "fault",
  },
  {
    name: "a pod whose packets pass no machine",
    on: "worker-1",
    make: `${inPod("shell")} sysctl -qw net.ipv4.ip_default_ttl=1`,
    says: "what shell on worker-1 sends passes no machine",
    shows: "net.ipv4.ip_default_ttl = 1",
    is: "fault",
    traced: across,
  },
  {
    name: "a pod that answers no ping",
    on: "worker-2",
    make: `${inPod("web")} sysctl -qw net.ipv4.icmp_echo_ignore_all=1`,
    says: "web on worker-2 answers no ping",
    shows: "icmp_echo_ignore_all = 1",
    is: "warning",
  },
  {
    name: "a pod that asks for no link-layer address",
    on: "worker-2",
    make: `${inPod("shell")} ip link set dev eth0 arp off`,
    says: "ARP is off on eth0 of shell on worker-2",
    shows: "NOARP",
    is: "fault",
  },
  {
    name: "an address on a pod's veth",
    on: "worker-1",
    make: "ip addr add 192.168.7.9/24 dev $web",
    says: "has the address 192.168.7.9/24, and is a pod's veth",
    shows: "inet 192.168.7.9/24",
    is: "warning",
  },
  {
    name: "two ports of a bridge that are isolated",
    on: "worker-2",
    make: "bridge link set dev $web isolated on; " +
      "bridge link set dev $shell isolated on",
    says: "is isolated: what comes by another isolated port",
    shows: "isolated on",
    is: "fault",
  },
  {
    name: "a port that gets no broadcast",
    on: "worker-1",
    make: "bridge link set dev $web bcast_flood off",
    says: "gets no broadcast",
    shows: "bcast_flood off",
    is: "warning",
  },
  {
    name: "a port that is locked",
    on: "worker-1",
    make: "bridge link set dev $shell locked on",
    says: "is locked: what its pod sends is dropped",
    shows: "locked on",
    is: "warning",
  },
  {
    name: "a frame's way that was written down by hand",
    on: "worker-1",
    make: "bridge fdb replace $mac dev $shell master permanent",
    says: "is the node's own, and that pod is behind",
    shows: "master cni0 permanent",
    is: "fault",
  },
  {
    name: "a filter of tc that sends elsewhere",
    on: "worker-1",
    make: "tc qdisc add dev $shell ingress; tc filter add dev $shell parent " +
      "ffff: protocol ip u32 match u32 0 0 action mirred egress redirect dev lo",
    says: "tc has a filter that sends elsewhere what comes in by",
    shows: "mirred",
    is: "warning",
    after: "tc qdisc del dev $shell ingress",
  },
  {
    name: "nftables of the family bridge",
    on: "worker-2",
    make: nft("bridge", "output", "ip daddr 10.244.2.0/24 drop"),
    says: "a rule of the chain bridge fw c of nftables on worker-2 drops: " +
      "ip daddr 10.244.2.0/24 drop",
    shows: "ip daddr 10.244.2.0/24 drop",
    is: "fault",
  },
  {
    name: "nftables of the family arp",
    on: "worker-2",
    make: nft("arp", "input"),
    says: "the policy of the chain arp fw c of nftables on worker-2 drops ARP",
    shows: "policy drop",
    is: "fault",
  },
  {
    name: "a rule in the table raw",
    on: "worker-2",
    make: "iptables -w -t raw -A PREROUTING -s 10.244.1.0/24 -j DROP",
    says: "PREROUTING in the table raw of iptables on worker-2 says DROP: -A",
    shows: "-A PREROUTING -s 10.244.1.0/24 -j DROP",
    is: "fault",
  },
  {
    name: "a rule that keeps connections from being tracked",
    on: "worker-1",
    make: "iptables -w -t raw -A PREROUTING -i eth0 -j CT --notrack",
    says: "keeps packets from being tracked: they are not masqueraded",
    shows: "-j CT --notrack",
    is: "fault",
    traced: ["worker-1/shell", "outside"],
  },
  {
    name: "a rule about long packets",
    on: "worker-2",
    make: "iptables -w -I FORWARD -m length --length 1000:65535 -j DROP",
    says: "FORWARD in the table filter of iptables on worker-2 says DROP to " +
      "packets of 1500 bytes",
    shows: "-m length --length 1000:65535",
    is: "warning",
    traced: across,
  },
  {
    name: "a source that nobody has",
    on: "worker-1",
    make: "iptables -w -t nat -I POSTROUTING -s 10.244.1.0/24 -o eth0 -j " +
      "SNAT --to-source 10.0.1.99",
    says: "writes 10.0.1.99 as the source, which worker-1 does not have",
    shows: "--to-source 10.0.1.99",
    is: "fault",
    traced: across,
  },
  {
    name: "a route into another link than the owner's",
    on: "worker-1",
    make: "ip route add 10.244.2.0/26 dev cni0",
    says: "the network 10.244.2.0/26 takes what is for pods of worker-2",
    shows: "10.244.2.0/26 dev cni0",
    is: "fault",
    traced: across,
  },
  {
    name: "another bridge with a podCIDR's address",
    on: "worker-1",
    make: "ip link add docker0 type bridge; " +
      "ip addr add 10.244.2.1/24 dev docker0; ip link set dev docker0 up",
    says: "docker0 of worker-1 has the address 10.244.2.1/24, of the pods of " +
      "worker-2",
    shows: "inet 10.244.2.1/24",
    is: "warning",
    after: "ip link del docker0",
  },
  {
    name: "an IPsec policy that blocks",
    on: "worker-2",
    make: "ip xfrm policy add src 10.244.1.0/24 dst 10.244.2.0/24 dir fwd " +
      "action block",
    says: "an IPsec policy (fwd) of worker-2 blocks what goes from " +
      "10.244.1.0/24",
    shows: "action block",
    is: "fault",
  },
  {
    name: "a neighbour that was written down wrong",
    on: "worker-1",
    make: "ip neigh replace 10.0.1.12 lladdr 02:00:00:00:00:99 dev eth0 " +
      "nud permanent",
    says: "02:00:00:00:00:99",
    shows: "02:00:00:00:00:99",
    is: "fault",
  },
  {
    name: "a node that asks for no link-layer address",
    on: "worker-2",
    make: "sysctl -qw net.ipv4.neigh.cni0.mcast_solicit=0",
    says: "worker-2 asks for no link-layer address on cni0",
    shows: "net.ipv4.neigh.cni0.mcast_solicit = 0",
    is: "fault",
  },
  {
    name: "an XDP program on the receiver's node",
    on: "worker-2",
    make: `${object}; ip link set dev eth0 xdpgeneric obj /run/drop.o sec xdp`,
    says: "an XDP program (drop) is on eth0 of worker-2",
    shows: "prog/xdp",
    is: "warning",
  },
  {
    name: "a program of tc on what comes in",
    on: "worker-2",
    make: `${object}; tc qdisc add dev eth0 clsact; ` +
      "tc filter add dev eth0 ingress bpf da obj /run/drop.o sec tc",
    says: "tc has a program (shot) on what comes in by eth0 of worker-2",
    shows: "bpf",
    is: "warning",
  },
  {
    name: "nftables of the family netdev",
    on: "worker-2",
    make: nft("netdev", "ingress device eth0", "ip saddr 10.244.1.0/24 drop"),
    says: "a rule of the chain netdev fw c of nftables on worker-2 drops",
    shows: "ip saddr 10.244.1.0/24 drop",
    is: "fault",
  },
  {
    name: "no ARP on a link",
    on: "master",
    make: "ip link set dev eth0 arp off",
    says: "ARP is off on eth0 of master",
    shows: "NOARP",
    is: "fault",
  },
  ...fartherDown,
];
