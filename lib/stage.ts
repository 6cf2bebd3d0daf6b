/**
 * The engine: asks, then acts, then writes down what it did. It knows nothing
 * of networks; the stages know nothing of journals.
 */
import {
  cmd,
  type Command,
  CommandError,
  ending,
  type Outcome,
  type RunOptions,
  show,
  succeeded,
} from "./command.ts";
import {
  emptyJournal,
  type Journal,
  JournalError,
  type JournalRecord,
  readJournal,
  withComplete,
  withoutRecord,
  withRecord,
  writeJournal,
} from "./journal.ts";
import { type Node, UnreachableError } from "./node.ts";
import type { Answer, Copy, Stage, StageName, Step } from "./step.ts";

/** What became of a step. */
export type Status =
  | "ok"
  | "changed"
  | "failed"
  | "unreachable";

/** A line of the report: one step on one node. */
export interface StepResult {
  readonly stage: StageName;
  readonly node: string;
  readonly status: Status;
  /** What the step is for. */
  readonly why: string;
  /** The command, or the copy, in a line. */
  readonly command: string;
  /** What went wrong, what was found, and what to do; lines of text. */
  readonly problem?: string;
  /** What the command printed, where somebody asked for it. */
  readonly output?: string;
}

/** How a stage is run. */
export interface Manner {
  readonly timeout_ms: number;
  /** Ends commands under way. */
  readonly signal: AbortSignal;
  /** Whether no further step shall begin. */
  readonly stopping: () => boolean;
  /** Told of each result at once. */
  readonly tell: (result: StepResult) => void;
  /** The nodes that `--node` names: records about others are left alone, on the operator's machine. */
  readonly about?: readonly string[];
  /** Asked before each command where the user wants to go step by step; false ends the run. */
  readonly ask?: (node: string, step: Step) => Promise<boolean>;
}

/** A step that was refused or could not be decided. */
export class StepError extends Error {
  override readonly name = "StepError";
}

/** What a dry run found: the commands that a run would execute on a node, in order. */
export interface Planned {
  readonly node: Node;
  readonly steps: readonly {
    readonly why: string;
    readonly run: Command | Copy;
  }[];
}

/** Names a step within its stage, the same at every run: its command without its input, or a copy's target. */
export function stepKey(run: Command | Copy): string {
  return "copy" in run ? `copy to ${run.to}` : show(run);
}

/** What a step does, in a line. */
export function gist(run: Command | Copy): string {
  if ("copy" in run) return `copy ${run.copy} to ${run.to}`;
  return run.gist ?? show(run);
}

/**
 * Applies steps to a node, in order, and stops at the first that fails.
 *
 * @returns a result for each step that was looked at; failures are results, not errors
 */
