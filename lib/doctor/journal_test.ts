/** What the doctor says of a damaged journal. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

Deno.test("a journal that cannot be understood is a fault, and is put aside before the stages write it anew", () => {
  assertEquals(found("journal", []), []);
  const host = hostWith([`{"version":1,`, `{"version":1;`]);
  const finding = one(found("journal", [], { host }));
  assertEquals(finding.is, "fault");
  assertStringIncludes(finding.what, "its journal is damaged");
  assertEquals(mendOf(finding), [
    'make shell NODE=worker-1 ARGS="-- mv /var/lib/deno-cni/journal ' +
    '/var/lib/deno-cni/journal.damaged"',
    "make up",
  ]);
});
