// @ts-types="../../lib/std/snapshot.d.ts"
import { assertSnapshot } from "@std/testing/snapshot";
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { dualCluster, labCluster } from "../../lib/cluster/cluster_testing.ts";
import { paste, show } from "../../lib/exec/command.ts";
import {
  type Plan,
  type PluginFile,
  type Stage,
  type Step,
  undoOf,
} from "../../lib/stage/stage.ts";
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
