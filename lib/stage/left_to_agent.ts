/** Stages that an agent keeps on a machine are not for a script to run there. */
import type { Cluster } from "../cluster/cluster.ts";
import { isHandedOver } from "../cluster/handed_over.ts";
import { makeLine } from "../cluster/make_line.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import { agentAtWork } from "./agent_lock.ts";
import type { RunContext } from "./context.ts";
import { StepError } from "./errors.ts";
import type { StepResult } from "./result.ts";
import type { Stage, StageName } from "./stage.ts";

/**
 * Whether an agent keeps a stage on its machine. The machine and its node are there when
 * one begins (01, 02), and 09 only looks.
 */
export function isKeptByAgent(stage: StageName): boolean {
  return !["01-provision", "02-kubeadm", "09-verify"].includes(stage);
}

/**
 * Says so where an agent is at work: two would write one journal, and each undo the
 * other's.
 *
 * @returns the result that has been told; undefined where there is none
 */
export async function leftToAgent(
  context: RunContext,
  { name: stage }: Stage,
  node: Node,
): Promise<readonly StepResult[] | undefined> {
  if (!isKeptByAgent(stage)) return undefined;
  const { timeout_ms, signal } = context;
  let agent: string | undefined;
  try {
    agent = await agentAtWork(node, { timeout_ms, signal });
  } catch (error) {
    // The stage tells of it.
    if (error instanceof UnreachableError) return undefined;
    throw error;
  }
  if (agent === undefined) return undefined;
  const result: StepResult = {
    stage,
    node: node.name,
    status: "failed",
    command: "",
    why: "leave to an agent what it keeps",
    problem:
      `an agent (${agent}) keeps stages 03 to 08 on ${node.name}, and does there ` +
      "what they would\nwhat to do: change the agent's configuration; or take the agent " +
      "away (kubectl delete of its manifest, or end its process) and run this stage again",
  };
  context.tell(result);
  return [result];
}

/** @throws {StepError} where agents do what the stage does */
export async function refuseHandedOver(
  clusterOf: () => Promise<Cluster>,
  { name }: Stage,
): Promise<void> {
  if (!isKeptByAgent(name)) return;
  const cluster = await clusterOf();
  if (!await isHandedOver(cluster)) return;
  const line = makeLine("agent", cluster, { ARGS: ["--take-back"] });
  throw new StepError(
    `${name}: the cluster "${cluster.name}" is handed over: the agents of its nodes do ` +
      `what the stages 03 to 08 do\nwhat to do: leave it to them, or take it back: ${line}`,
  );
}
