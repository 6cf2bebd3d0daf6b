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
    ["link eth0: down, mtu 1500", undefined],
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
