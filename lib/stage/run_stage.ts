/** A stage on all its nodes: the operator's part, the build, then the nodes side by side. */
import { turnsOf } from "../cluster/at_once.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type RunOptions, succeeded } from "../exec/command.ts";
import { type Node, type Reach, UnreachableError } from "../node/node.ts";
import { BuildError } from "./errors.ts";
import { advice, describe, label, type StepResult, worst } from "./result.ts";
import { apply, operatorSteps } from "./engine.ts";
import { undo } from "./undo.ts";
import { leftToAgent, refuseHandedOver } from "./left_to_agent.ts";
import type { FollowUpStep, Plan, PluginFile, Stage, Step } from "./stage.ts";
import type { Others, RunContext, StageRun } from "./context.ts";
import { inOrder } from "./in_order.ts";
import { insteadFor } from "./instead.ts";
import { remarksOf } from "./remarks.ts";
import { tellingIfSlow, whileTelling } from "../node/heartbeat.ts";
import { agreeToUndo } from "./undo_consent.ts";

/**
 * Runs a stage, or takes it back, on the nodes that the flags name.
 *
 * @returns its results, of which the run has been told already
 */
export async function runStage(
  run: StageRun,
  stage: Stage,
): Promise<readonly StepResult[]> {
  const from = run.results.length;
  await refuseHandedOver(run.cluster, stage);
  if (run.undo) await agreeToUndo(run, [stage]);
  const { ask, announce, progress } = run.context;
  const [remarks] = await Promise.all([
    remarksOf(run, stage.remarks),
    tellingIfSlow(
      `${stage.name}: ${run.undo ? "take back" : stage.summary}`,
      // One who is asked at each step sees where it is.
      ask === undefined ? announce : undefined,
      run.undo ? undoStage(run, stage) : applyStage(run, stage),
      { soFar: () => `${run.results.length - from} steps so far` },
    ),
  ]);
  for (const line of remarks) progress?.(`${stage.name}: ${line}`);
  return run.results.slice(from);
}

async function applyStage(run: StageRun, stage: Stage): Promise<void> {
  const { context } = run;
  const before = await run.cluster();
  if (lacksPodCIDRs(run, stage, before)) return;
  const own = operatorSteps(stage, before, run.selected(before));
  const last = stage.operator?.last?.(before) ?? false;
  const reach = run.reach(before);
  const operate = async () => {
    // None today: what an earlier run did here may have to go.
    if (stage.operator === undefined) return true;
    const context = { ...onOperator(run), others: otherNodes(reach) };
    const done = await apply(stage.name, reach.operator, own, context);
    return worst(done) === "done";
  };
  if (!last && !await operate()) return;
  if (context.stopping() || stage.steps === undefined) return;
  const pluginFiles = await build(run, stage);
  if (pluginFiles === "failed") return;
  const cluster = await run.cluster();
  const stepsOf = (name: string) => stepsFor(stage, cluster, name, pluginFiles);
  const done = await eachNode(
    run,
    cluster,
    async (node, name, others) =>
      await leftToAgent(context, stage, node) ?? await apply(
        stage.name,
        node,
        stepsOf(name),
        { ...context, others },
        insteadFor(stage, cluster, name),
      ),
    stepsOf,
  );
  if (!last || context.stopping() || worst(done.flat()) !== "done") return;
  await operate();
}

async function undoStage(run: StageRun, stage: Stage): Promise<void> {
  const { context } = run;
  const cluster = await run.cluster();
  if (stage.steps !== undefined && !stage.operator?.endsNodes?.(cluster)) {
    const taken = await eachNode(
      run,
      cluster,
      async (node, name) =>
        await leftToAgent(context, stage, node) ??
          await undo(
            stage.name,
            node,
            probesFor(stage, cluster, name),
            context,
          ),
    );
    if (worst(taken.flat()) !== "done" || context.stopping()) return;
    await afterUndo(run, stage, cluster);
  }
  if (stage.operator === undefined) return;
  const own = operatorSteps(stage, cluster, run.selected(cluster));
  await undo(stage.name, run.reach(cluster).operator, own, onOperator(run));
}

/** What the other nodes have to do about those that were taken back. */
async function afterUndo(
  run: StageRun,
  stage: Stage,
  cluster: Cluster,
): Promise<void> {
  const { context } = run;
  const { timeout_ms, signal } = context;
  const undone = run.selected(cluster);
  for (const step of stage.followUp?.afterUndo(cluster, undone) ?? []) {
    const { on } = step;
    const node = run.reach(cluster).nodeOf(on);
    const told = {
      stage: stage.name,
      node: on,
      why: step.why,
      command: label(step.run),
    };
    if (!await hasWork(node, step, { timeout_ms, signal })) continue;
    const outcome = await node.run(step.run, { timeout_ms, signal });
    context.tell(
      succeeded(outcome) ? { ...told, status: "changed" } : {
        ...told,
        status: "failed",
        problem: `${describe(outcome)}\n${advice(outcome, on)}`,
      },
    );
  }
}

