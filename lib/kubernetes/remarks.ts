/** Where Kubernetes and the cluster file do not have the same. */
import type { Cluster } from "../cluster/cluster.ts";
import { type RunOptions, succeeded } from "../exec/command.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import { controlPlaneOf, usesKubeadm } from "./kubeconfig.ts";
import { KubectlError, question, readKubernetes } from "./kubectl.ts";
import { clusterCIDRQuestion, podCIDRRemarks } from "./pod_cidrs.ts";
import { strangerRemarks } from "./strangers.ts";

/** A line for each such thing; none where Kubernetes does not answer. */
export async function kubernetesLines(
  cluster: Cluster,
  nodeOf: (name: string) => Node,
  options: RunOptions,
): Promise<readonly string[]> {
  if (!usesKubeadm(cluster)) return [];
  const controlPlane = nodeOf(controlPlaneOf(cluster).name);
  try {
    const [outcome, made] = await Promise.all([
      controlPlane.run(question(), options),
      controlPlane.run(clusterCIDRQuestion(), options),
    ]);
    if (!succeeded(outcome)) return [];
    const seen = readKubernetes(outcome.stdout);
    return [
      ...strangerRemarks(cluster, seen),
      ...podCIDRRemarks(cluster, seen, made),
    ];
  } catch (error) {
    if (error instanceof KubectlError) return [];
    if (error instanceof UnreachableError) return [];
    throw error;
  }
}
