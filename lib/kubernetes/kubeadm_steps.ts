/**
 * Nodes made of machines by kubeadm: the control plane first, then the workers
 * one after the other, since podCIDRs follow the order in which nodes appear.
 */
import { askPath, saysAbsent } from "../exec/shell_file.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { usualKubernetes } from "../cluster/schema_kubernetes.ts";
import { usualMask } from "../cluster/kept_pod_cidrs.ts";
import { cmd, type Command, succeeded, withInput } from "../exec/command.ts";
import { familyOf } from "../net/cidr.ts";
import { shellProgram } from "../exec/shell_program.ts";
import {
  adminConf,
  cannotTell,
  controlPlaneOf,
  userStep,
} from "./kubeconfig.ts";
import { podCIDRStep, registrationStep } from "./registration.ts";
import { kubeletConf, reset, statePath } from "./reset.ts";
import type { Probe, Step } from "../stage/stage.ts";

const program = shellProgram("kubeadm.sh", import.meta.url);
const tokenProgram = shellProgram("join_token.sh", import.meta.url);

/** Milliseconds for kubeadm, which fetches images and waits for what it has started. */
const kubeadm_ms = 600_000;

/** What makes a machine a node of the cluster. */
export function nodeSteps(
  cluster: Cluster,
  node: ClusterNode,
): readonly Step[] {
  const controlPlane = controlPlaneOf(cluster);
  if (node.name !== controlPlane.name) {
    return [
      joinStep(cluster, controlPlane, node),
      registrationStep(cluster, node, kubeletConf),
      podCIDRStep(node, kubeletConf),
    ];
  }
  const { podsOnControlPlane } = cluster.kubernetes ?? usualKubernetes;
  return [
    initStep(cluster, node),
    userStep(),
    registrationStep(cluster, node, adminConf),
    podCIDRStep(node, adminConf),
    ...(podsOnControlPlane === "yes" ? [untaintStep(node)] : []),
  ];
}

/** Runs kubeadm; a change of its flags does not mean that the cluster is to be made anew. */
function kubeadm(
  verb: "init" | "join",
  made: string,
  flags: readonly string[],
): Pick<Step, "key" | "undo" | "timeout_ms"> & { run: Command } {
  const file = /^--(config|discovery-file)$/.test(flags.at(-1) ?? "");
  return {
    key: `kubeadm ${verb}`,
    run: {
      ...cmd`sh -c ${program} kubeadm ${verb} ${statePath} ${made} ${flags}`,
      label: `kubeadm ${verb} ${flags.join(" ")}${file ? " FILE" : ""}`,
    },
    undo: { cleanup: reset() },
    timeout_ms: kubeadm_ms,
  };
}

function initStep(cluster: Cluster, { name, address }: ClusterNode): Step {
  const { clusterCIDRs, nodeMasks } = cluster;
  const usual = clusterCIDRs.every((text, at) =>
    nodeMasks[at] === usualMask[familyOf(text)]
  );
  const flags = usual
    ? [
      `--pod-network-cidr=${clusterCIDRs.join(",")}`,
      `--apiserver-advertise-address=${address}`,
      `--node-name=${name}`,
      "--skip-token-print",
      "--token-ttl=15m",
    ]
    : ["--skip-token-print", "--config"];
  const init = kubeadm("init", adminConf, flags);
  return {
    why:
      "The control plane: API server, scheduler, controller manager and etcd, which " +
      "splits the clusterCIDR among the nodes",
    doneWhen: madeByKubeadm(adminConf, undefined),
    ...init,
    run: usual
      ? init.run
      : withInput(init.run, initConfig(cluster, { name, address })),
  };
}

/**
 * The flags of init as a file: kubeadm has none for a node's mask.
 * https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta3/
 */
function initConfig(
  { clusterCIDRs, nodeMasks }: Cluster,
  { name, address }: Pick<ClusterNode, "name" | "address">,
): string {
  const masks = clusterCIDRs.map((text, at) => {
    const family = clusterCIDRs.length === 1 ? "" : `-ipv${familyOf(text)}`;
    return `    node-cidr-mask-size${family}: "${nodeMasks[at]}"\n`;
  });
  return `apiVersion: kubeadm.k8s.io/v1beta3
kind: InitConfiguration
bootstrapTokens:
- ttl: 15m0s
localAPIEndpoint:
  advertiseAddress: "${address}"
nodeRegistration:
  name: ${name}
---
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
networking:
  podSubnet: "${clusterCIDRs.join(",")}"
controllerManager:
  extraArgs:
${masks.join("")}`;
}

