/** The dry run: what a run would do, asked of the probes. */
import { askStep, decide, isGone } from "./ask.ts";
import { find, noLongerWanted, recordsOf, stepKey } from "./book.ts";
import type { Command, RunOptions } from "./command.ts";
import { readJournal } from "./journal.ts";
import type { Node } from "./node.ts";
import type { Copy, StageName, Step } from "./step.ts";

/** What a dry run found: the commands that a run would execute on a node, in order. */
export interface Planned {
  readonly node: Node;
  readonly steps: readonly {
    readonly why: string;
    readonly run: Command | Copy;
  }[];
}

/**
 * What apply() would do on a node, asked of its probes; changes nothing.
 *
 * @param assume "absent" to plan without asking, for a node that is not there yet
 * @throws {StepError | CommandError | JournalError | UnreachableError}
 */
export async function plan(
  stage: StageName,
  node: Node,
  steps: readonly Step[],
  options: RunOptions & {
    readonly assume?: "absent";
    readonly about?: readonly string[];
  },
): Promise<Planned> {
  const { assume, about, ...runOptions } = options;
  if (assume === "absent") return { node, steps: steps.flatMap(byHand) };
  const journal = await readJournal(node, runOptions);
  const kept = new Set(steps.map((step) => stepKey(step.run)));
  const planned: { why: string; run: Command | Copy }[] = [];
  for (const record of recordsOf(journal, stage, about).toReversed()) {
    if (kept.has(record.step)) continue;
    const maybeOurs = record.changed || record.state === "running";
    if (record.undo !== undefined && maybeOurs) {
      planned.push({ why: noLongerWanted, run: record.undo });
    }
  }
  for (const step of steps) {
    const answer = await askStep(node, step, runOptions);
    const old = find(journal, stage, step);
    if (decide(node, step, answer, old) === "run") {
      planned.push(...byHand(step));
    }
  }
  return { node, steps: planned };
}

/** A step, and before it what its probe prepares. */
function byHand(step: Step): { why: string; run: Command | Copy }[] {
  const { prepares } = step.unless ?? {};
  return prepares === undefined ? [step] : [prepares, step];
}

/**
 * What undo() would do on a node; changes nothing.
 *
 * @throws {StepError | CommandError | JournalError | UnreachableError}
 */
export async function planUndo(
  stage: StageName,
  node: Node,
  steps: readonly Step[],
  options: RunOptions & { readonly about?: readonly string[] },
): Promise<Planned> {
  const { about, ...runOptions } = options;
  const journal = await readJournal(node, runOptions);
  const planned: { why: string; run: Command }[] = [];
  for (const record of recordsOf(journal, stage, about).toReversed()) {
    if (record.undo === undefined) continue;
    if (!record.changed && record.state === "done") continue;
    const step = steps.find((step) => stepKey(step.run) === record.step);
    if (step !== undefined && await isGone(node, step, runOptions)) continue;
    planned.push({ why: `Take back: ${record.step}`, run: record.undo });
  }
  return { node, steps: planned };
}
