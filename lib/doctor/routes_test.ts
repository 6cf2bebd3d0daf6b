/** What the doctor reads of routes that have several next hops. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { hostWith } from "../inventory/host_testing.ts";
import { found, mendOf, one } from "./doctor_testing.ts";

/** As iproute2 6.1 prints it. */
const shared = (to: string, ...via: string[]) =>
  `{"dst":"${to}","flags":[],"nexthops":[${
    via.map((gateway) =>
      `{"gateway":"${gateway}","dev":"eth0","weight":1,"flags":[]}`
    ).join(",")
  }]}`;

const own =
  '{"dst":"10.244.2.0/24","gateway":"10.0.1.12","dev":"eth0","protocol":"244","flags":[]}';

Deno.test("a route to another node's pods that shares packets with another machine is named once", () => {
  const routeTo = (...via: string[]) => ({
    host: hostWith([own, shared("10.244.2.0/24", ...via)]),
  });
  assertEquals(
    one(found("routes", [], routeTo("10.0.1.12", "10.0.1.10"))).what,
    "the route to the pods of worker-2 goes through it for some packets alone: others go to 10.0.1.10",
  );
  assertEquals(
    one(found("routes", [], routeTo("10.0.1.1", "10.0.1.10"))).what,
    "the route to the pods of worker-2 does not go through it",
  );
  assertEquals(found("routes", [], routeTo("10.0.1.12", "10.0.1.12")), []);
  assertEquals(found("overlap", [], routeTo("10.0.1.12", "10.0.1.10")), []);
});

Deno.test("another network within the pod network is told once, by however many next hops it is reached", () => {
  const host = hostWith([
    own,
    `${own},${shared("10.244.64.0/20", "10.0.1.12", "10.0.1.10")}`,
  ]);
  assertEquals(mendOf(one(found("overlap", [], { host }))), [
    'make shell NODE=worker-1 ARGS="-- ip route del 10.244.64.0/20"',
  ]);
});

Deno.test("a route of ours to pods of no node is a warning, with what takes it away", () => {
  const host = hostWith([
    own,
    `${own},${own.replace("10.244.2.0", "10.244.9.0")}`,
  ]);
  const finding = one(found("routes", [], { host }));
  assertEquals(finding.is, "warning");
  assertEquals(mendOf(finding), [
    'make shell NODE=worker-1 ARGS="-- ip -4 route del 10.244.9.0/24 proto 244"',
  ]);
});
