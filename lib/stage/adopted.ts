/**
 * Stages that are on a node though its journal does not say so: done by hand
 * from what a dry run printed, or with a journal that is lost. A run of such a
 * stage would change nothing, and write it down as its own.
 */
import type { Cluster } from "../cluster/cluster.ts";
import type { RunOptions } from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import type { Others } from "./context.ts";
import { decide } from "./decide.ts";
import { askNow } from "./plan_node.ts";
import { stepsFor } from "./run_stage.ts";
import type { Stage, StageName } from "./stage.ts";

/**
 * Those of the stages that are whole on a node and plainly ours. The journal's
 * own are not asked for again.
 *
 * @param complete the stages that the node's journal calls complete
 * @returns these, and what is there besides
 * @throws {UnreachableError}
 */
export async function withAdopted(
  complete: readonly StageName[],
  node: Node,
  cluster: Cluster,
  stages: readonly Stage[],
  others: Others,
  options: RunOptions,
): Promise<readonly StageName[]> {
  const open = stages.filter(({ name }) => !complete.includes(name));
  const found = await Promise.all(
    open.map(async (stage) =>
      await isAdopted(stage, node, cluster, others, options) ? [stage.name] : []
    ),
  );
  return [...complete, ...found.flat()];
}

/** Whether no step is left to do, and something of it bears our mark. */
async function isAdopted(
  stage: Stage,
  node: Node,
  cluster: Cluster,
  others: Others,
  options: RunOptions,
): Promise<boolean> {
  let ours = false;
  const files = await stage.build?.peek();
  for (const step of stepsFor(stage, cluster, node.name, files)) {
    const answer = await askNow(node, step, options, others);
    if (decide(node, step, answer, undefined) !== "skip") return false;
    ours ||= answer.is === "present" && answer.ours === true;
  }
  return ours;
}