function joinStep(
  { nodes }: Cluster,
  controlPlane: ClusterNode,
  { name, addresses }: ClusterNode,
): Step {
  const workers = nodes.filter((node) => node.name !== controlPlane.name);
  const before = workers[workers.findIndex((node) => node.name === name) - 1];
  return {
    why:
      "The kubelet gets its own key from the control plane, by a token that was made " +
      "for this moment",
    doneWhen: madeByKubeadm(kubeletConf, controlPlane.address),
    input: {
      from: controlPlane.name,
      why: "a token to join with",
      ask: tokenFor(name, addresses),
      secret: /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g,
      after: before === undefined ? [] : [before.name],
    },
    ...kubeadm("join", kubeletConf, [
      `--node-name=${name}`,
      "--discovery-file",
    ]),
  };
}

/** Makes a token, and prints it as a kubeconfig that holds it. */
function tokenFor(name: string, addresses: readonly string[]): Command {
  return {
    ...cmd`sh -c ${tokenProgram} token ${adminConf} ${name} ${addresses}`,
    label: "kubeadm token create",
  };
}

/**
 * Has kubeadm done its work here?
 *
 * @param file what it leaves behind when it is done
 * @param controlPlane the address of the control plane to which a worker has to belong
 */
function madeByKubeadm(file: string, controlPlane: string | undefined): Probe {
  const script =
    'state=$(cat "$2" 2>/dev/null) || state=theirs; echo "$state"; ' +
    'sed -n "s/^ *server: //p" "$1"';
  return {
    ask: askPath(file, script, statePath),
    read(outcome) {
      if (saysAbsent(outcome)) return { is: "absent" };
      const [state, server = ""] = outcome.stdout.trim().split("\n");
      if (!succeeded(outcome)) return cannotTell(outcome, `what ${file} is`);
      if (state === "running") return { is: "absent" };
      if (controlPlane !== undefined && !serves(server, controlPlane)) {
        return {
          is: "different",
          found: `this machine is a node of another cluster, ${server}`,
          remedy:
            "take it out of there (kubeadm reset) if nothing needs it, or name another " +
            "machine in the cluster file",
        };
      }
      return state === "done"
        ? { is: "present", ours: true }
        : { is: "present" };
    },
  };
}

/** Whether a kubeconfig's server is the control plane; a name may stand for another machine. */
function serves(server: string, controlPlane: string): boolean {
  const host = /^https:\/\/(?:\[([^\]]+)\]|([^:/]+))/.exec(server.trim());
  const found = host?.[1] ?? host?.[2] ?? "";
  return found === controlPlane ||
    !/^([0-9.]+|[0-9a-f:]+:[0-9a-f:]*)$/.test(found);
}

/** Before 1.24 the taint was called master; from 1.25 on only control-plane. */
function untaintStep({ name }: ClusterNode): Step {
  const ask = 'kubectl --kubeconfig "$1" get node "$2" ' +
    "-o 'jsonpath={.spec.taints[*].key}'";
  const script =
    `for key in $(kubectl --kubeconfig "$1" get node "$2" -o 'jsonpath={.spec.taints[*].key}'); do
  case $key in
  node-role.kubernetes.io/control-plane | node-role.kubernetes.io/master)
    kubectl --kubeconfig "$1" taint nodes "$2" "$key-" ;;
  esac
done`;
  return {
    why:
      "The control plane takes pods like any worker, as the cluster file asks",
    doneWhen: {
      ask: askPath(adminConf, ask, name),
      read(outcome) {
        if (saysAbsent(outcome)) return { is: "absent" };
        if (!succeeded(outcome)) {
          return cannotTell(outcome, `the taints of ${name}`);
        }
        return /node-role\.kubernetes\.io\/(control-plane|master)\b/.test(
            outcome.stdout,
          )
          ? { is: "absent" }
          : { is: "present" };
      },
    },
    run: {
      ...cmd`sh -euc ${script} untaint ${adminConf} ${name}`,
      label:
        `kubectl taint nodes ${name} node-role.kubernetes.io/control-plane-`,
    },
  };
}
