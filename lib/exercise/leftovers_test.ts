/** What a repair by hand leaves, and what takes it away. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { show } from "../exec/command.ts";
import { leftovers } from "./leftovers.ts";

Deno.test("each line that came or went has the command that takes it away or puts it back, where no stage does", () => {
  const rule = "iptables -t nat -A POSTROUTING -s 10.244.1.0/24 -m comment " +
    '--comment "by hand" -j ACCEPT';
  const added = [
    [
      "ip route 10.244.1.0/24 via 10.0.1.11 dev eth0",
      "ip route del 10.244.1.0/24 via 10.0.1.11 dev eth0",
    ],
    [
      "ip route fd00::/64 via fd00:1::2 dev eth0 proto static",
      "ip -6 route del fd00::/64 via fd00:1::2 dev eth0 proto static",
    ],
    [
      rule,
      "iptables -w -t nat -D POSTROUTING -s 10.244.1.0/24 -m comment --comment 'by hand' -j ACCEPT",
    ],
    [
      "iptables -t filter -P INPUT DROP",
      "iptables -w -t filter -P INPUT ACCEPT",
    ],
    ["iptables -t filter -N MINE", "iptables -w -t filter -X MINE"],
    ["address 10.244.1.9/24 on cni0", "ip addr del 10.244.1.9/24 dev cni0"],
    ["link of pod web: down, mtu 1500", undefined],
    ["ip rule 500: from 10.244.1.0/24 lookup 100", "ip rule del pref 500"],
    [
      "ip -6 rule 500: from fd00::/64 lookup 100",
      "ip -6 rule del pref 500",
    ],
    [
      "ip route blackhole 10.244.2.0/24 table 100",
      "ip route del blackhole 10.244.2.0/24 table 100",
    ],
    [
      "neighbour 10.0.1.12 dev eth0 lladdr 02:00:00:00:00:99 PERMANENT",
      "ip neigh del 10.0.1.12 dev eth0",
    ],
    [
      "qdisc tbf dev eth0 root rate 1Mbit burst 5Kb",
      "tc qdisc del dev eth0 root",
    ],
    ["nft inet fw: table inet fw { }", "nft delete table inet fw"],
    [
      "ipsec policy src 10.1.0.0/16 dst 10.2.0.0/16 dir fwd action block",
      "ip xfrm policy del src 10.1.0.0/16 dst 10.2.0.0/16 dir fwd",
    ],
    ["link docker0: up, mtu 1500", "ip link del dev docker0"],
    [
      "file /etc/cni/net.d/05-x.conflist -rw-r--r-- 1 2",
      "rm /etc/cni/net.d/05-x.conflist",
    ],
    [
      "pod web: address 10.9.9.9/32 on eth0",
      "nsenter --net=/run/netns/web ip addr del 10.9.9.9/32 dev eth0",
    ],
  ] as const;
  const gone = [
    ["ip route 10.244.1.0/24 via 10.0.1.11 dev eth0 proto 244", undefined],
    [
      "ip route default via 10.0.1.1 dev eth0",
      "ip route add default via 10.0.1.1 dev eth0",
    ],
    [
      "iptables -t filter -P FORWARD DROP",
      "iptables -w -t filter -P FORWARD DROP",
    ],
    [
      "iptables -t filter -A FORWARD -m comment --comment deno-cni -j ACCEPT",
      undefined,
    ],
    ["net.ipv4.ip_forward = 1", "sysctl -w net.ipv4.ip_forward=1"],
    ["address 10.0.1.11/24 on eth0", "ip addr add 10.0.1.11/24 dev eth0"],
    [
      "link eth0: up, mtu 1500, on br0",
      "ip link set dev eth0 mtu 1500 arp on master br0 up",
    ],
    [
      "pod web: net.ipv4.ip_default_ttl = 64",
      "nsenter --net=/run/netns/web sysctl -w net.ipv4.ip_default_ttl=64",
    ],
  ] as const;
  const found = leftovers("worker-1", {
    added: added.map(([line]) => line),
    gone: gone.map(([line]) => line),
  });
  assertEquals(
    found.map(({ line, mend }) => [line, mend && show(mend)]),
    [...added, ...gone].map((pair) => [...pair]),
  );
});

Deno.test("what has another value now is told once, as it was and as it is", () => {
  const found = leftovers("worker-1", {
    gone: ["link eth0: up, mtu 1500", "pod web: net.ipv4.ip_forward = 0"],
    added: ["link eth0: up, mtu 1400", "pod web: net.ipv4.ip_forward = 1"],
  });
  assertEquals(found.map(({ is, line }) => [is, line]), [
    ["gone", "link eth0: up, mtu 1500 (now link eth0: up, mtu 1400)"],
    [
      "gone",
      "pod web: net.ipv4.ip_forward = 0 (now pod web: net.ipv4.ip_forward = 1)",
    ],
  ]);
});
