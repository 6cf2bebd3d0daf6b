/** Taking a machine out of the cluster that kubeadm made, and out of its memory. */
import { askPath } from "../exec/shell_file.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Command, succeeded } from "../exec/command.ts";
import { adminConf, controlPlaneOf } from "./kubeconfig.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { removeLeases } from "../cni/lease_store.ts";
import { configFolder, pluginFolder } from "../cni/runtime.ts";
import type { FollowUpStep } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** Says how far kubeadm got here: "running" or "done". */
export const statePath = "/var/lib/deno-cni/kubeadm";

/** What kubeadm leaves on every node. */
export const kubeletConf = "/etc/kubernetes/kubelet.conf";

const program = shellProgram("reset.sh", import.meta.url);

/** Takes back what kubeadm did on a machine. */
export function reset(): Command {
  const conflist = `${configFolder}/99-${mark}-reset.conflist`;
  const loopback = `${pluginFolder}/loopback`;
  return {
    ...cmd`sh -c ${`${program}\n${
      removeLeases(5)
    }`} reset ${statePath} ${kubeletConf} ${conflist} ${loopback}`,
    label: "kubeadm reset -f",
  };
}

/**
 * What the control plane has to forget of workers that were taken out: without
 * that, Kubernetes keeps a node that is NotReady for ever, and its pods.
 */
export function forgetSteps(
  cluster: Cluster,
  gone: readonly string[],
): readonly FollowUpStep[] {
  const { name: on } = controlPlaneOf(cluster);
  if (gone.includes(on)) return [];
  const ask =
    'kubectl --kubeconfig "$1" get node "$2" --ignore-not-found -o name';
  return gone.map((name) => ({
    on,
    why: `Kubernetes keeps ${name} as a node until it is told to forget it`,
    doneWhen: {
      ask: askPath(adminConf, ask, name),
      read: (outcome) =>
        succeeded(outcome) && outcome.stdout.trim() !== ""
          ? { is: "absent" }
          : { is: "present" },
    },
    run:
      cmd`kubectl --kubeconfig ${adminConf} delete node ${name} --ignore-not-found`,
  }));
}
