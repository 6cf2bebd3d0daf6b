/** A trace of a path that stage 09 cannot explain. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { CommandError } from "../exec/command.ts";
import { type Reach, UnreachableError } from "../node/node.ts";
import { StepError } from "../stage/errors.ts";
import type { Stage } from "../stage/stage.ts";
import type { PathToTrace } from "../verify/trace_unexplained.ts";
import { EndError } from "./endpoints.ts";
import { traceCause } from "./trace.ts";

/**
 * Sends packets by a path of stage 09's matrix, and tells what ends them.
 *
 * @param stages whose probes give evidence
 * @returns undefined where nothing is wrong now, or a machine cannot be listened at
 */
export async function tracePath(
  cluster: Cluster,
  reach: Reach,
  { from, to, family, options }: PathToTrace,
  stages: readonly Stage[],
): Promise<Cause | undefined> {
  try {
    const order = { from, to, family, stages, options };
    return await traceCause(cluster, reach, order);
  } catch (error) {
    const expected = [EndError, UnreachableError, StepError, CommandError];
    if (expected.some((one) => error instanceof one)) return undefined;
    throw error;
  }
}
