/** Taking back: what the journal says that a stage did on a node, in reverse. */
import { isGone } from "./decide.ts";
import { StepError } from "./errors.ts";
import { succeeded } from "../exec/command.ts";
import { saysGone } from "../exec/says_gone.ts";
import {
  type JournalRecord,
  withComplete,
  withoutRecords,
  withRecords,
} from "./journal.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import { isOurs, repeatingLast } from "./former.ts";
import { NodeRun, noLongerWanted, stepKey } from "./node_run.ts";
import { label, type StepResult } from "./result.ts";
import { type ToUndo, toUndoTogether, undoTogether } from "./undo_together.ts";
import type { StageName, Step } from "./stage.ts";
import type { RunContext } from "./context.ts";

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
    if (await isNoMore(nodeRun)) {
      nodeRun.tell("ok", "Nothing is left to take back: it does not run", "");
      return;
    }
    await nodeRun.write(withComplete(nodeRun.journal, stage, false));
    await takeBack(nodeRun, repeatingLast(nodeRun.records(), steps), steps);
  });
}

/** Opens the journal, unless the machine is gone with all that was on it. */
async function isNoMore(nodeRun: NodeRun): Promise<boolean> {
  try {
    await nodeRun.open();
    return false;
  } catch (error) {
    if (error instanceof UnreachableError && error.isNoMore) return true;
    throw error;
  }
}

/**
 * Takes back what these records tell of, the last first.
 *
 * @param steps for their probes: what they find gone is not taken back
 * @param because why, where that is not that the step is taken back
 */
export async function takeBack(
  nodeRun: NodeRun,
  records: readonly JournalRecord[],
  steps: readonly Step[],
  because?: string,
): Promise<"go on" | "stop"> {
  const byKey = new Map(steps.map((step) => [stepKey(step), step]));
  const todo = records.toReversed().map((record): ToUndo => {
    const step = byKey.get(record.step);
    const why = step === undefined
      ? noLongerWanted
      : because ?? `Take back: ${step.why}`;
    return { record, step, why };
  });
  for (let at = 0; at < todo.length;) {
    if (nodeRun.context.stopping()) return "stop";
    const group = toUndoTogether(todo.slice(at));
    const went = group.length > 1
      ? await undoTogether(nodeRun, group)
      : await undoRecord(nodeRun, todo[at]!);
    if (went === "stop") return "stop";
    at += Math.max(group.length, 1);
  }
  return "go on";
}

async function undoRecord(
  nodeRun: NodeRun,
  { record, step, why }: ToUndo,
): Promise<"go on" | "stop"> {
  const { node } = nodeRun;
  const { undo, partial } = record;
  const forget = () => nodeRun.write(withoutRecords(nodeRun.journal, [record]));
  if (
    undo === undefined || !isOurs(record) ||
    (step !== undefined && await isGone(node, step, nodeRun.options))
  ) {
    await forget();
    nodeRun.tell("ok", why, undo ? label(undo) : record.step);
    return "go on";
  }
  try {
    await agree(nodeRun, record);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    nodeRun.tell("failed", why, label(undo), { problem: error.message });
    return "stop";
  }
  // Cut off from here on, it may be there or gone: what a running step is.
  await nodeRun.write(
    withRecords(nodeRun.journal, [{ ...record, state: "running" }]),
  );
  const outcome = await nodeRun.execute(undo, record.timeout_ms);
  // Where nothing can be asked whether it was done at all, a no says that it was not.
  const maySayNo = record.state === "running" && !partial &&
    step?.doneWhen === undefined && outcome.code !== undefined;
  // Of what today's steps do not ask for, there is no probe to ask first.
  const wasGone = !partial && saysGone(outcome);
  if (!succeeded(outcome) && !maySayNo && !wasGone) {
    const certain = outcome.code !== undefined;
    if (certain) await nodeRun.write(withRecords(nodeRun.journal, [record]));
    nodeRun.tellFailure(why, label(undo), outcome);
    return "stop";
  }
  await forget();
  nodeRun.tell(wasGone ? "ok" : "changed", why, label(undo));
  return "go on";
}

/** @throws {StepError} unless the person who has to agree does */
async function agree(
  nodeRun: NodeRun,
  { consent }: JournalRecord,
): Promise<void> {
  if (consent === undefined) return;
  const commands = nodeRun.records().toReversed()
    .flatMap(({ consent, undo }) => consent && undo ? [label(undo)] : []);
  await nodeRun.agree({ what: consent, commands });
}
