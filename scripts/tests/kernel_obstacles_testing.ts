/**
 * More of what ends packets on the kernel's path, written down hook by hook and
 * hand-over by hand-over: the pod's own side, netfilter's tables, routing,
 * IPsec, neighbours, queues. Each can be there together with all others.
 */
import type { LabObstacle } from "./trace_obstacles_testing.ts";

export const inPod = (pod: string) => `nsenter --net=/run/netns/${pod}`;

export const across = ["worker-1/shell", "worker-2/web"] as const;

/** A table of nftables with one chain, and this before its rule. */
const table = (name: string, hook: string, rule: string, before = "") =>
  `nft add table ip ${name}; nft add chain ip ${name} c ` +
  `'{ type filter hook ${hook} priority 0; policy accept; }'; ${before}` +
  `nft add rule ip ${name} c ${rule}`;

const inPods: readonly LabObstacle[] = [
  {
    name: "a rule of policy routing in a pod that refuses",
    on: "worker-1",
    make: `${inPod("shell")} ip rule add to 10.244.2.0/24 prohibit`,
    says: "a rule of policy routing on shell on worker-1 " +
      '("from all to 10.244.2.0/24 prohibit") is about what goes to 10.244.2.',
    shows: "from all to 10.244.2.0/24 prohibit",
    is: "fault",
    traced: across,
  },
  {
    name: "a pod that sends from an address of no pod",
    on: "worker-2",
    make: `${inPod("shell")} ip addr add 172.20.0.9/32 dev eth0; ` +
      `${inPod("shell")} ip route replace default via 10.244.2.1 ` +
      "src 172.20.0.9",
    says: "shell on worker-2 sends from 172.20.0.9, which is no address of " +
      "its podCIDR 10.244.2.0/24",
    shows: "src 172.20.0.9",
    is: "fault",
    after: `${inPod("shell")} ip addr del 172.20.0.9/32 dev eth0`,
  },
  {
    name: "a pod's route into another link",
    on: "worker-2",
    make: `${inPod("web")} ip link add other type bridge; ` +
      `${inPod("web")} ip link set dev other up; ` +
      `${inPod("web")} ip route add 10.244.1.0/24 dev other`,
    says: "web on worker-2 has a route into another link than eth0: " +
      "10.244.1.0/24 dev other",
    shows: "10.244.1.0/24 dev other",
    is: "fault",
    after: `${inPod("web")} ip link del other`,
  },
  {
    name: "a pod that lets no answer to a ping leave",
    on: "worker-2",
    make: `${inPod("shell")} iptables -w -A OUTPUT -p icmp ` +
      "--icmp-type echo-reply -j DROP",
    says: "OUTPUT in the table filter of iptables on shell on worker-2 says " +
      "DROP to ICMP",
    shows: "--icmp-type 0 -j DROP",
    is: "warning",
  },
  {
    name: "a rule of raw in a pod",
    on: "worker-1",
    make: `${inPod("web")} iptables -w -t raw -A PREROUTING ` +
      "-s 10.244.2.0/24 -j DROP",
    says:
      "PREROUTING in the table raw of iptables on web on worker-1 says DROP",
    shows: "-A PREROUTING -s 10.244.2.0/24 -j DROP",
    is: "fault",
  },
  {
    name: "a pod that has its gateway written down wrong",
    on: "worker-1",
    make: `${inPod("web")} ip neigh replace 10.244.1.1 ` +
      "lladdr 02:00:00:00:00:77 dev eth0 nud permanent",
    says: "web on worker-1 has 02:00:00:00:00:77 written down for 10.244.1.1",
    shows: "02:00:00:00:00:77",
    is: "fault",
  },
];

