/** What the doctor says of the plugin's daemon. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { usualPlugin } from "../cluster/schema_plugin.ts";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

const wanted = { plugin: { ...usualPlugin, daemon: true } };

/** The worker, with these lines of its daemon. */
const hostOf = (...lines: string[]) =>
  hostWith([
    /PART plugins\n/g,
    `PART daemon\n${lines.join("\n")}\n\nPART plugins\n`,
  ]);

const well = ["installed 12ab", "folder 700 0", "serves 12ab 77"];

Deno.test("a node that is to have no daemon is not asked for one", () => {
  const finding = one(found("daemon", [], { host: hostOf("installed 12ab") }));
  assertEquals(finding.is, "does not apply");
  assertEquals(
    found("daemon", [{}], { host: hostOf(...well), cluster: wanted }),
    [],
  );
});

Deno.test("a daemon that is dead, or of another version, is a warning once stage 05 has run", () => {
  for (
    const [lines, says] of [
      [well.slice(0, 2), "the plugin's daemon does not run"],
      [
        ["installed 34cd", ...well.slice(1)],
        "process 77 is a daemon of version 12ab, and 34cd is installed",
      ],
    ] as const
  ) {
    const host = hostOf(...lines);
    const [finding] = found("daemon", [{}], { host, cluster: wanted });
    assert(finding?.is === "warning");
    assertStringIncludes(finding.what, says);
    assertStringIncludes(mendOf(finding)[0] ?? "", "05-plugin");
  }
});

Deno.test("where systemd runs a daemon is wanted unless the cluster file says no", () => {
  const host = hostOf("installed 12ab", "systemd");
  const on = (plugin: object) =>
    one(found("daemon", [], { host, cluster: { provider: "ssh", ...plugin } }));
  assertEquals(on({}).is, "warning");
  assertEquals(
    on({ plugin: { ...usualPlugin, daemon: false } }).is,
    "does not apply",
  );
});

Deno.test("a folder that is open to others is a fault", () => {
  for (const folder of ["folder 755 0", "folder 700 1000"]) {
    const host = hostOf(well[0]!, folder, well[2]!);
    const finding = one(found("daemon", [{}], { host, cluster: wanted }));
    assertEquals(finding.is, "fault");
    assertStringIncludes(finding.what, "others than root can answer");
    assertStringIncludes(mendOf(finding).join("\n"), "chmod 700");
  }
});

Deno.test("figures that cannot be had are unknown", () => {
  const host = hostOf(...well);
  for (const answers of [[], [{ code: 127, stdout: "", stderr: "no" }]]) {
    const finding = one(found("daemon", answers, { host, cluster: wanted }));
    assertEquals(finding.is, "unknown");
  }
});

Deno.test("calls that went the slow way are told with their reason, GC's aside", () => {
  const stdout = `deno_cni_calls_given_back_total{reason="gc"} 9
deno_cni_calls_given_back_total{reason="rights"} 3
`;
  const host = hostOf(...well);
  const finding = one(
    found("daemon", [{ stdout }], { host, cluster: wanted }),
  );
  assertEquals(finding.is, "warning");
  assertStringIncludes(finding.what, "3 calls went the slow way");
  assertStringIncludes(finding.what, "umask");
});
