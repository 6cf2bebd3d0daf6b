/** Nodes that Kubernetes has and the cluster file has not: a machine that was joined by hand. */
import { makeLine } from "../cluster/make_line.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { printable } from "../text/printable.ts";
import type { KubernetesNode, KubernetesState } from "./kubectl.ts";

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

/** A line for each of them. */
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
