/** Taking back the steps of a node that do not depend on each other by one command. */
import { mayHaveRun } from "./act_together.ts";
import { askAhead } from "./ask_ahead.ts";
import { isGone } from "./decide.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { saysGone } from "../exec/says_gone.ts";
import { isOurs } from "./former.ts";
import { type JournalRecord, withoutRecords, withRecords } from "./journal.ts";
import { runInTurn } from "../node/batch.ts";
import { whileTelling } from "../node/heartbeat.ts";
import type { NodeRun } from "./node_run.ts";
import { label } from "./result.ts";
import type { Step } from "./stage.ts";

/** What is to be taken back. */
export interface ToUndo {
  readonly record: JournalRecord;
  /** Today's step, for its probe. */
  readonly step: Step | undefined;
  readonly why: string;
}

/** Those at the head of a list that can be taken back by one command. */
export function toUndoTogether(todo: readonly ToUndo[]): readonly ToUndo[] {
  const end = todo.findIndex(({ record, step }) => {
    const { independent, state, partial, consent } = record;
    return !independent || !isOurs(record) || partial ||
      consent !== undefined ||
      // Without a probe, what was begun may be there or not.
      (state === "running" && step?.doneWhen === undefined);
  });
  return end < 0 ? todo : todo.slice(0, end);
}

/**
 * Takes these back: written down before as running, all of them, and forgotten
 * after, as far as that got.
 */
export async function undoTogether(
  nodeRun: NodeRun,
  group: readonly ToUndo[],
): Promise<"go on" | "stop"> {
  const { node, stage, options, context } = nodeRun;
  const gone = await goneOf(nodeRun, group);
  const todo = group.filter((one) => !gone.has(one))
    .map((one) => ({ ...one, undo: one.record.undo ?? cmd`true` }));
  const recordsOf = (some: Iterable<ToUndo>) =>
    [...some].map(({ record }) => record);
  const before = withoutRecords(nodeRun.journal, recordsOf(gone));
  const running = (some: readonly ToUndo[]) =>
    recordsOf(some).map((record): JournalRecord => ({
      ...record,
      state: "running",
    }));
  // Cut off from here on, each may be there or gone: what a running step is.
  await nodeRun.write(withRecords(before, running(todo)));
  for (const { record, why } of gone) {
    nodeRun.tell("ok", why, record.undo ? label(record.undo) : record.step);
  }
  if (todo.length === 0) return "go on";
  const outcomes = await whileTelling(
    `${stage} on ${node.name}: ${todo.length} steps are taken back`,
    context.progress,
    runInTurn(node, todo.map(({ undo }) => undo), options),
  );
  const failed = outcomes.findIndex((outcome) => !succeeded(outcome));
  const failure = outcomes[failed];
  const end = failed < 0 ? todo.length : failed;
  // Where it was cut off, those that follow may have run, too.
  const unsure = failure !== undefined && mayHaveRun(failure)
    ? running(todo.slice(end))
    : [];
  const after = withoutRecords(before, recordsOf(todo.slice(0, end)));
  await nodeRun.write(withRecords(after, unsure));
  for (const { why, undo } of todo.slice(0, end)) {
    nodeRun.tell("changed", why, label(undo));
  }
  const last = todo[end];
  if (failure === undefined || last === undefined) return "go on";
  if (saysGone(failure)) {
    await nodeRun.write(withoutRecords(nodeRun.journal, [last.record]));
    nodeRun.tell("ok", last.why, label(last.undo));
    return await undoTogether(nodeRun, todo.slice(end + 1));
  }
  // What killed it may have killed the node: then that is the news.
  if (failure.ended === "killed") await node.run(cmd`true`, options);
  nodeRun.tellFailure(last.why, label(last.undo), failure);
  return "stop";
}

/** Those of which nothing is left, as their probes say. */
async function goneOf(
  { node, options }: NodeRun,
  group: readonly ToUndo[],
): Promise<ReadonlySet<ToUndo>> {
  const answers = await askAhead(
    node,
    group.flatMap(({ step = [] }) => step),
    options,
  );
  const gone = new Set<ToUndo>();
  for (const one of group) {
    const { step } = one;
    if (
      step !== undefined && await isGone(node, step, options, answers.get(step))
    ) {
      gone.add(one);
    }
  }
  return gone;
}
