/**
 * The engine: asks, then acts, then writes down what it did. It knows nothing
 * of networks; the stages know nothing of journals.
 */
import { askStep, decide, isGone, withTimeout } from "./decide.ts";
import { find, NodeRun, noLongerWanted, stepKey } from "./node_run.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import {
  type JournalRecord,
  withComplete,
  withoutRecord,
  withRecord,
} from "./journal.ts";
import { redact, takeInput, waitForOthers, withTaken } from "./inputs.ts";
import { whileTelling } from "../node/heartbeat.ts";
import type { Node } from "../node/node.ts";
import { advice, describe, label, type StepResult } from "./result.ts";
import type { Answer, Stage, StageName, Step } from "./stage.ts";
import type { RunContext } from "./context.ts";
import { StepError } from "./errors.ts";

/**
 * Applies steps to a node, in order, and stops at the first that fails.
 *
 * @returns a result for each step that was looked at; failures are results, not errors
 */
export async function apply(
  stage: StageName,
  node: Node,
  steps: readonly Step[],
  context: RunContext,
): Promise<StepResult[]> {
  const nodeRun = new NodeRun(stage, node, context);
  return await nodeRun.keep(async () => {
    await nodeRun.open();
    if (await prune(nodeRun, steps) === "stop") return;
    for (const step of steps) {
      if (context.stopping()) return;
      if (await applyStep(nodeRun, step, steps) === "stop") return;
    }
    await nodeRun.write(withComplete(nodeRun.journal, stage, true));
  });
}

/**
 * Takes back what the stage changed on a node, as its journal tells, in
 * reverse. What is no longer as the stage left it is left alone.
 *
 * @param steps the stage's steps of today, for their probes
 */
export async function undo(
  stage: StageName,
  node: Node,
  steps: readonly Step[],
  context: RunContext,
): Promise<StepResult[]> {
  const nodeRun = new NodeRun(stage, node, context);
  return await nodeRun.keep(async () => {
    await nodeRun.open();
    await nodeRun.write(withComplete(nodeRun.journal, stage, false));
    for (const record of nodeRun.records().toReversed()) {
      if (context.stopping()) return;
      const step = steps.find((step) => stepKey(step) === record.step);
      if (await undoRecord(nodeRun, record, step) === "stop") return;
    }
  });
}

/** The stage's steps on the operator's machine that concern these nodes. */
export function operatorSteps(
  stage: Stage,
  cluster: Parameters<NonNullable<Stage["operatorSteps"]>>[0],
  nodes: readonly string[],
): readonly Step[] {
  return (stage.operatorSteps?.(cluster) ?? [])
    .filter((step) => step.node === undefined || nodes.includes(step.node));
}

/** Takes back what an earlier run did for this stage and today's steps do not ask for. */
async function prune(
  nodeRun: NodeRun,
  steps: readonly Step[],
): Promise<"go on" | "stop"> {
  const kept = new Set(steps.map((step) => stepKey(step)));
  const stale = nodeRun.records().filter((record) => !kept.has(record.step));
  for (const record of stale.toReversed()) {
    if (nodeRun.context.stopping()) return "stop";
    if (await undoRecord(nodeRun, record, undefined) === "stop") return "stop";
  }
  return "go on";
}

/** @param steps all of this run, for whoever has to agree to them */
async function applyStep(
  nodeRun: NodeRun,
  step: Step,
  steps: readonly Step[],
): Promise<"go on" | "stop"> {
  const { node, stage, context } = nodeRun;
  const command = label(step.run);
  const old = find(nodeRun.journal, stage, step);
  let answer: Answer;
  let todo: "run" | "skip";
  let input: string | undefined;
  try {
    await waitForOthers(step, context.others);
    if (step.input?.compared) input = await takeInput(step, context);
    answer = await askStep(node, step, nodeRun.options, input);
    todo = decide(node, step, answer, old);
    if (todo === "run") await agree(nodeRun, step, answer, steps);
  } catch (error) {
    return await refuse(nodeRun, step, error);
  }
  if (context.stopping()) return "stop";
  if (answer.is === "present" && answer.unneeded) return "go on";
  const previous = old?.previous ??
    (answer.is === "absent" ? answer.previous : undefined);
  const takeBack = undoOf(step, previous);
  const record: JournalRecord = {
    stage,
    step: stepKey(step),
    state: "done",
    changed: true,
    ...(step.node === undefined ? {} : { node: step.node }),
    ...(previous === undefined ? {} : { previous }),
    ...(takeBack === undefined ? {} : { undo: takeBack }),
    ...(step.timeout_ms === undefined ? {} : { timeout_ms: step.timeout_ms }),
    ...(step.consent?.undo === undefined ? {} : { consent: step.consent.undo }),
    ...(step.partial ? { partial: true } : {}),
  };
  if (todo === "skip") {
    const changed = (old?.changed ?? false) || old?.state === "running" ||
      (answer.is === "present" && answer.ours === true);
    await nodeRun.write(withRecord(nodeRun.journal, { ...record, changed }));
    nodeRun.tell("ok", step.why, command);
    return "go on";
  }
  if (context.ask !== undefined && !await context.ask(node.name, step)) {
    return "stop";
  }
  try {
    input ??= await takeInput(step, context);
  } catch (error) {
    return await refuse(nodeRun, step, error);
  }
  const before = nodeRun.journal;
  await nodeRun.write(
    withComplete(
      withRecord(nodeRun.journal, {
        ...record,
        state: "running",
        changed: old?.changed ?? false,
      }),
      stage,
      false,
    ),
  );
  const bare = await runStep(nodeRun, withTaken(step, input));
  const outcome = bare && redact(bare, input, step.input?.secret);
  if (outcome !== undefined && !succeeded(outcome)) {
    // Whoever killed it may have killed the node: then that is the news.
    if (outcome.ended === "killed") await node.run(cmd`true`, nodeRun.options);
    // A command that said no has done nothing; one that was killed may have.
    const didNothing = outcome.ended === "no such command" ||
      (outcome.ended === undefined && !step.partial);
    if (didNothing) {
      await nodeRun.write(withComplete(before, stage, false));
    }
    nodeRun.tell("failed", step.why, command, {
      problem: `${describe(outcome)}\n${advice(outcome, node.name)}`,
    });
    return "stop";
  }
  await nodeRun.write(withRecord(nodeRun.journal, record));
  const output = outcome === undefined ? "" : outcome.stdout.trim();
  nodeRun.tell("changed", step.why, command, output === "" ? {} : { output });
  return "go on";
}

