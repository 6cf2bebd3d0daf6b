// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dualCluster, labCluster } from "../cluster/cluster_testing.ts";
import type { PluginSettings } from "../cluster/schema_plugin.ts";
import type { Plan } from "../stage/stage.ts";
import { conflist, conflistIs, withoutPortmap } from "./conflist.ts";

const cluster = labCluster({ name: "lab", stateDir: "/state/lab" });

function planned(plugin: Partial<PluginSettings> = {}): Plan {
  const [, node] = cluster.nodes;
  assert(node);
  return {
    cluster: { ...cluster, plugin: { ...cluster.plugin, ...plugin } },
    node,
  };
}

function answer(
  plan: Plan,
  portmap: "has" | "lacks",
  text: string,
  mode = "600",
  written = "",
) {
  const lines = written === "" ? "" : written.replace(/^/gm, "written: ");
  const stdout = `${portmap}\n${mode}\n${
    lines.replace(/written: $/, "")
  }${text}`;
  return conflistIs(plan).read({ code: 0, stdout, stderr: "" });
}

Deno.test("the list is JSON with portmap and without, which is our plugin's result to read", () => {
  const types = (text: string) =>
    (JSON.parse(text).plugins as { type: string }[]).map(({ type }) => type);
  const [, node] = dualCluster({ name: "d", stateDir: "/d" }).nodes;
  assert(node);
  for (const plan of [planned(), { ...planned(), node }]) {
    assertEquals(types(conflist(plan)), ["deno-cni", "portmap"]);
    assertEquals(types(withoutPortmap(conflist(plan))), ["deno-cni"]);
  }
  const never = conflist(planned({ portmap: false }));
  assertEquals(never, withoutPortmap(conflist(planned())));
});

Deno.test("with portmap: auto the list has portmap exactly where the node has it", () => {
  const plan = planned();
  const whole = conflist(plan);
  assertEquals(answer(plan, "has", whole).is, "present");
  assertEquals(answer(plan, "lacks", whole).is, "absent");
  assertEquals(answer(plan, "has", withoutPortmap(whole)).is, "absent");
  assertEquals(answer(plan, "lacks", withoutPortmap(whole)).is, "present");
  assertEquals(answer(plan, "has", whole, "644").is, "absent");
});

Deno.test("firewall: nftables has portmap write with nftables, and its change is no edit by hand", () => {
  const before = planned();
  const { cluster: { plugin }, node } = before;
  const plan: Plan = {
    cluster: { ...cluster, plugin, firewall: "nftables" },
    node,
  };
  const whole = conflist(plan);
  assertEquals(JSON.parse(whole).plugins[1], {
    type: "portmap",
    capabilities: { portMappings: true },
    backend: "nftables",
  });
  assertEquals(withoutPortmap(whole), withoutPortmap(conflist(before)));
  assertEquals(answer(plan, "has", whole).is, "present");
  const old = conflist(before);
  assertEquals(answer(plan, "has", old, "600", old).is, "absent");
  assertEquals(answer(before, "has", whole, "600", whole).is, "absent");
});

Deno.test("portmap: true is refused on a node without it, whether the list is there or not", () => {
  const plan = planned({ portmap: true });
  const there = answer(plan, "lacks", conflist(plan));
  assert(there.is === "different");
  assertStringIncludes(there.remedy, "plugin.portmap: auto");
  const { read } = conflistIs(plan);
  const none = { code: 44, stderr: "" };
  assertEquals(read({ ...none, stdout: "lacks\n" }).is, "different");
  assertEquals(read({ ...none, stdout: "has\n" }).is, "absent");
});

Deno.test("what was added to the list by hand is named, and not taken away", () => {
  const plan = planned();
  const list = JSON.parse(conflist(plan));
  const [own, portmap] = list.plugins;
  const cases: readonly [object, string][] = [
    [{ ...list, disableCheck: true }, "disableCheck (true)"],
    [
      { ...list, plugins: [own, portmap, { type: "bandwidth" }] },
      'plugins[2] ("bandwidth")',
    ],
    [
      { ...list, plugins: [{ ...own, dataDir: "/x" }, portmap] },
      'plugins[0].dataDir ("/x")',
    ],
    [
      { ...list, plugins: [own, { ...portmap, conditionsV4: [] }] },
      "plugins[1].conditionsV4 ([])",
    ],
    [{ ...list, plugins: [own, "portmap"] }, 'plugins[1] ("portmap")'],
  ];
  for (const [changed, named] of cases) {
    const found = answer(plan, "has", JSON.stringify(changed, null, 2));
    assert(found.is === "different", named);
    assertStringIncludes(found.found, named);
    assertStringIncludes(
      found.remedy,
      "mv /etc/cni/net.d/10-deno-cni.conflist",
    );
  }
});

Deno.test("a list of ours with other values, or cut short, is written anew; another's is refused", () => {
  const plan = planned();
  const whole = conflist(plan);
  assertEquals(
    answer(plan, "has", whole.replace("10.244.1.0", "10.244.9.0")).is,
    "absent",
  );
  assertEquals(answer(plan, "has", whole.slice(0, -3)).is, "absent");
  assertEquals(answer(plan, "has", "{").is, "different");
  assertEquals(answer(plan, "has", "").is, "absent");
  assertEquals(answer(plan, "has", '{"name": "x"}').is, "different");
});

Deno.test("a value that was edited by hand is named with the cluster file's key; one that the cluster file has now is written", () => {
  const before = conflist(planned());
  const edit = (from: string | RegExp, to: string) => {
    const text = before.replace(from, to);
    assert(text !== before, to);
    return answer(planned(), "has", text, "600", before);
  };
  for (
    const [from, to, said, key] of [
      [
        `"hairpinMode": true`,
        `"hairpinMode": false`,
        "plugins[0].hairpinMode is false, was true",
        "plugin.hairpin",
      ],
      [
        `"bridge"`,
        `"mtu": 1400, "bridge"`,
        "plugins[0].mtu is 1400, was nothing",
        "mtu",
      ],
      [
        `"1.0.0"`,
        `"0.4.0"`,
        'cniVersion is "0.4.0", was "1.0.0"',
        "cniVersion",
      ],
      [
        / {4}, \{"type":"portmap".*\n/,
        "",
        "portmap is nothing",
        "plugin.portmap",
      ],
      [
        `"capabilities"`,
        `"snat":false,"capabilities"`,
        '"snat":false',
        "portmap",
      ],
    ] as const
  ) {
    const found = edit(from, to);
    assert(found.is === "different", to);
    assertStringIncludes(found.found, said);
    assertStringIncludes(found.remedy, key);
  }
  // A podCIDR is no wish of anybody's.
  assertEquals(edit("10.244.1.0", "10.244.9.0").is, "absent");
  // The cluster file was edited, not the list.
  const wanted = planned({ hairpin: false });
  assertEquals(answer(wanted, "has", before, "600", before).is, "absent");
  // Both were, to the same value.
  const both = conflist(wanted);
  assertEquals(answer(wanted, "has", both, "600", before).is, "present");
  // portmap went from the node, not from the list.
  assertEquals(answer(planned(), "lacks", before, "600", before).is, "absent");
});
