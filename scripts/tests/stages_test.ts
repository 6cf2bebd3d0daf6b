// @ts-types="../../lib/std/snapshot.d.ts"
import { assertSnapshot } from "@std/testing/snapshot";
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import {
  dualCluster,
  labCluster,
  twoSegmentsCluster,
} from "../../lib/cluster/cluster_testing.ts";
import type { Cluster } from "../../lib/cluster/cluster.ts";
import { paste, show } from "../../lib/exec/command.ts";
import {
  type Plan,
  type PluginFile,
  type Stage,
  type Step,
  undoOf,
} from "../../lib/stage/stage.ts";
import { goingFirst, notAskedFor } from "../../lib/stage/former.ts";
import type { JournalRecord } from "../../lib/stage/journal.ts";
import { stepKey } from "../../lib/stage/node_run.ts";
import { kubeadm } from "../02-kubeadm.ts";
import { cniConfig } from "../03-cni-config.ts";
import { bridge } from "../04-bridge.ts";
import { plugin } from "../05-plugin.ts";
import { forwarding } from "../06-forwarding.ts";
import { masquerade } from "../07-masquerade.ts";
import { routes } from "../08-routes.ts";

const cluster = labCluster({ name: "lab", stateDir: "/state/lab" });
const [, worker1] = cluster.nodes;
assert(worker1);

const pluginFiles: PluginFile[] = [{
  copy: "/dist/deno-cni",
  to: "/opt/cni/bin/deno-cni",
  mode: "755",
  size_bytes: 9,
}];

const plan: Plan = { cluster, node: worker1, pluginFiles };

/** Two families: what a node's list of podCIDRs is for. */
const both = dualCluster({ name: "lab-dual", stateDir: "/state/lab-dual" });
const [, dualWorker1] = both.nodes;
assert(dualWorker1);
const dual: Plan = { cluster: both, node: dualWorker1 };

/** Two segments: worker-1 shares the master's, and worker-2 is beyond the router. */
const two = twoSegmentsCluster({ name: "lab-two", stateDir: "/state/lab-two" });
const [, nearWorker] = two.nodes;
assert(nearWorker);
const beyond: Plan = { cluster: two, node: nearWorker };

function lines(steps: readonly Step[]): string {
  return steps.map(({ why, run, ...step }) => {
    const back = undoOf(step, "PREVIOUS");
    return [
      `# ${why}`,
      "copy" in run ? `copy ${run.copy} ${run.to} ${run.mode}` : paste(run),
      ...(back === undefined ? [] : [`# undo: ${show(back)}`]),
    ].join("\n");
  }).join("\n");
}

const stages: readonly Stage[] = [
  cniConfig,
  bridge,
  plugin,
  forwarding,
  masquerade,
  routes,
];

for (const stage of stages) {
  Deno.test(`${stage.name} plans these commands for worker-1`, async (context) => {
    await assertSnapshot(context, lines(stage.steps?.(plan) ?? []));
  });
}

for (const stage of [cniConfig, bridge, forwarding, masquerade, routes]) {
  Deno.test(`${stage.name} plans these commands for a node of two families`, async (context) => {
    await assertSnapshot(context, lines(stage.steps?.(dual) ?? []));
  });
}

Deno.test("02-kubeadm writes down the split of the lab's clusterCIDR", async (context) => {
  await assertSnapshot(context, lines(kubeadm.operator?.steps(cluster) ?? []));
});

Deno.test("a stage plans the same steps for the same cluster", () => {
  for (const stage of stages) {
    assertEquals(
      lines(stage.steps?.(plan) ?? []),
      lines(stage.steps?.(structuredClone(plan)) ?? []),
    );
  }
});

Deno.test("every step of the stages asks whether it is done already", () => {
  for (const stage of [...stages, kubeadm]) {
    const steps = [
      ...stage.steps?.(plan) ?? [],
      ...stage.steps?.(dual) ?? [],
      ...stage.operator?.steps(cluster) ?? [],
    ];
    const blind = steps.filter(({ doneWhen }) => doneWhen === undefined);
    assertEquals(blind.map(({ why }) => `${stage.name}: ${why}`), []);
  }
});

Deno.test("08-routes with routes: vxlan makes a tunnel's end, and three things to know of a node beyond the router", async (t) => {
  await assertSnapshot(t, lines(routes.steps?.(beyond) ?? []));
});

Deno.test("08-routes with routes: vxlan and direct: false takes a tunnel to every other node", () => {
  const vxlan = { vni: 7, port: 4789, direct: false };
  const cluster = { ...two, vxlan };
  const text = lines(routes.steps?.({ ...beyond, cluster }) ?? []);
  assert(!text.includes("via 10.0.1.10"), text);
  assert(text.includes("type vxlan id 7 dstport 4789 local 10.0.1.11"), text);
  assert(text.includes("10.244.0.0/24 via 10.244.0.0 dev deno.vxlan"), text);
});

Deno.test("a tunnel between IPv6 addresses takes 70 bytes of the way, and so do its pods", () => {
  const nodes = two.nodes.map((node) => ({
    ...node,
    vtep: node.addresses[1] ?? "",
  }));
  const plan = { ...beyond, cluster: { ...two, nodes }, node: nodes[1]! };
  const text = lines(routes.steps?.(plan) ?? []);
  assert(text.includes("ip link set deno.vxlan mtu 1430"), text);
  assert(text.includes("local fd00:10:0:1::11 nolearning"), text);
  const written = cniConfig.steps?.(plan)
    .map(({ run }) => "copy" in run ? "" : run.stdin ?? "").join("");
  assert(written?.includes('"mtu": 1430'), written);
});

Deno.test("with BGP, what apt-get does is ahead of what goes; without it again, what apt-get takes away goes last", () => {
  const bgp = { as: 64_512, peers: [], passwordFile: "/root/secret" };
  const byBird: Plan = {
    ...beyond,
    cluster: { ...two, provider: "ssh", routes: "bgp", bgp },
  };
  const steps = routes.steps?.(byBird) ?? [];
  assertEquals(steps.map(({ ahead }) => ahead ?? false), [
    true,
    true,
    true,
    false,
  ]);
  const records = steps.map((step): JournalRecord => {
    const undo = undoOf(step);
    assert(undo);
    const { name } = routes;
    return {
      stage: name,
      step: stepKey(step),
      state: "done",
      changed: true,
      undo,
    };
  });
  const [, ...others] = records;
  const after = { ...byBird, cluster: { ...two, provider: "ssh" as const } };
  const all = [
    ...routes.steps?.(after) ?? [],
    ...routes.instead?.(after) ?? [],
  ];
  assertEquals(goingFirst(records, all), others);
  assertEquals(notAskedFor(records, routes.steps?.(after) ?? []), records);
});

for (const stage of [forwarding, masquerade]) {
  Deno.test(`${stage.name} with firewall: nftables loads a chain of its own, for both families at once`, async (t) => {
    const cluster: Cluster = { ...both, firewall: "nftables" };
    await assertSnapshot(t, lines(stage.steps?.({ ...dual, cluster }) ?? []));
  });
}