export async function apply(
  stage: StageName,
  node: Node,
  steps: readonly Step[],
  manner: Manner,
): Promise<StepResult[]> {
  const book = new Book(stage, node, manner);
  return await book.keep(async () => {
    await book.open();
    await prune(book, steps);
    for (const step of steps) {
      if (manner.stopping()) return;
      if (await applyStep(book, step) === "stop") return;
    }
    await book.write(withComplete(book.journal, stage, true));
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
  manner: Manner,
): Promise<StepResult[]> {
  const book = new Book(stage, node, manner);
  return await book.keep(async () => {
    await book.open();
    await book.write(withComplete(book.journal, stage, false));
    for (const record of book.records().toReversed()) {
      if (manner.stopping()) return;
      const step = steps.find((step) => stepKey(step.run) === record.step);
      if (await undoRecord(book, record, step) === "stop") return;
    }
  });
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
  if (assume === "absent") return { node, steps };
  const journal = await readJournal(node, runOptions);
  const kept = new Set(steps.map((step) => stepKey(step.run)));
  const planned: { why: string; run: Command | Copy }[] = [];
  for (const record of recordsOf(journal, stage, about).toReversed()) {
    if (kept.has(record.step)) continue;
    if (record.undo !== undefined && record.changed) {
      planned.push({ why: noLongerWanted, run: record.undo });
    }
  }
  for (const step of steps) {
    const answer = await askStep(node, step, runOptions);
    const old = find(journal, stage, step);
    if (decide(node, step, answer, old) === "run") planned.push(step);
  }
  return { node, steps: planned };
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

/** What a stage's probes say on a node now; asks only, for stage 09 and for drift. */
export async function askStage(
  node: Node,
  steps: readonly Step[],
  options?: RunOptions,
): Promise<{ readonly step: Step; readonly answer: Answer }[]> {
  const probed = steps.filter((step) => step.unless !== undefined);
  return await Promise.all(
    probed.map(async (step) => ({
      step,
      answer: await askStep(node, step, options),
    })),
  );
}

/** The stage's steps on the operator's machine that concern these nodes. */
export function operatorSteps(
  stage: Stage,
  cluster: Parameters<NonNullable<Stage["operatorSteps"]>>[0],
  nodes: readonly string[],
): readonly Step[] {
  return (stage.operatorSteps?.(cluster) ?? [])
    .filter((step) => step.about === undefined || nodes.includes(step.about));
}

const noLongerWanted =
  "The cluster no longer asks for what an earlier run did here";

/** A node's journal while a stage is at work there. */
class Book {
  journal: Journal = emptyJournal;
  readonly results: StepResult[] = [];
  readonly options: RunOptions;

  constructor(
    readonly stage: StageName,
    readonly node: Node,
    readonly manner: Manner,
  ) {
    this.options = { timeout_ms: manner.timeout_ms, signal: manner.signal };
  }

  async open(): Promise<void> {
    this.journal = await readJournal(this.node, this.options);
  }

  /** The stage's records that this run may touch. */
  records(): readonly JournalRecord[] {
    const { about } = this.manner;
    return recordsOf(this.journal, this.stage, about);
  }

  async write(journal: Journal): Promise<void> {
    if (JSON.stringify(journal) === JSON.stringify(this.journal)) return;
    await writeJournal(this.node, journal, this.options);
    this.journal = journal;
  }

  tell(
    status: Status,
    why: string,
    command: string,
    more: { problem?: string; output?: string } = {},
  ): void {
    const { stage, node: { name: node } } = this;
    const result = { stage, node, status, why, command, ...more };
    this.results.push(result);
    this.manner.tell(result);
  }

  /** Runs the body; what it throws becomes the last result. */
  async keep(body: () => Promise<void>): Promise<StepResult[]> {
    try {
      await body();
    } catch (error) {
      if (error instanceof UnreachableError) {
        this.tell("unreachable", "reach the node", "", {
          problem: error.reason,
        });
      } else if (error instanceof JournalError) {
        this.tell("failed", "read the journal", "", { problem: error.message });
      } else if (error instanceof CommandError) {
        const { outcome, why, command } = error;
        this.tell("failed", why, gist(command), {
          problem: `${describe(outcome)}\n${advice(outcome, this.node)}`,
        });
      } else throw error;
    }
    return this.results;
  }
}

/** What came of a command, whole, for somebody who has to find out why. */
export function describe(outcome: Outcome): string {
  const lines: string[] = [ending(outcome)];
  if (outcome.stdout.trim() !== "") {
    lines.push(`stdout: ${outcome.stdout.trim()}`);
  }
  if (outcome.stderr.trim() !== "") {
    lines.push(`stderr: ${outcome.stderr.trim()}`);
  }
  return lines.join("\n");
}

/** Takes back what an earlier run did for this stage and today's steps do not ask for. */
async function prune(book: Book, steps: readonly Step[]): Promise<void> {
  const kept = new Set(steps.map((step) => stepKey(step.run)));
  const stale = book.records().filter((record) => !kept.has(record.step));
  for (const record of stale.toReversed()) {
    if (book.manner.stopping()) return;
    if (await undoRecord(book, record, undefined) === "stop") return;
  }
}

async function applyStep(book: Book, step: Step): Promise<"go on" | "stop"> {
  const { node, stage, manner } = book;
  const command = gist(step.run);
  const old = find(book.journal, stage, step);
  let answer: Answer;
  let todo: "run" | "skip";
  try {
    answer = await askStep(node, step, book.options);
    todo = decide(node, step, answer, old);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    await book.write(withComplete(book.journal, stage, false));
    book.tell("failed", step.why, command, { problem: error.message });
    return "stop";
  }
  const previous = old?.previous ??
    (answer.is === "absent" ? answer.previous : undefined);
  const takeBack = undoOf(step, previous);
  const record: JournalRecord = {
    stage,
    step: stepKey(step.run),
    state: "done",
    changed: true,
    ...(step.about === undefined ? {} : { about: step.about }),
    ...(previous === undefined ? {} : { previous }),
    ...(takeBack === undefined ? {} : { undo: takeBack }),
  };
  if (todo === "skip") {
    const changed = (old?.changed ?? false) || old?.state === "running" ||
      (answer.is === "present" && answer.ours === true);
    await book.write(withRecord(book.journal, { ...record, changed }));
    book.tell("ok", step.why, command);
    return "go on";
  }
  if (manner.ask !== undefined && !await manner.ask(node.name, step)) {
    return "stop";
  }
  const before = book.journal;
  await book.write(
    withComplete(
      withRecord(book.journal, {
        ...record,
        state: "running",
        changed: old?.changed ?? false,
      }),
      stage,
      false,
    ),
  );
  const outcome = await runStep(book, step);
  if (outcome !== undefined && !succeeded(outcome)) {
    // Whoever killed it may have killed the node: then that is the news.
    if (outcome.ended === "killed") await node.run(cmd`true`, book.options);
    // A command that said no has done nothing; one that was killed may have.
    if (outcome.ended === undefined || outcome.ended === "no such command") {
      await book.write(withComplete(before, stage, false));
    }
    book.tell("failed", step.why, command, {
      problem: `${describe(outcome)}\n${advice(outcome, node)}`,
    });
    return "stop";
  }
  await book.write(withRecord(book.journal, record));
  const output = outcome === undefined ? "" : outcome.stdout.trim();
  book.tell("changed", step.why, command, output === "" ? {} : { output });
  return "go on";
}

/** Runs a step; undefined when it was a copy, which throws where it fails. */
async function runStep(book: Book, step: Step): Promise<Outcome | undefined> {
  if ("copy" in step.run) {
    await book.node.copy(step.run.copy, step.run.to, step.run.mode);
    return undefined;
  }
  return await book.node.run(step.run, {
    ...book.options,
    ...(step.timeout_ms === undefined ? {} : { timeout_ms: step.timeout_ms }),
  });
}

async function undoRecord(
  book: Book,
  record: JournalRecord,
  step: Step | undefined,
): Promise<"go on" | "stop"> {
  const { node } = book;
  const why = step === undefined ? noLongerWanted : `Take back: ${step.why}`;
  const forget = () => book.write(withoutRecord(book.journal, record));
  const maybeOurs = record.changed || record.state === "running";
  if (
    record.undo === undefined || !maybeOurs ||
    (step !== undefined && await isGone(node, step, book.options))
  ) {
    await forget();
    book.tell("ok", why, record.undo ? gist(record.undo) : record.step);
    return "go on";
  }
  const outcome = await node.run(record.undo, book.options);
  if (!succeeded(outcome) && record.state === "done") {
    book.tell("failed", why, show(record.undo), {
      problem: `${describe(outcome)}\n${advice(outcome, node)}`,
    });
    return "stop";
  }
  await forget();
  book.tell("changed", why, gist(record.undo));
  return "go on";
}

async function askStep(
  node: Node,
  step: Step,
  options?: RunOptions,
): Promise<Answer> {
  if (step.unless === undefined) return { is: "absent" };
  return step.unless.read(await node.run(step.unless.ask, options));
}

/** Whether undo has nothing left to take back. Only a clear "absent" says so. */
async function isGone(
  node: Node,
  step: Step,
  options: RunOptions,
): Promise<boolean> {
  if (step.unless === undefined) return false;
  const answer = await askStep(node, step, options);
  return answer.is === "absent" || answer.is === "different";
}

/**
 * What to do with an answer.
 *
 * @throws {StepError} when it is somebody else's, or nobody can say
 */
function decide(
  node: Node,
  step: Step,
  answer: Answer,
  old: JournalRecord | undefined,
): "run" | "skip" {
  switch (answer.is) {
    case "present":
      return "skip";
    case "absent":
      return "run";
    case "different":
      // It differs by our mark alone, and the journal says that we made it.
      if (answer.unmarked && old !== undefined) {
        return "skip";
      }
      throw new StepError(
        `refused: ${answer.found}\nwhat to do: on ${node.name}, ${answer.remedy}`,
      );
    case "unknown":
      throw new StepError(
        `${answer.reason}\nasked by: ${
          step.unless ? show(step.unless.ask) : ""
        }\n${hint(answer.reason)}`,
      );
  }
}

function find(
  journal: Journal,
  stage: StageName,
  step: Step,
): JournalRecord | undefined {
  const key = stepKey(step.run);
  return journal.records.find((record) =>
    record.stage === stage && record.step === key
  );
}

/** A stage's records; on the operator's machine those about these nodes only, where some are named. */
function recordsOf(
  journal: Journal,
  stage: StageName,
  about: readonly string[] | undefined,
): readonly JournalRecord[] {
  return journal.records.filter((record) =>
    record.stage === stage &&
    (about === undefined ||
      (record.about !== undefined && about.includes(record.about)))
  );
}

function undoOf(step: Step, previous: string | undefined): Command | undefined {
  if (typeof step.undo !== "function") return step.undo;
  return previous === undefined ? undefined : step.undo(previous);
}

function advice(outcome: Outcome, node: Node): string {
  if (outcome.ended === "timed out") {
    return `what to do: find out what it waits for on ${node.name}, or give it longer (--timeout SECONDS); then run this stage again`;
  }
  if (outcome.ended === "interrupted") {
    return "what to do: run this stage again, or take it back with --undo";
  }
  return hint(outcome.ended ?? outcome.stderr);
}

function hint(said: string): string {
  if (/no such command/.test(said)) {
    return "what to do: install the missing program on the node, then run this stage again";
  }
  if (/not permitted|permission denied|must be root/i.test(said)) {
    return "what to do: this needs root on the node: run it as root, or with sudo";
  }
  return "what to do: mend the cause, then run this stage again; what is done already is skipped";
}
