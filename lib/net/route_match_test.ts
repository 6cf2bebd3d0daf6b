// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { longestMatch } from "./route_match.ts";

Deno.test("of several routes the longest prefix counts", () => {
  const routes = [
    { dst: "default", gateway: "10.0.1.1" },
    { dst: "10.244.0.0/16", gateway: "10.0.1.7" },
    { dst: "10.244.2.0/24", gateway: "10.0.1.12" },
  ];
  const via = (address: string) => longestMatch(routes, address)?.gateway;
  assertEquals(via("10.244.2.3"), "10.0.1.12");
  assertEquals(via("10.244.3.3"), "10.0.1.7");
  assertEquals(via("192.0.2.1"), "10.0.1.1");
  assertEquals(longestMatch([], "192.0.2.1"), undefined);
});

Deno.test("of routes as exact as each other the least metric counts, whatever a machine prints beside", () => {
  const routes = [
    { dst: "broadcast", metric: 0, dev: "lo" },
    { dst: "10.244.2.0/24", metric: 200, dev: "eth1" },
    { dst: "10.244.2.0/24", metric: 100, dev: "eth0" },
    { dst: "fd00::/8", dev: "six" },
    { dst: "10.244.2.9", metric: 900, dev: "alone" },
  ];
  const by = (address: string) => longestMatch(routes, address)?.dev;
  assertEquals(by("10.244.2.3"), "eth0");
  assertEquals(by("10.244.2.9"), "alone");
  assertEquals(by("fd00::1"), "six");
  assertEquals(by("192.0.2.1"), undefined);
});
