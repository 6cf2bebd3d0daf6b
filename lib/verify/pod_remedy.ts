/** Pods by the names that their runtime knows, and what makes one anew. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Command } from "../exec/command.ts";
import { newPods, onNode, type Remedy } from "../diagnosis/remedy.ts";
import type { InventoryPod } from "../inventory/inventory.ts";
import { controlPlaneOf, usesKubeadm } from "../kubernetes/kubeconfig.ts";
import { kubectl } from "../kubernetes/kubectl.ts";
import { calledName } from "../net/ip_json.ts";
import { podNames } from "./namespace_pods.ts";

/** A pod's name with its namespace where Kubernetes runs it, else its sandbox's. */
export function fullPodName(pod: InventoryPod): string {
  return pod.kubernetesNamespace === undefined
    ? calledName(pod)
    : `${pod.kubernetesNamespace}/${calledName(pod)}`;
}

/** What Kubernetes takes as a name (RFC 1123); a node's file may hold anything. */
const nameForm = /^[a-z0-9][a-z0-9.-]*$/;

/**
 * Makes pods anew: what runs each of them has to.
 *
 * @param nameless the IDs of containers whose network namespaces have no name
 */
export function podsAnew(
  cluster: Cluster,
  node: string,
  pods: readonly InventoryPod[],
  nameless: readonly string[] = [],
): readonly Remedy[] {
  const remedies = [
    ...pods.flatMap((pod) => podAnew(cluster, node, pod)),
    ...nameless.map((container) =>
      byWhatStarted(`container ${container}`, node)
    ),
  ];
  const told = new Map(
    remedies.map((remedy) => [JSON.stringify(remedy), remedy]),
  );
  return [...told.values()];
}

function podAnew(
  cluster: Cluster,
  node: string,
  pod: InventoryPod,
): readonly Remedy[] {
  const { kubernetesName: name = "", kubernetesNamespace: space = "" } = pod;
  if (
    usesKubeadm(cluster) && nameForm.test(name) && nameForm.test(space)
  ) {
    return [onNode(
      controlPlaneOf(cluster).name,
      kubectl("-n", space, "delete", "pod", name),
    )];
  }
  const isTest = podNames.some((own) => own === pod.name);
  return isTest && !usesKubeadm(cluster)
    ? newPods(node)
    : [byWhatStarted(`pod ${fullPodName(pod)}`, node)];
}

function byWhatStarted(what: string, node: string): Remedy {
  return {
    say: `end the ${what} of ${node}, and start it anew, by what started it`,
  };
}

/** Shows a pod's addresses. */
export function podAddressesCommand({ name }: InventoryPod): Command {
  return cmd`nsenter --net=/run/netns/${name} ip -br addr`;
}
