/** Running the steps of a node that do not depend on each other by one command. */
import type { Answers } from "./ask_ahead.ts";
import { decide, replacedBy } from "./decide.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import { type JournalRecord, withComplete, withRecords } from "./journal.ts";
import { runInTurn } from "../node/batch.ts";
import { whileTelling } from "../node/heartbeat.ts";
import { find, isSameRecord, type NodeRun, recordOf } from "./node_run.ts";
import { label } from "./result.ts";
import { type Answer, isCleanup, type Step } from "./stage.ts";

/** A step that is to be run with others. */
interface Todo {
  readonly step: Step;
  readonly command: Command;
  readonly answer: Answer;
  /** The journal's record of an earlier run. */
  readonly old: JournalRecord | undefined;
}

/**
 * The steps at the head of a group that are to be run, up to the first that is
 * not; none where a person is asked about each.
 *
 * @param answers what the probes said
 */
export function toRunTogether(
  { node, context, journal, stage }: NodeRun,
  group: readonly Step[],
  answers: Answers,
): readonly Todo[] {
  const todo: Todo[] = [];
  if (context.ask !== undefined) return todo;
  for (const step of group) {
    const answer = answers.get(step);
    const { run, consent, input, undo } = step;
    if (
      answer === undefined || "copy" in run || consent !== undefined ||
      input !== undefined || isCleanup(undo) ||
      replacedBy(answer) !== undefined
    ) return todo;
    const old = find(journal, stage, step);
    if (decide(node, step, answer, old) !== "run") return todo;
    todo.push({ step, command: run, answer, old });
  }
  return todo;
}

/**
 * Runs these steps: written down before as running, all of them, and after as
 * done, as far as they got.
 */
export async function actTogether(
  nodeRun: NodeRun,
  todo: readonly Todo[],
): Promise<"go on" | "stop"> {
  const { node, stage, journal: before, options, context } = nodeRun;
  const records = todo.map(({ step, answer, old }) =>
    recordOf(stage, step, answer, old)
  );
  const running = todo.map(({ old }, at): JournalRecord => {
    const record = records[at]!;
    if (old !== undefined && isSameRecord(old, record)) return old;
    return { ...record, state: "running", changed: old?.changed ?? false };
  });
  await nodeRun.write(withRecords(before, running));
  const outcomes = await whileTelling(
    `${stage} on ${node.name}: ${todo.length} steps`,
    context.progress,
    runInTurn(node, todo.map(({ command }) => command), options),
  );
  const failure = outcomes.find((outcome) => !succeeded(outcome));
  // Where it was cut off, those that follow may have run, too.
  const after = failure !== undefined && mayHaveRun(failure)
    ? running.slice(outcomes.length - 1)
    : [];
  const done = records.slice(0, outcomes.filter(succeeded).length);
  const journal = withRecords(before, [...done, ...after]);
  await nodeRun.write(
    failure === undefined ? journal : withComplete(journal, stage, false),
  );
  for (const [at, outcome] of outcomes.entries()) {
    const { step, command } = todo[at]!;
    if (succeeded(outcome)) {
      const output = outcome.stdout.trim();
      const more = output === "" ? {} : { output };
      nodeRun.tell("changed", step.why, label(command), more);
      continue;
    }
    // What killed it may have killed the node: then that is the news.
    if (outcome.ended === "killed") await node.run(cmd`true`, options);
    nodeRun.tellFailure(step.why, label(command), outcome);
    return "stop";
  }
  return "go on";
}

/** A command that said no has done nothing; one that was killed may have. */
export function mayHaveRun({ code, ended }: Outcome): boolean {
  return code === undefined && ended !== "no such command";
}
