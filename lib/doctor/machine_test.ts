/** What the doctor reads of a node as a machine. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

Deno.test("a plugin that is there and does not run is a fault, one that is gone is another check's", () => {
  const broken = {
    code: 126,
    stderr: "cannot execute: required file not found",
  };
  const finding = one(found("plugin-runs", [broken]));
  assertEquals(finding.is, "fault");
  assertEquals(mendOf(finding), ['make 05-plugin ARGS="--node worker-1"']);
  const gone = hostWith(["PART plugins\ndeno-cni\n", "PART plugins\n"]);
  assertEquals(found("plugin-runs", [broken], { host: gone }), []);
});

Deno.test("what the plugin's launcher starts is missed by its name, also while a daemon answers in its stead", () => {
  const lacks = "lacks /opt/cni/lib/deno-cni/deno\n";
  const dead = one(found("plugin-runs", [{ code: 127, stdout: lacks }]));
  assertEquals(
    dead.what,
    "/opt/cni/lib/deno-cni/deno, which /opt/cni/bin/deno-cni starts, is gone: " +
      "no pod can start or end",
  );
  assertEquals(mendOf(dead), ['make 05-plugin ARGS="--node worker-1"']);
  const stdout = `${lacks}{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}`;
  const served = one(found("plugin-runs", [{ stdout }]));
  assertStringIncludes(served.what, "once that ends");
});

Deno.test("plugins that a configuration names, and loopback on machines, have to be there", () => {
  const host = hostWith([
    `"plugins": [`,
    `"plugins": [ {"type": "portmap"},`,
  ]);
  const finding = one(found("programs", [], { host }));
  assertStringIncludes(finding.what, "no program /opt/cni/bin/portmap");
  const real = one(found("programs", [], { cluster: { provider: "ssh" } }));
  assertStringIncludes(real.what, "/opt/cni/bin/loopback");
  assertStringIncludes(
    mendOf(real)[1] ?? "",
    "ln -s /usr/lib/cni/loopback /opt/cni/bin/loopback",
  );
});

Deno.test("containerd that looks elsewhere, as Debian's does, is a fault on machines", () => {
  const cluster = { provider: "ssh" } as const;
  const lines = '/etc/containerd/config.toml:      bin_dir = "/usr/lib/cni"\n' +
    '/etc/containerd/config.toml:      conf_dir = "/etc/cni/net.d"\n';
  const finding = one(
    found("runtime-folders", [{ stdout: lines }], { cluster }),
  );
  assertStringIncludes(finding.what, "containerd's bin_dir is /usr/lib/cni");
  const right = lines.replace("/usr/lib/cni", "/opt/cni/bin");
  assertEquals(found("runtime-folders", [{ stdout: right }], { cluster }), []);
  assertEquals(found("runtime-folders", [{ stdout: "" }], { cluster }), []);
  assertEquals(one(found("runtime-folders", [])).is, "does not apply");
});

Deno.test("modules are asked for on machines", () => {
  const cluster = { provider: "ssh" } as const;
  const half = one(found("modules", [{ stdout: "overlay\n" }], { cluster }));
  assertStringIncludes(half.what, "br_netfilter is not loaded");
  const both = [{ stdout: "overlay\nbr_netfilter\n" }];
  assertEquals(found("modules", both, { cluster }), []);
});

Deno.test("a clock is off that is outside the time of asking by more than five seconds", () => {
  const at = (time: string) => found("clock", [{ stdout: time }]);
  assertEquals(at("999996\n"), []);
  assertStringIncludes(one(at("999000\n")).what, "1000 s behind");
  assertStringIncludes(one(at("1000061\n")).what, "60 s ahead of");
});
