#!/usr/bin/env -S deno run -A
/**
 * Stage 02: makes the cluster, and finds out which podCIDR each node got: of
 * real machines with kubeadm, the control plane first and then the workers. The
 * lab has no control plane, so there this stage splits the clusterCIDR itself,
 * as kube-controller-manager does; and where the cluster file asks for a
 * container runtime, it starts one on every node.
 */
import { splitClusterCIDR } from "../lib/net/cidr.ts";
import { main } from "../lib/cli/stage_script.ts";
import { keptPodCIDRs } from "../lib/cluster/load.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { podCIDRsPath, runtimePath } from "../lib/cluster/cluster.ts";
import { cmd } from "../lib/exec/command.ts";
import { write } from "../lib/exec/shell_file.ts";
import {
  containerdSteps,
  containersPossible,
} from "../lib/lab/containerd_steps.ts";
import { nodeSteps } from "../lib/kubernetes/kubeadm_steps.ts";
import { keepSteps, usesKubeadm } from "../lib/kubernetes/kubeconfig.ts";
import { forgetSteps } from "../lib/kubernetes/reset.ts";
import { beforeReset } from "../lib/kubernetes/undo_consent.ts";
import { readiness } from "../lib/kubernetes/readiness.ts";
import { kubernetesLines } from "../lib/kubernetes/remarks.ts";
import { machineSteps } from "../lib/kubernetes/prerequisites.ts";
import { fileIs } from "../lib/steps/file_probes.ts";
import type { Stage, Step } from "../lib/stage/stage.ts";

function podCIDRs(cluster: Cluster): string {
  return JSON.stringify(splitClusterCIDR(cluster), null, 2) + "\n";
}

/** `make up RUNTIME=containerd` is said once, and holds as long as the lab. */
function rememberRuntime(cluster: Cluster): Step {
  const { runtime = "none" } = cluster;
  const path = runtimePath(cluster);
  return {
    why: "Later runs on this lab go on with the runtime that it was made with",
    doneWhen: fileIs(path, `${runtime}\n`, () => true),
    run: write(path, `${runtime}\n`),
    undo: cmd`rm -f ${path}`,
  };
}

export const kubeadm: Stage = {
  name: "02-kubeadm",
  summary: "make the cluster, and find out each node's podCIDR",
  afterwards: (cluster) => ({
    on: "operator",
    run: cmd`cat ${podCIDRsPath(cluster)}`,
  }),
  operator: {
    last: usesKubeadm,
    steps: (cluster) =>
      usesKubeadm(cluster) ? keepSteps(cluster) : [
        ...(cluster.runtime === undefined ? [] : [containersPossible(cluster)]),
        ...(cluster.runtimeAskedFor ? [rememberRuntime(cluster)] : []),
        {
          why: "The lab has no control plane: no kubelet, no API server. " +
            "What kube-controller-manager would do, give each node its podCIDR, is done here",
          doneWhen: fileIs(
            podCIDRsPath(cluster),
            podCIDRs(cluster),
            () => true,
          ),
          run: write(podCIDRsPath(cluster), podCIDRs(cluster)),
          undo: cmd`rm -f ${podCIDRsPath(cluster)}`,
        },
      ],
  },
  beforeUndo: beforeReset,
  steps({ cluster, node }) {
    if (usesKubeadm(cluster)) {
      return [...machineSteps(cluster), ...nodeSteps(cluster, node)];
    }
    return cluster.runtime === undefined ? [] : containerdSteps();
  },
  followUp: {
    report: async (cluster, nodeOf, options) => {
      const ready = usesKubeadm(cluster)
        ? await readiness(cluster, nodeOf, options)
        : "";
      const kept = await keptPodCIDRs(cluster);
      const lines = await kubernetesLines(cluster, nodeOf, options);
      return [ready, kept ?? "", ...lines].filter((line) => line !== "").join(
        "\n",
      );
    },
    afterUndo: (cluster, gone) =>
      usesKubeadm(cluster) ? forgetSteps(cluster, gone) : [],
  },
};

if (import.meta.main) await main(kubeadm);