/** Whether such a step has something to do, as far as its node answers. */
export async function hasWork(
  node: Node,
  { doneWhen }: FollowUpStep,
  options: RunOptions,
): Promise<boolean> {
  try {
    return doneWhen.read(await node.run(doneWhen.ask, options)).is === "absent";
  } catch (error) {
    if (error instanceof UnreachableError) return false;
    throw error;
  }
}

/** With `--node`, what the operator's machine did about other nodes stays. */
function onOperator({ context, nodes }: StageRun): RunContext {
  return nodes.length === 0 ? context : { ...context, nodes };
}

/**
 * Nodes side by side, as many as the machine bears, or in turn where the user is
 * asked at each step: then those that others wait for come first.
 */
async function eachNode(
  run: StageRun,
  cluster: Cluster,
  work: (
    node: Node,
    name: string,
    others: Others,
  ) => Promise<readonly StepResult[]>,
  stepsOf: (name: string) => readonly Step[] = () => [],
): Promise<(readonly StepResult[])[]> {
  const names = run.selected(cluster);
  const reach = run.reach(cluster);
  const under = new Map<string, Promise<readonly StepResult[]>>();
  const others: Others = {
    ...otherNodes(reach),
    async ended(name) {
      const work = under.get(name);
      return work === undefined || worst(await work) === "done";
    },
  };
  const turn = turnsOf(cluster);
  const one = (name: string) => {
    const results = turn(() => work(reach.nodeOf(name), name, others));
    under.set(name, results);
    return results;
  };
  if (run.context.ask === undefined) {
    // Those that others wait for have their turn first.
    for (const { name } of inOrder(names, stepsOf)) one(name);
    return await Promise.all(under.values());
  }
  const results: (readonly StepResult[])[] = [];
  for (const { name } of inOrder(names, stepsOf)) {
    if (run.context.stopping()) break;
    results.push(await one(name));
  }
  return results;
}

/** The cluster's nodes, none of which is waited for. */
export function otherNodes({ nodeOf }: Pick<Reach, "nodeOf">): Others {
  return { node: nodeOf, ended: () => Promise.resolve(true) };
}

async function build(
  run: StageRun,
  stage: Stage,
): Promise<readonly PluginFile[] | undefined | "failed"> {
  if (stage.build === undefined) return undefined;
  const { why, byHand, make } = stage.build;
  const common = {
    stage: stage.name,
    node: "operator",
    why,
    command: byHand.argv.join(" "),
  };
  try {
    const { files, changed, line } = await whileTelling(
      `${stage.name}: ${common.command}`,
      run.context.progress,
      make(run.form),
    );
    run.context.tell({
      ...common,
      status: changed ? "changed" : "ok",
      output: line,
    });
    return files;
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    run.context.tell({
      ...common,
      status: "failed",
      problem: error.message,
    });
    return "failed";
  }
}

/** Says so where the stage cannot be planned yet. */
function lacksPodCIDRs(
  { context }: StageRun,
  stage: Stage,
  cluster: Cluster,
): boolean {
  const names = unknownPodCIDRs(stage, cluster);
  if (names.length === 0) return false;
  context.tell({
    stage: stage.name,
    node: "operator",
    status: "failed",
    why: "know every node's podCIDR",
    command: "",
    problem: `no podCIDR is known yet for ${
      names.join(", ")
    }\nwhat to do: run 02-kubeadm, which finds them out`,
  });
  return true;
}

/** The nodes whose podCIDRs the stage needs, and which are not known yet. */
function unknownPodCIDRs(stage: Stage, cluster: Cluster): string[] {
  if (!stage.needsPodCIDRs) return [];
  return cluster.nodes.filter(({ podCIDRs }) => podCIDRs.length === 0)
    .map(({ name }) => name);
}

/** The stage's steps for the node of this name. */
export function stepsFor(
  stage: Stage,
  cluster: Cluster,
  name: string,
  pluginFiles: readonly PluginFile[] | undefined,
): readonly Step[] {
  const node = cluster.nodes.find((node) => node.name === name);
  if (node === undefined) return [];
  const plan: Plan = {
    cluster,
    node,
    ...(pluginFiles === undefined ? {} : { pluginFiles }),
  };
  return stage.steps?.(plan) ?? [];
}

/** Today's steps for their probes; none where they cannot be planned. */
function probesFor(
  stage: Stage,
  cluster: Cluster,
  name: string,
): readonly Step[] {
  if (unknownPodCIDRs(stage, cluster).length > 0) return [];
  return stepsFor(stage, cluster, name, undefined);
}
