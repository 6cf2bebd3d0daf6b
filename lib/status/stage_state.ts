/**
 * Whether a stage is applied on a machine: what its probes say now, beside
 * what the journal says was done.
 */
import { decide } from "../stage/decide.ts";
import { foresee } from "../stage/former.ts";
import { find } from "../stage/node_run.ts";
import { cmd, type RunOptions, show } from "../exec/command.ts";
import type { Journal } from "../stage/journal.ts";
import type { Node } from "../node/node.ts";
import {
  askNow,
  commandsOf,
  type PlannedStep,
  takenBack,
} from "../stage/plan_node.ts";
import { label } from "../stage/result.ts";
import type { StageName, Step } from "../stage/stage.ts";
import type { Asked } from "../node/batch.ts";
import type { Others } from "../stage/context.ts";
import { StepError } from "../stage/errors.ts";

/** How a stage stands on a machine. */
export type StageState =
  /** A run would change nothing. */
  | "applied"
  /** Some of it is there, and the stage was never run to its end, or was taken back. */
  | "partly"
  /** Nothing of it is there, and the stage was never run to its end. */
  | "not"
  /** It was run to its end, and is no longer all there. */
  | "drifted"
  /** It could not be found out. */
  | "unknown"
  /** It has nothing to do there. */
  | "none";

/** A stage on a machine. */
export interface StageOn {
  /** A node's name, or "operator". */
  readonly where: string;
  readonly is: StageState;
  /** What a run would do now. */
  readonly changes: readonly PendingCommand[];
  /** Why it would be refused, or why it is unknown. */
  readonly problems: readonly string[];
}

/** A command that a run would execute, and its reason. */
interface PendingCommand {
  readonly why: string;
  readonly command: string;
}

/** What was found out of a step. */
export type StepFinding =
  | { readonly is: "there"; readonly ours: boolean }
  | { readonly is: "wanted"; readonly step: PlannedStep }
  | { readonly is: "refused"; readonly why: string }
  | { readonly is: "unknown"; readonly why: string };

/**
 * How a stage stands. A setting that happens to be as the stage wants it does
 * not make the stage partly applied: that takes our mark, or the journal's word.
 *
 * @param found of each step that the machine has a use for
 */
export function stageState(
  where: string,
  stage: StageName,
  journal: Journal,
  found: readonly StepFinding[],
  more: readonly PlannedStep[],
): StageOn {
  const changes = [
    ...more,
    ...found.flatMap((one) => one.is === "wanted" ? [one.step] : []),
  ].map(({ why, run }): PendingCommand => ({ why, command: label(run) }));
  const problems = found.flatMap((one) => "why" in one ? [one.why] : []);
  const on = (is: StageState): StageOn => ({ where, is, changes, problems });
  const complete = journal.complete.includes(stage);
  if (found.some(({ is }) => is === "unknown")) return on("unknown");
  if (changes.length === 0 && problems.length === 0) {
    return on(found.length === 0 && !complete ? "none" : "applied");
  }
  if (complete) return on("drifted");
  const some = found.some((one) => one.is === "there" && one.ours) ||
    journal.records.some((record) =>
      record.stage === stage && record.state === "done" && record.changed
    );
  return on(some ? "partly" : "not");
}

/**
 * A stage's parts as it stands on each machine: what the operator's machine does
 * about a node is one with what the node does.
 */
export function byMachine(parts: readonly StageOn[]): readonly StageOn[] {
  const by = Map.groupBy(parts, ({ where }) => where);
  return [...by].map(([where, own]): StageOn => ({
    where,
    is: worstOf(own.map(({ is }) => is)),
    changes: own.flatMap(({ changes }) => changes),
    problems: own.flatMap(({ problems }) => problems),
  }));
}

function worstOf(states: readonly StageState[]): StageState {
  const [first = "none", ...more] = new Set(states);
  if (more.length === 0) return first;
  const worst = (["unknown", "drifted"] as const)
    .find((state) => states.includes(state));
  return worst ?? "partly";
}

/** A stage's steps on a machine, or those of the operator's machine about a node. */
export interface StagePart {
  readonly stage: StageName;
  /** Whose they are: the machine's name, or that of the node that they are about. */
  readonly where: string;
  readonly steps: readonly Step[];
  /** What a run would take back of an earlier one. */
  readonly noLonger: readonly PlannedStep[];
}

/**
 * Asks a stage's probes.
 *
 * @param others the other nodes, for steps that take something from them
 * @throws {UnreachableError}
 */
export async function lookAt(
  node: Node,
  { stage, where, steps, noLonger }: StagePart,
  journal: Journal,
  others: Others,
  options: RunOptions,
): Promise<StageOn> {
  const answers = await Promise.all(
    steps.map((step) => askNow(node, step, options, others)),
  );
  // What is asked about another machine, that may take something back first.
  const undos = where === node.name ? commandsOf(noLonger) : [cmd`true`];
  const foreseen = foresee(undos);
  const found = steps.map((step, at): StepFinding[] => {
    const answer = foreseen(step, answers[at] ?? { is: "absent" });
    if (answer.is === "unneeded") {
      const record = answer.ours && find(journal, stage, step);
      const back = record ? takenBack(record) : [];
      return back.map((step): StepFinding => ({ is: "wanted", step }));
    }
    const todo = decide(node, step, answer, find(journal, stage, step));
    if (todo instanceof StepError) {
      const is = answer.is === "unknown" ? "unknown" : "refused";
      return [{ is, why: todo.message }];
    }
    return todo === "run"
      ? [{ is: "wanted", step }]
      : [{ is: "there", ours: answer.is === "present" && !!answer.ours }];
  });
  const records = journal.records.filter((record) =>
    (record.node ?? node.name) === where
  );
  const own = { ...journal, records };
  return stageState(where, stage, own, found.flat(), noLonger);
}

/** A machine that has been asked already: what it said is not asked again. */
export function answered(node: Node, asked: readonly Asked[]): Node {
  const known = new Map(
    asked.map(({ command, outcome }) => [show(command), outcome]),
  );
  return {
    ...node,
    run: async (command, options) =>
      known.get(show(command)) ?? await node.run(command, options),
  };
}

/** A machine that does not answer. */
export function unreachableStage(where: string, why: string): StageOn {
  return { where, is: "unknown", changes: [], problems: [why] };
}
