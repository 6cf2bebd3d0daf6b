/** Nodes that Kubernetes has and the cluster file has not: a machine that was joined by hand. */
import { makeLine } from "../cluster/make_line.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type RunOptions, succeeded } from "../exec/command.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import { printable } from "../text/printable.ts";
import { controlPlaneOf, usesKubeadm } from "./kubeconfig.ts";
import {
  KubectlError,
  type KubernetesNode,
  type KubernetesState,
  question,
  readKubernetes,
} from "./kubectl.ts";

/** The nodes that are not in the file. */
export function strangers(
  { nodes }: Pick<Cluster, "nodes">,
  seen: Pick<KubernetesState, "nodes">,
): readonly KubernetesNode[] {
  const known = new Set(nodes.map(({ name }) => name));
  return [...seen.nodes.values()].filter(({ name }) => !known.has(name));
}

/** What such a node lacks, in a sentence without its full stop. */
export function strangerWords(
  { file }: Pick<Cluster, "file">,
  { name }: KubernetesNode,
): string {
  return printable(
    `Kubernetes has the node ${name}, and ${file} has not: no stage runs there, ` +
      "and no node has a route to its pods",
  );
}

/** What has to be done with the file, in a sentence. */
export function strangerRemedy(
  { file, provider }: Pick<Cluster, "file" | "provider">,
  { name, addresses }: KubernetesNode,
): string {
  const [address = "ITS ADDRESS"] = addresses;
  return printable(
    provider === "ssh"
      ? `add to nodes in ${file}: - { name: ${name}, address: ${address} }; ` +
        `then run the stages: ${makeLine("up", { file })}`
      : `drain it and delete the node ${name}, or have stage 01 make it`,
  );
}

/** A line for each of them; none where Kubernetes does not answer. */
export async function strangerLines(
  cluster: Cluster,
  nodeOf: (name: string) => Node,
  options: RunOptions,
): Promise<readonly string[]> {
  if (!usesKubeadm(cluster)) return [];
  const controlPlane = nodeOf(controlPlaneOf(cluster).name);
  try {
    const outcome = await controlPlane.run(question(), options);
    if (!succeeded(outcome)) return [];
    return strangerRemarks(cluster, readKubernetes(outcome.stdout));
  } catch (error) {
    if (error instanceof KubectlError) return [];
    if (error instanceof UnreachableError) return [];
    throw error;
  }
}

/** The same of what is known already. */
export function strangerRemarks(
  cluster: Pick<Cluster, "file" | "nodes" | "provider">,
  seen: Pick<KubernetesState, "nodes">,
): readonly string[] {
  return strangers(cluster, seen).map((node) =>
    `${strangerWords(cluster, node)}. What to do: ${
      strangerRemedy(cluster, node)
    }`
  );
}
