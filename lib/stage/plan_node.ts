/** The dry run: what a run would do, asked of the probes. */
import { askAhead } from "./ask_ahead.ts";
import { askStep, decide, goesFirst, isGone, replacedBy } from "./decide.ts";
import { StepError } from "./errors.ts";
import { foresee, goingFirst, isOurs, repeatingLast } from "./former.ts";
import { find, noLongerWanted, recordsOf, stepKey } from "./node_run.ts";
import { type Command, type RunOptions, succeeded } from "../exec/command.ts";
import { type Journal, type JournalRecord, readJournal } from "./journal.ts";
import type { Node } from "../node/node.ts";
import {
  type Answer,
  type Copy,
  type Input,
  isCleanup,
  type StageName,
  type Step,
} from "./stage.ts";
import type { Others } from "./context.ts";

/** What a dry run found: the commands that a run would execute on a node, in order. */
export interface Planned {
  readonly node: Node;
  readonly steps: readonly PlannedStep[];
}

/** A command that a run would execute, and what it would read from another node. */
export interface PlannedStep {
  readonly why: string;
  readonly run: Command | Copy;
  readonly input?: Input;
  /** The one node that a step on the operator's machine is about. */
  readonly node?: string;
  /** It builds the plugin, or finds it built: a change of no machine. */
  readonly builds?: true;
}

/**
 * What apply() would do on a node, asked of its probes; changes nothing.
 *
 * @param assume "absent" to plan without asking, for a node that is not there yet;
 * fresh names the nodes of which the same holds for the steps about them; instead is what
 * apply() takes back last; anew is as foresee() has it
 * @throws {StepError | CommandError | JournalError | UnreachableError}
 */
export async function plan(
  stage: StageName,
  node: Node,
  steps: readonly Step[],
  options: RunOptions & {
    readonly assume?: "absent";
    readonly nodes?: readonly string[];
    readonly others?: Others;
    readonly fresh?: ReadonlySet<string>;
    readonly instead?: readonly Step[];
    readonly anew?: Set<string>;
  },
): Promise<Planned> {
  const { assume, nodes, others, fresh, instead = [], anew, ...runOptions } =
    options;
  if (assume === "absent") return { node, steps: steps.flatMap(byHand) };
  const journal = await readJournal(node, runOptions);
  const all = [...steps, ...instead];
  const planned: PlannedStep[] = [...noLonger(stage, journal, all, nodes)];
  const foreseen = foresee(commandsOf(planned), anew);
  const isFresh = (step: Step) =>
    step.node !== undefined && fresh?.has(step.node) === true;
  const asked = steps.filter((step) => !isFresh(step));
  const answers = await askAhead(node, asked, runOptions);
  const ahead: PlannedStep[] = [];
  for (const step of steps) {
    const todo = step.ahead ? ahead : planned;
    if (isFresh(step)) {
      todo.push(...byHand(step));
      continue;
    }
    const answer = foreseen(
      step,
      answers.get(step) ?? await askNow(node, step, runOptions, others),
    );
    const record = find(journal, stage, step);
    const decided = decide(node, step, answer, record);
    if (decided instanceof StepError) throw decided;
    if (decided === "run") {
      const first = replacedBy(answer);
      if (first !== undefined) todo.push({ why: goesFirst, run: first });
      todo.push(...byHand(step));
    } else if (answer.is === "unneeded" && answer.ours && record) {
      todo.push(...takenBack(record));
    }
  }
  planned.push(
    ...await replaced(stage, node, journal, { steps, instead }, runOptions),
  );
  return { node, steps: [...ahead, ...planned] };
}

/** What an earlier run did by other means, and a run would take back at last. */
async function replaced(
  stage: StageName,
  node: Node,
  journal: Journal,
  { steps, instead }: Record<"steps" | "instead", readonly Step[]>,
  options: RunOptions,
): Promise<readonly PlannedStep[]> {
  const planned: PlannedStep[] = [];
  const kept = new Set(steps.map((step) => stepKey(step)));
  const byKey = new Map(instead.map((step) => [stepKey(step), step]));
  for (const record of recordsOf(journal, stage, undefined).toReversed()) {
    const step = byKey.get(record.step);
    if (step === undefined || kept.has(record.step)) continue;
    if (!await isGone(node, step, options)) planned.push(...takenBack(record));
  }
  return planned;
}

/** What a run would take back of an earlier one, since the cluster no longer asks for it. */
export function noLonger(
  stage: StageName,
  journal: Journal,
  steps: readonly Step[],
  nodes?: readonly string[],
): readonly PlannedStep[] {
  return goingFirst(recordsOf(journal, stage, nodes), steps).toReversed()
    .flatMap(takenBack);
}

/** The commands of what is planned. */
export function commandsOf(planned: readonly PlannedStep[]): Command[] {
  return planned.flatMap(({ run }) => "copy" in run ? [] : [run]);
}

/** What takes back what a record tells of, where it changed anything. */
export function takenBack(record: JournalRecord): readonly PlannedStep[] {
  const { undo } = record;
  return undo === undefined || !isOurs(record)
    ? []
    : [{ why: noLongerWanted, run: undo }];
}

/**
 * What its probe says of a step. Where the other node cannot give yet what the
 * probe compares, the step is still to be done.
 */
export async function askNow(
  node: Node,
  step: Step,
  options: RunOptions,
  others: Others | undefined,
): Promise<Answer> {
  if (!step.input?.compared || others === undefined) {
    return await askStep(node, step, options);
  }
  const { from, ask } = step.input;
  const given = await others.node(from).run(ask, options);
  if (!succeeded(given)) return { is: "absent" };
  return await askStep(node, step, options, given.stdout);
}

/** A step, and before it what its probe prepares. */
function byHand(step: Step): PlannedStep[] {
  const prepares = step.doneWhen?.prepares;
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
  options: RunOptions & { readonly nodes?: readonly string[] },
): Promise<Planned> {
  const { nodes, ...runOptions } = options;
  const journal = await readJournal(node, runOptions);
  const byKey = new Map(steps.map((step) => [stepKey(step), step]));
  const records = repeatingLast(recordsOf(journal, stage, nodes), steps)
    .toReversed().filter(isOurs);
  const asked = records.flatMap(({ step }) => byKey.get(step) ?? [])
    .filter(({ undo }) => !isCleanup(undo));
  const answers = await askAhead(node, asked, runOptions);
  const planned: { why: string; run: Command }[] = [];
  for (const { step: key, undo } of records) {
    const step = byKey.get(key);
    const gone = step !== undefined &&
      await isGone(node, step, runOptions, answers.get(step));
    if (gone || undo === undefined) continue;
    planned.push({ why: `Take back: ${key}`, run: undo });
  }
  return { node, steps: planned };
}
