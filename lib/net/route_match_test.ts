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

Deno.test("of many routes the same one counts as of few", () => {
  const few = [
    { dst: "default", metric: 20, via: "last" },
    { dst: "0.0.0.0/0", metric: 10, via: "all" },
    { dst: "broadcast", via: "none" },
    { dst: "10.244.2.9", metric: 900, via: "alone" },
    { dst: "10.244.2.9/32", metric: 1, via: "as long" },
    { dst: "10.244.0.0/16", via: "wide" },
    { dst: "10.244.2.0/24", metric: 9, via: "later" },
    { dst: "10.244.2.0/24", metric: 3, via: "first" },
    { dst: "10.244.2.0/24", metric: 3, via: "second" },
    { dst: "fd00::/8", via: "six" },
    { dst: "fd00::1", via: "six alone" },
  ];
  const more = Array.from(
    { length: 40 },
    (_, at) => ({ dst: `10.99.${at}.0/24`, via: `${at}` }),
  );
  for (
    const address of [
      ...["10.244.2.9", "10.244.2.8", "10.244.3.1", "192.0.2.1", "fd00::1"],
      ...["fd00::2", "2001:db8::1", "nonsense"],
    ]
  ) {
    const expected = longestMatch(few, address);
    assertEquals(longestMatch([...more, ...few], address), expected, address);
    assertEquals(longestMatch([...few, ...more], address), expected, address);
  }
  assertEquals(longestMatch([...few, ...more], "10.99.7.3")?.via, "7");
});
