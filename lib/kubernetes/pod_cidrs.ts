/**
 * Where the podCIDRs that Kubernetes has are not those of the cluster file: it keeps
 * what it was made with, whatever an edit of the file says. Pure.
 */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { moveWords } from "../cluster/kept_pod_cidrs.ts";
import { makeLine } from "../cluster/make_line.ts";
import type { Command, Outcome } from "../exec/command.ts";
import { askPath } from "../exec/shell_file.ts";
import { CidrError, formatCidr, parseCidr } from "../net/cidr.ts";
import { printable } from "../text/printable.ts";
import type { KubernetesState } from "./kubectl.ts";

/** kubeadm's manifest of what gives nodes their podCIDRs. */
const manifest = "/etc/kubernetes/manifests/kube-controller-manager.yaml";

/** Asks the control plane for what madeWith() reads. */
export function clusterCIDRQuestion(): Command {
  return askPath(manifest, `grep -e --cluster-cidr= "$1"`);
}

/** The clusterCIDRs that kube-controller-manager splits; none where that is not known. */
function madeWith({ code, stdout }: Outcome): readonly string[] {
  const [, texts = ""] = /--cluster-cidr=([0-9a-f.:/,]+)/i.exec(stdout) ?? [];
  return code === 0 ? texts.split(",").filter((text) => text !== "") : [];
}

/** Something that Kubernetes has otherwise. */
interface Difference {
  /** What is wrong, in a sentence without its full stop. */
  readonly what: string;
  /** What has to be done, in a sentence without its full stop. */
  readonly remedy: string;
}

/** A node whose podCIDRs are others in Kubernetes. */
interface Moved extends Difference {
  readonly name: string;
}

/** The nodes whose podCIDRs are others in Kubernetes than those that the stages go by. */
export function movedNodes(
  cluster: Pick<Cluster, "file" | "nodes">,
  { nodes }: Pick<KubernetesState, "nodes">,
): readonly Moved[] {
  return cluster.nodes.flatMap((node): readonly Moved[] => {
    const { name, podCIDRs } = node;
    const given = nodes.get(name)?.podCIDRs ?? [];
    if (podCIDRs.length === 0 || given.length === 0) return [];
    if (isSame(podCIDRs, given)) return [];
    return [{
      name,
      what: printable(
        `${name} has the podCIDR ${
          given.join(", ")
        } in Kubernetes, and the stages ` +
          `go by ${podCIDRs.join(", ")}${takerWords(cluster, node, nodes)}`,
      ),
      remedy:
        `take podCIDRs of ${name} out of ${cluster.file}, if there are any; then 02 ` +
        `finds out Kubernetes' and the others move to it: ${
          makeLine("up", cluster)
        }`,
    }];
  });
}

/** Which other node Kubernetes gave the addresses that this one's pods have. */
function takerWords(
  cluster: Pick<Cluster, "nodes">,
  { name, podCIDRs }: ClusterNode,
  nodes: KubernetesState["nodes"],
): string {
  const taker = [...nodes.values()].find((other) =>
    other.name !== name && isSame(other.podCIDRs, podCIDRs)
  );
  if (taker !== undefined) return `, which Kubernetes gave to ${taker.name}`;
  return cluster.nodes.length > 1
    ? ": Kubernetes may give that to another node"
    : "";
}

/** The clusterCIDR that Kubernetes was made with, where it is not the file's. */
export function keptClusterCIDR(
  cluster: Cluster,
  asked: Outcome,
): Difference | undefined {
  const made = madeWith(asked);
  const { clusterCIDRs, file } = cluster;
  if (made.length === 0 || isSame(made, clusterCIDRs)) return undefined;
  return {
    what: `clusterCIDR is ${clusterCIDRs.join(", ")} in ${file}, and ` +
      `kube-controller-manager gives nodes what is in ${made.join(", ")}`,
    remedy: moveWords(cluster),
  };
}

/** A line for each of these; none where Kubernetes and the file agree. */
export function podCIDRRemarks(
  cluster: Cluster,
  seen: Pick<KubernetesState, "nodes">,
  asked?: Outcome,
): readonly string[] {
  const kept = asked && keptClusterCIDR(cluster, asked);
  return [
    ...(kept === undefined ? [] : [`${kept.what}: ${kept.remedy}`]),
    ...movedNodes(cluster, seen).map(({ what, remedy }) =>
      `${what}. What to do: ${remedy}`
    ),
  ];
}

/** Whether lists of subnets hold the same, however they are written. */
function isSame(some: readonly string[], others: readonly string[]): boolean {
  try {
    const [one, other] = [some, others].map((texts) =>
      texts.map(parseCidr).map(formatCidr).toSorted().join(" ")
    );
    return one === other;
  } catch (error) {
    if (error instanceof CidrError) return false;
    throw error;
  }
}
