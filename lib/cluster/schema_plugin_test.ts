// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { parse, refusedWith, small } from "./cluster_file_testing.ts";

Deno.test("pods reach themselves by their Services unless the cluster file says no", () => {
  const said = (lines: string) => parse(`${small}${lines}`).plugin.hairpin;
  assertEquals(said(""), true);
  assertEquals(said("plugin: {}"), true);
  assertEquals(said("plugin: {hairpin: false}"), false);
});

Deno.test("what plugin: may not say is refused, with what it may", () => {
  refusedWith(
    "plugin: {hairpin: no}",
    "c.yaml:3: plugin.hairpin: no is not one of true, false",
  );
  refusedWith(
    "plugin: {portmap: yes}",
    "c.yaml:3: plugin.portmap: yes is not one of auto, true, false",
  );
  refusedWith(
    "plugin: {hairpn: true}",
    "c.yaml:3: plugin.hairpn: no such key; did you mean hairpin?",
  );
  refusedWith(
    "plugin: true",
    "c.yaml:3: plugin: true is no mapping; expected a mapping of hairpin, portmap, daemon, logFile, logLevel",
  );
});