/** Tells why a step does not begin. */
async function refuse(
  nodeRun: NodeRun,
  { why, run }: Step,
  error: unknown,
): Promise<"stop"> {
  if (!(error instanceof StepError)) throw error;
  await nodeRun.write(withComplete(nodeRun.journal, nodeRun.stage, false));
  nodeRun.tell("failed", why, label(run), { problem: error.message });
  return "stop";
}

/** Runs a step; undefined when it was a copy, which throws where it fails. */
async function runStep(
  nodeRun: NodeRun,
  step: Step,
): Promise<Outcome | undefined> {
  if ("copy" in step.run) {
    const { copy, to, mode } = step.run;
    await nodeRun.node.copy(copy, to, mode, nodeRun.options);
    return undefined;
  }
  const options = withTimeout(nodeRun.options, step.timeout_ms);
  return await telling(nodeRun, step.run, nodeRun.node.run(step.run, options));
}

/** A command that takes long is told of meanwhile, by what it does: its argv may say more than anybody should see. */
function telling(
  { stage, node, context }: NodeRun,
  run: Command,
  work: Promise<Outcome>,
): Promise<Outcome> {
  const what = `${stage} on ${node.name}: ${label(run)}`;
  return whileTelling(what, context.progress, work);
}

/** @throws {StepError} unless whoever has to agree does */
async function agree(
  nodeRun: NodeRun,
  step: Step,
  answer: Answer,
  steps: readonly Step[],
): Promise<void> {
  if (step.consent === undefined) return;
  const preview = answer.is === "absent" ? answer.preview : undefined;
  const agreed = await nodeRun.isAgreed({
    what: step.consent.apply,
    ...(preview === undefined ? {} : { preview }),
    commands: steps.slice(steps.indexOf(step))
      .flatMap(({ consent, run }) => consent ? [label(run)] : []),
  });
  if (!agreed) throw new StepError(notAgreed);
}

const notAgreed = "nobody agreed to it; nothing was done from here on";

async function undoRecord(
  nodeRun: NodeRun,
  record: JournalRecord,
  step: Step | undefined,
): Promise<"go on" | "stop"> {
  const { node } = nodeRun;
  const why = step === undefined ? noLongerWanted : `Take back: ${step.why}`;
  const forget = () => nodeRun.write(withoutRecord(nodeRun.journal, record));
  const maybeOurs = record.changed || record.state === "running";
  if (
    record.undo === undefined || !maybeOurs ||
    (step !== undefined && await isGone(node, step, nodeRun.options))
  ) {
    await forget();
    nodeRun.tell("ok", why, record.undo ? label(record.undo) : record.step);
    return "go on";
  }
  if (record.consent !== undefined) {
    try {
      const commands = nodeRun.records().toReversed().flatMap((record) =>
        record.consent && record.undo ? [label(record.undo)] : []
      );
      const what = record.consent;
      if (!await nodeRun.isAgreed({ what, commands })) {
        throw new StepError(notAgreed);
      }
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      nodeRun.tell("failed", why, label(record.undo), {
        problem: error.message,
      });
      return "stop";
    }
  }
  const options = withTimeout(nodeRun.options, record.timeout_ms);
  const outcome = await telling(
    nodeRun,
    record.undo,
    node.run(record.undo, options),
  );
  if (!succeeded(outcome) && (record.state === "done" || record.partial)) {
    nodeRun.tell("failed", why, label(record.undo), {
      problem: `${describe(outcome)}\n${advice(outcome, node.name)}`,
    });
    return "stop";
  }
  await forget();
  nodeRun.tell("changed", why, label(record.undo));
  return "go on";
}

function undoOf(step: Step, previous: string | undefined): Command | undefined {
  if (typeof step.undo !== "function") return step.undo;
  return previous === undefined ? undefined : step.undo(previous);
}
