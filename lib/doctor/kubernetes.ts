/** The doctor's check of Kubernetes as its control plane sees it. Pure. */
import { saysAbsent } from "../exec/shell_file.ts";
import { succeeded } from "../exec/command.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  unclear,
} from "./check.ts";
import { evidence } from "../diagnosis/evidence.ts";
import { lacksNetwork, nodeFault } from "../kubernetes/faults.ts";
import { usesKubeadm } from "../kubernetes/kubeconfig.ts";
import {
  kubectl,
  KubectlError,
  type KubernetesState,
  question,
  readKubernetes,
} from "../kubernetes/kubectl.ts";
import {
  strangerRemedy,
  strangers,
  strangerWords,
} from "../kubernetes/strangers.ts";
import {
  clusterCIDRQuestion,
  keptClusterCIDR,
  movedNodes,
} from "../kubernetes/pod_cidrs.ts";
import type { Asked } from "../node/batch.ts";
import { shownBy } from "./check.ts";

const isAsked = ({ cluster, node }: CheckContext) =>
  usesKubeadm(cluster) && node.role === "control-plane";

export const kubernetesCheck: Check = {
  name: "kubernetes",
  well: "the API server answers, and knows these nodes as Ready, with these " +
    "podCIDRs, and no other",
  asks: (context) =>
    isAsked(context) ? [question(), clusterCIDRQuestion()] : [],
  read(context, [asked, made]) {
    if (!isAsked(context)) {
      return [{ is: "does not apply", what: "no control plane is here" }];
    }
    if (asked === undefined) return [unclear("what Kubernetes says", asked)];
    if (saysAbsent(asked.outcome)) {
      const what = "there is no Kubernetes";
      return [{ is: "not yet", what, until: "02-kubeadm" }];
    }
    const seen = stateOf(asked);
    return seen === undefined ? [silent(asked)] : [
      ...notReady(context, seen),
      ...unknownNodes(context, seen),
      ...otherPodCIDRs(context, seen),
      ...otherClusterCIDR(context, made),
    ];
  },
};

function stateOf(asked: Asked): KubernetesState | undefined {
  if (!succeeded(asked.outcome)) return undefined;
  try {
    return readKubernetes(asked.outcome.stdout);
  } catch (error) {
    if (error instanceof KubectlError) return undefined;
    throw error;
  }
}

function silent(asked: Asked): Finding {
  // kubectl says the same at each of its tries.
  const said = [...new Set(asked.outcome.stderr.trim().split("\n"))];
  return {
    is: "fault",
    what:
      "the API server does not answer: pods stay as they are, and nothing " +
      "that is asked of Kubernetes happens",
    evidence: [evidence(asked, said.join("\n") || undefined)],
    remedies: [
      { say: `see why on ${asked.where}: crictl ps -a, journalctl -u kubelet` },
      { run: { argv: ["systemctl", "restart", "kubelet"] }, on: asked.where },
    ],
  };
}

function notReady(
  { cluster, host, node }: CheckContext,
  seen: KubernetesState,
): readonly Finding[] {
  return cluster.nodes.flatMap(({ name }): readonly Finding[] => {
    const fault = nodeFault(name, seen, node.name);
    if (fault === undefined) return [];
    const { what, evidence, remedies } = fault;
    const known = seen.nodes.get(name);
    return known !== undefined && lacksNetwork(known) &&
        !host.complete.includes("03-cni-config")
      ? [{ is: "not yet", what, until: "03-cni-config" }]
      : [{ is: "fault", what, evidence, remedies }];
  });
}

function unknownNodes(
  context: CheckContext,
  seen: KubernetesState,
): readonly Finding[] {
  const { cluster } = context;
  return strangers(cluster, seen).map((stranger): Finding => ({
    is: "warning",
    what: strangerWords(cluster, stranger),
    evidence: [shownBy(context, kubectl("get", "node", stranger.name))],
    remedies: [{ say: strangerRemedy(cluster, stranger) }],
  }));
}

const podCIDRsOf = "jsonpath={.spec.podCIDRs}";

function otherPodCIDRs(
  context: CheckContext,
  seen: KubernetesState,
): readonly Finding[] {
  return movedNodes(context.cluster, seen).map(
    ({ name, what, remedy }): Finding => ({
      is: "warning",
      what,
      evidence: [
        shownBy(context, kubectl("get", "node", name, "-o", podCIDRsOf)),
      ],
      remedies: [{ say: remedy }],
    }),
  );
}

function otherClusterCIDR(
  { cluster }: CheckContext,
  made: Asked | undefined,
): readonly Finding[] {
  const kept = made && keptClusterCIDR(cluster, made.outcome);
  if (made === undefined || kept === undefined) return [];
  const { what, remedy } = kept;
  return [{
    is: "warning",
    what,
    evidence: [evidence(made)],
    remedies: [{ say: remedy }],
  }];
}
