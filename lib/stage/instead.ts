/** What a stage would do by other means, where the cluster file said so. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Stage, Step } from "./stage.ts";

/** What would do the same as the stage's steps for the node of this name, by other means. */
export function insteadFor(
  stage: Stage,
  cluster: Cluster,
  name: string,
): readonly Step[] {
  const node = cluster.nodes.find((node) => node.name === name);
  return node === undefined ? [] : stage.instead?.({ cluster, node }) ?? [];
}
