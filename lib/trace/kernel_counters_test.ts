// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { countersEvidence, grown, readCounters } from "./kernel_counters.ts";

const text = (noRoutes: number, filter: number) =>
  `Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams OutNoRoutes
Ip: 1 64 1203 0 2 300 ${noRoutes}
Tcp: RtoAlgorithm MaxConn
Tcp: 1 -1
TcpExt: SyncookiesSent IPReversePathFilter
TcpExt: 0 ${filter}
Ip6InReceives                   	12
Ip6InNoRoutes                   	${noRoutes}
`;

Deno.test("counters have their table's name, negative numbers among them", () => {
  const counters = readCounters(text(5, 0));
  assertEquals(counters.get("Ip.InReceives"), 1203);
  assertEquals(counters.get("Tcp.MaxConn"), -1);
  assertEquals(counters.get("Ip6InReceives"), 12);
});

Deno.test("only what tells of a family's drops and grew is told", () => {
  const before = readCounters(text(5, 1));
  const after = readCounters(text(7, 4).replace("1203", "1999"));
  assertEquals([...grown(before, after, 4)], [
    ["Ip.OutNoRoutes", 2],
    ["TcpExt.IPReversePathFilter", 3],
  ]);
  assertEquals([...grown(before, after, 6)], [["Ip6InNoRoutes", 2]]);
});

const devices = (dropped: number, full: string) =>
  `XfrmOutPolBlock         ${dropped}
Softnet 000a19c5 0000000${dropped} 00000004 00000000
Softnet 0009f1ae 00000001 00000002 00000000
Conntrack entries  clashres found new invalid ignore delete chainlength insert insert_failed drop
Conntrack 00000000  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 ${full}
Conntrack 00000000  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001
[{"ifname":"eth0","stats64":{"rx":{"packets":9,"dropped":0},"tx":{"packets":8${dropped},"dropped":${dropped}}}}]
[{"kind":"tbf","dev":"eth0","root":true,"drops":${dropped}}]
`;

Deno.test("links, queues, IPsec, CPUs and connection tracking tell in the kernel's own names", () => {
  const before = readCounters(devices(1, "00000002"));
  const after = readCounters(devices(4, "0000000b"));
  const shown = countersEvidence("worker-1", grown(before, after, 4));
  assertEquals(shown.map(({ command, printed }) => [command, printed]), [
    [
      "cat /proc/net/xfrm_stat",
      "XfrmOutPolBlock +3: an IPsec policy blocks what is sent",
    ],
    [
      "cat /proc/net/softnet_stat",
      "Softnet dropped +3: a CPU's backlog was full, of all namespaces " +
      "(net.core.netdev_max_backlog)",
    ],
    [
      "cat /proc/net/stat/nf_conntrack",
      "Conntrack drop +9: connection tracking was full, or a helper refused it",
    ],
    [
      "ip -s -s link show dev eth0",
      "link eth0 tx dropped +3: could not be sent",
    ],
    [
      "tc -s qdisc show dev eth0",
      "qdisc eth0 tbf +3: the queue had no room, or loses on purpose",
    ],
  ]);
});
