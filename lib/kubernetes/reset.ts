/** Taking a machine out of the cluster that kubeadm made, and out of its memory. */
import { askPath } from "../exec/shell_file.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Command, succeeded } from "../exec/command.ts";
import { adminConf, controlPlaneOf } from "./kubeconfig.ts";
import { configFolder, pluginFolder } from "../cni/runtime.ts";
import type { FollowUpStep } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** Says how far kubeadm got here: "running" or "done". */
export const statePath = "/var/lib/deno-cni/kubeadm";

/** What kubeadm leaves on every node. */
export const kubeletConf = "/etc/kubernetes/kubelet.conf";

/**
 * Takes back what kubeadm did, and the rules of kube-proxy and kubelet, which
 * `kubeadm reset` leaves: chains by names that begin with KUBE-, and the rules
 * that lead there. The container runtime takes no pod's network away while it
 * has no network configuration, which stage 03's undo has removed: for that
 * time it gets one that does nothing, and pods go with their namespaces.
 */
export function reset(): Command {
  const script = `if [ -e "$1" ] || [ -e "$2" ]; then
  if [ -x "$4" ] && [ -z "$(ls "\${3%/*}" 2>/dev/null)" ]; then
    trap 'rm -f "$3"' EXIT
    mkdir -p "\${3%/*}"
    echo '{"cniVersion": "0.3.1", "name": "reset", "plugins": [{"type": "loopback"}]}' >"$3"
    sleep 2
  fi
  kubeadm reset -f
fi
for tool in iptables ip6tables; do
  command -v "$tool-save" >/dev/null || continue
  for table in filter nat mangle; do
    "$tool-save" -t "$table" 2>/dev/null | sed -n \\
      -e '/^:KUBE-/{s/^:\\([^ ]*\\) .*/-F \\1\\n-X \\1/;p;}' \\
      -e '/^-A KUBE-/d' -e '/ KUBE-/s/^-A /-D /p' |
    sort | { echo "*$table"; cat; echo COMMIT; } | "$tool-restore" -w --noflush
  done
done
rm -f "$1" "$1.lock"`;
  return {
    ...cmd`sh -euc ${script} reset ${statePath} ${kubeletConf} ${configFolder}/99-${mark}-reset.conflist ${pluginFolder}/loopback`,
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