const inNetfilter: readonly LabObstacle[] = [
  {
    name: "a set of nftables",
    on: "worker-1",
    make: table(
      "sets",
      "forward",
      "ip daddr @bad drop",
      "nft add set ip sets bad '{ type ipv4_addr; flags interval; " +
        "elements = { 10.244.2.0/24 }; }'; ",
    ),
    says: "a rule of the chain ip sets c of nftables on worker-1 drops: " +
      "ip daddr @bad drop",
    shows: "ip daddr @bad drop",
    is: "fault",
    traced: across,
  },
  {
    name: "a verdict map of nftables",
    on: "worker-2",
    make: table(
      "maps",
      "prerouting",
      "ip saddr vmap '{ 10.244.1.0/24 : drop }'",
    ),
    says: "a rule of the chain ip maps c of nftables on worker-2 drops: " +
      "ip saddr vmap",
    shows: "10.244.1.0/24 : drop",
    is: "fault",
  },
  {
    name: "a TTL that nftables writes",
    on: "worker-2",
    make: table(
      "hops",
      "postrouting",
      "ip daddr 10.244.1.0/24 ip ttl set 1",
    ),
    says:
      "a rule of the chain ip hops c of nftables on worker-2 lets packets " +
      "end by its TTL",
    shows: "ip ttl set 1",
    is: "fault",
  },
  {
    name: "a TTL that iptables writes",
    on: "worker-1",
    make:
      "iptables -w -t mangle -A FORWARD -d 10.244.2.0/24 -j TTL --ttl-set 1",
    says: "FORWARD in the table mangle of iptables on worker-1 lets packets " +
      "end by its TTL of 1",
    shows: "--ttl-set 1",
    is: "fault",
  },
  {
    name: "pods' packets that are given to somebody else",
    on: "worker-2",
    make: "iptables -w -t nat -I PREROUTING -d 10.244.1.0/24 -j DNAT " +
      "--to-destination 10.244.1.77",
    says: "PREROUTING in the table nat of iptables on worker-2 gives what is " +
      "for pods of worker-1 to 10.244.1.77 instead",
    shows: "--to-destination 10.244.1.77",
    is: "fault",
  },
  {
    name: "a rule ahead of the masquerade",
    on: "worker-2",
    make:
      "iptables -w -t nat -I POSTROUTING -s 10.244.2.0/24 -o eth0 -j ACCEPT",
    says: "POSTROUTING in the table nat of iptables on worker-2 keeps what " +
      "pods send to the outside from being masqueraded",
    shows: "-o eth0 -j ACCEPT",
    is: "fault",
    traced: ["worker-2/shell", "outside"],
  },
  {
    name: "the table security",
    on: "worker-1",
    make: "iptables -w -t security -A FORWARD -d 10.244.2.0/24 -j DROP",
    says: "FORWARD in the table security of iptables on worker-1 says DROP",
    shows: "-A FORWARD -d 10.244.2.0/24 -j DROP",
    is: "fault",
    traced: across,
  },
  {
    name: "the old iptables beside the new one",
    on: "worker-2",
    make: "iptables-legacy -w -A FORWARD -s 10.244.1.0/24 -j DROP",
    says:
      "FORWARD in the table filter of iptables-legacy on worker-2 says DROP",
    shows: "-A FORWARD -s 10.244.1.0/24 -j DROP",
    is: "fault",
    traced: across,
  },
  {
    name: "a queue to a program that is not there",
    on: "worker-2",
    make: "iptables -w -t mangle -A POSTROUTING -d 10.244.2.0/24 -j NFQUEUE",
    says:
      "POSTROUTING in the table mangle of iptables on worker-2 says NFQUEUE",
    shows: "-j NFQUEUE",
    is: "fault",
  },
  {
    name: "a refusal of what goes to one other node's pods",
    on: "worker-1",
    make: "iptables -w -I FORWARD -d 10.244.2.0/24 -j REJECT",
    says: "a rule of worker-1 that is not this tool's says REJECT in FORWARD",
    shows: "-A FORWARD -d 10.244.2.0/24 -j REJECT",
    is: "fault",
    traced: across,
  },
];

const inRouting: readonly LabObstacle[] = [
  {
    name: "a local route for somebody else's pods",
    on: "worker-1",
    make: "ip route add local 10.244.2.0/28 dev lo",
    says: "worker-1 has a route that takes what is for pods of worker-2 for " +
      "its own: local 10.244.2.0/28 dev lo",
    shows: "local 10.244.2.0/28",
    is: "fault",
    traced: across,
  },
  {
    name: "a route into a tunnel",
    on: "master",
    make: "ip route add 10.244.2.0/28 encap ip id 7 dst 10.0.1.12 dev eth0",
    says: "master has a route that puts what is for pods of worker-2 into a " +
      "tunnel: 10.244.2.0/28 encap ip",
    shows: "encap ip id 7",
    is: "fault",
  },
  {
    name: "a route that sends to the next table",
    on: "worker-2",
    make: "ip route add throw 10.244.1.0/28",
    says: "worker-2 has a route that leads nowhere for pods of worker-1: " +
      "throw 10.244.1.0/28",
    shows: "throw 10.244.1.0/28",
    is: "fault",
  },
  {
    name: "a next hop that is a black hole",
    on: "master",
    make: "ip nexthop add id 9 blackhole; ip route add 10.244.1.0/28 nhid 9",
    says: "master has a route that leads nowhere for pods of worker-1: " +
      "blackhole 10.244.1.0/28",
    shows: "blackhole 10.244.1.0/28",
    is: "fault",
    after: "ip nexthop del id 9",
  },
  {
    name: "a pod's address on the node's lo",
    on: "worker-2",
    make: "ip addr add 10.244.1.9/32 dev lo",
    says: "lo of worker-2 has the address 10.244.1.9/32, of the pods of " +
      "worker-1",
    shows: "inet 10.244.1.9/32",
    is: "warning",
  },
  {
    name: "an IPsec policy without a state",
    on: "worker-1",
    make: "ip xfrm policy add src 10.244.1.0/24 dst 10.244.2.0/24 dir out " +
      "tmpl src 10.0.1.11 dst 10.0.1.12 proto esp mode tunnel",
    says: "an IPsec policy (out) of worker-1 wants encrypted what goes from " +
      "10.244.1.0/24 to 10.244.2.0/24, and there is no state to do it with",
    shows: "proto esp",
    is: "fault",
  },
  {
    name: "a pod that its node has written down wrong",
    on: "worker-2",
    make: "ip neigh replace $address lladdr 02:00:00:00:00:66 dev cni0 " +
      "nud permanent",
    says: "worker-2 has 02:00:00:00:00:66 written down for 10.244.2.",
    shows: "02:00:00:00:00:66",
    is: "fault",
    traced: across,
  },
  {
    name: "a queue without room",
    on: "master",
    make: "tc qdisc add dev eth0 root pfifo limit 0; " +
      "ping -q -c 1 -W 0.1 10.0.1.1 >/dev/null || :",
    says: "pfifo on eth0 of master has dropped packets that should leave there",
    shows: "qdisc pfifo",
    is: "warning",
  },
];

export const fartherDown: readonly LabObstacle[] = [
  ...inPods,
  ...inNetfilter,
  ...inRouting,
];
