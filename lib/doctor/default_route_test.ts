/** What the doctor reads of the way out of the cluster. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { found, mendOf, one, settings } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

const without = (by = "") =>
  hostWith([/\{[^{}]*"dst":"default"[^{}]*\},?/g, by]);

const says = (host = without()) =>
  found("default-route", [{ stdout: settings }], { host });

Deno.test("a node without a default route is told of, and one that leads nowhere is none", () => {
  assertEquals(found("default-route", []), []);
  const finding = one(says());
  assertEquals(finding.is, "warning");
  assertStringIncludes(finding.what, "no IPv4 default route");
  assertStringIncludes(
    mendOf(finding).join(),
    "ip route add default via 10.0.1.1",
  );
  const nowhere = '{"type":"unreachable","dst":"default","dev":"lo"},';
  assertEquals(one(says(without(nowhere))).is, "warning");
});

Deno.test("a default route by several next hops is one", () => {
  const several = '{"dst":"default","nexthops":[' +
    '{"gateway":"10.0.1.1","dev":"eth0"},{"gateway":"10.0.2.1","dev":"eth1"}]},';
  assertEquals(says(without(several)), []);
});
