/** Breaking what an exercise is about, and putting it right again. */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Outcome, type RunOptions } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import type { Runner } from "../node/node.ts";
import type { RunContext, StageRun } from "../stage/context.ts";
import { apply } from "../stage/engine.ts";
import { readJournal } from "../stage/journal.ts";
import { stepKey } from "../stage/node_run.ts";
import { type StepResult, worst } from "../stage/result.ts";
import { insteadFor } from "../stage/instead.ts";
import { otherNodes, stepsFor } from "../stage/run_stage.ts";
import type { Stage, StageName } from "../stage/stage.ts";
import { type Exercise, isStageFault } from "./exercise.ts";
import { wrongStage } from "./stage_fault.ts";
import type { StageSet } from "./stage_set.ts";

const functions = shellProgram("fault_shell.sh", import.meta.url);

/** Runs a line of an exercise in a machine's shell. */
export async function runLine(
  runner: Runner,
  line: string,
  options: RunOptions,
): Promise<Outcome> {
  const script = `set -e\n${functions}\n${line}`;
  return await runner.run(cmd`sh -c ${script} exercise`, options);
}

/**
 * Breaks what the exercise is about, as far as the user lets it.
 *
 * @returns whether all of it was done
 */
export async function breakIt(
  run: StageRun,
  { faults }: Exercise,
  stageSet: StageSet,
): Promise<boolean> {
  const cluster = await run.cluster();
  for (const fault of faults) {
    if (run.context.stopping()) return false;
    if (isStageFault(fault)) {
      const right = stageOf(fault.stage, stageSet);
      const stage = wrongStage(fault, right, cluster);
      const results = await runOn(run, stage, fault.on, run.context);
      if (worst(results) !== "done") return false;
    } else {
      const node = run.reach(cluster).nodeOf(fault.on);
      const { code } = await runLine(node, fault.run, run.context);
      if (code !== 0) return false;
    }
  }
  return true;
}

/**
 * Repairs it, also after the user has interrupted: so nothing broken is left
 * behind. A repair that was done already is no error.
 */
export async function mendIt(
  run: StageRun,
  { repairs }: Pick<Exercise, "repairs">,
  stageSet: StageSet,
): Promise<void> {
  const context = {
    ...run.context,
    stopping: () => false,
    signal: new AbortController().signal,
  };
  const cluster = await run.cluster();
  for (const repair of repairs) {
    if ("stage" in repair) {
      const stage = stageOf(repair.stage, stageSet);
      await runOn(run, stage, repair.on, context);
    } else {
      const node = run.reach(cluster).nodeOf(repair.on);
      await runLine(node, repair.run, context);
    }
  }
}

/** What a wrongly run stage left in the journal of its node. */
export async function leftInJournal(
  run: StageRun,
  { faults: [fault] }: Exercise,
  stageSet: StageSet,
): Promise<readonly string[]> {
  if (!isStageFault(fault)) return [];
  const cluster = await run.cluster();
  const right = stageOf(fault.stage, stageSet);
  const keys = (stage: Stage) =>
    stepsFor(stage, cluster, fault.on, undefined).map((step) => stepKey(step));
  const wrong = new Set(keys(wrongStage(fault, right, cluster)))
    .difference(new Set(keys(right)));
  const { records } = await readJournal(
    run.reach(cluster).nodeOf(fault.on),
    run.context,
  );
  return records.filter(({ stage, step }) =>
    stage === fault.stage && wrong.has(step)
  ).map(({ step }) => step);
}

/** Runs again what the stages make on a node, from its configuration to its routes. */
export async function applyStages(
  run: StageRun,
  node: string,
  { stages }: StageSet,
): Promise<void> {
  const context = { ...run.context, stopping: () => false };
  for (const stage of stages) {
    const isNodes = stage.steps !== undefined && stage.build === undefined &&
      stage.name !== "01-provision" && stage.name !== "02-kubeadm";
    if (isNodes) await runOn(run, stage, node, context);
  }
}

async function runOn(
  run: StageRun,
  stage: Stage,
  on: string,
  context: RunContext,
): Promise<readonly StepResult[]> {
  const cluster: Cluster = await run.cluster();
  const reach = run.reach(cluster);
  const steps = stepsFor(stage, cluster, on, undefined);
  return await apply(
    stage.name,
    reach.nodeOf(on),
    steps,
    { ...context, others: otherNodes(reach) },
    insteadFor(stage, cluster, on),
  );
}

function stageOf(name: StageName, { stages }: StageSet): Stage {
  const found = stages.find((stage) => stage.name === name);
  if (found === undefined) throw new TypeError(`no stage ${name}`);
  return found;
}
