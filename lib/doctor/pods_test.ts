/** What the doctor reads of pods that live. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { found, hostWith, mendOf, one } from "./doctor_testing.ts";

Deno.test("pods whose bridge was deleted are cut off, also where it is made anew without them", () => {
  assertEquals(found("cut-off-pods", []), []);
  const host = hostWith([`"master":"cni0",`, ""]);
  const finding = one(found("cut-off-pods", [], { host }));
  assertEquals(finding.is, "fault");
  assertStringIncludes(finding.what, "2 pods are cut off: ");
  assertStringIncludes(finding.what, "is plugged in nowhere");
  assertStringIncludes(mendOf(finding).join("\n"), "plug cni0 veth");
});

Deno.test("of many pods that are cut off some are named, and all are mended by a line", () => {
  const host = hostWith([`"master":"cni0",`, ""]);
  const [veth] = host.links.filter(({ kind, alias }) =>
    kind === "veth" && alias !== undefined
  );
  assert(veth !== undefined);
  const links = [
    ...host.links.filter(({ name }) => name === "cni0"),
    ...Array.from({ length: 250 }, (_, at) => (
      { ...veth, name: `veth${at}`, alias: `deno-cni deno-cni c${at} eth0` }
    )),
  ];
  const finding = one(
    found("cut-off-pods", [], { host: { ...host, links, pods: [] } }),
  );
  assertStringIncludes(finding.what, "250 pods are cut off: c0 (");
  assertStringIncludes(finding.what, "and 247 more");
  assert("evidence" in finding && finding.evidence.length === 3);
  const [line = "", ...more] = mendOf(finding);
  assertEquals(more, []);
  assertStringIncludes(line, "veth249");
});
