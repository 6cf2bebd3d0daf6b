// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { grown, readCounters } from "./kernel_counters.ts";

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
