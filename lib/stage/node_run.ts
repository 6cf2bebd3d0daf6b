/** A node's journal while a stage is at work there, and the results so far. */
import {
  type Command,
  CommandError,
  type Outcome,
  type RunOptions,
  show,
} from "../exec/command.ts";
import type { ConsentRequest } from "./consent.ts";
import { withTimeout } from "./decide.ts";
import { whileTelling } from "../node/heartbeat.ts";
import {
  emptyJournal,
  type Journal,
  type JournalRecord,
  readJournal,
  recordNamed,
  withComplete,
  writeJournal,
} from "./journal.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import {
  advice,
  describe,
  label,
  type Status,
  type StepResult,
} from "./result.ts";
import {
  type Answer,
  isCleanup,
  type StageName,
  type Step,
  undoOf,
} from "./stage.ts";
import { type Answers, askAhead } from "./ask_ahead.ts";
import type { RunContext } from "./context.ts";
import { JournalError, notAgreed, type StepError } from "./errors.ts";

/** A node's journal while a stage is at work there. */
export class NodeRun {
  journal: Journal = emptyJournal;
  readonly results: StepResult[] = [];
  readonly options: RunOptions;
  #agreed = false;
  #known: RunContext["known"];

  constructor(
    readonly stage: StageName,
    readonly node: Node,
    readonly context: RunContext,
  ) {
    this.#known = context.known;
    this.options = { timeout_ms: context.timeout_ms, signal: context.signal };
  }

  async open(): Promise<void> {
    this.journal = await readJournal(this.node, this.options);
  }

  /** The stage's records that this run may touch. */
  records(): readonly JournalRecord[] {
    const { nodes } = this.context;
    return recordsOf(this.journal, this.stage, nodes);
  }

  async write(journal: Journal): Promise<void> {
    if (journal === this.journal) return;
    if (JSON.stringify(journal) === JSON.stringify(this.journal)) return;
    await writeJournal(this.node, journal, this.options);
    this.journal = journal;
  }

  /**
   * Asks for consent, once in this run.
   *
   * @throws {StepError} unless it is given
   */
  async agree(request: ConsentRequest): Promise<void> {
    this.#agreed ||= await this.context.consent?.(request) ?? false;
    if (this.#agreed) return;
    throw notAgreed("done from here on");
  }

  /** Asks the probes of several steps at once; that it goes on is told where it takes long. */
  async askAhead(steps: readonly Step[]): Promise<Answers> {
    const known = this.#known;
    const answers = new Map<Step, Answer>();
    for (const step of known === undefined ? [] : steps) {
      const answer = known?.(step);
      if (answer !== undefined) answers.set(step, answer);
    }
    const asked = await whileTelling(
      `${this.stage} on ${this.node.name}: what is there already`,
      this.context.progress,
      askAhead(
        this.node,
        steps.filter((step) => !answers.has(step)),
        this.options,
      ),
    );
    for (const [step, answer] of asked) answers.set(step, answer);
    return answers;
  }

  /** What was known of steps before something was taken back is known no more. */
  askAnew(): void {
    this.#known = undefined;
  }

  /** Runs a command; what it does is told meanwhile where it takes long. */
  execute(command: Command, timeout_ms?: number): Promise<Outcome> {
    const options = withTimeout(this.options, timeout_ms);
    return whileTelling(
      // Its argv may hold a secret.
      `${this.stage} on ${this.node.name}: ${label(command)}`,
      this.context.progress,
      this.node.run(command, options),
    );
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
    this.context.tell(result);
  }

  /** Tells of a step that is not to be run, and why. */
  async refuse(
    { why, run }: Pick<Step, "why" | "run">,
    { message }: StepError,
  ): Promise<void> {
    await this.write(withComplete(this.journal, this.stage, false));
    this.tell("failed", why, label(run), { problem: message });
  }

  /** Tells of a command that did not do what it should. */
  tellFailure(why: string, command: string, outcome: Outcome): void {
    const problem = `${describe(outcome)}\n${advice(outcome, this.node.name)}`;
    this.tell("failed", why, command, { problem });
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
        this.tellFailure(why, label(command), outcome);
      } else throw error;
    }
    return this.results;
  }
}

/**
 * Names a step within its stage, the same at every run: by its key, else by the
 * file that it writes or copies, else by its command without the input.
 */
export function stepKey({ key, run }: Pick<Step, "key" | "run">): string {
  if (key !== undefined) return key;
  if ("copy" in run) return `copy to ${run.to}`;
  return run.writes === undefined ? show(run) : `write ${run.writes}`;
}

/** The journal's record of a step. */
export function find(
  journal: Journal,
  stage: StageName,
  step: Step,
): JournalRecord | undefined {
  return recordNamed(journal, stage, stepKey(step));
}

/**
 * A stage's records; on the operator's machine those about these nodes only,
 * where some are named.
 */
export function recordsOf(
  journal: Journal,
  stage: StageName,
  nodes: readonly string[] | undefined,
): readonly JournalRecord[] {
  return journal.records.filter((record) =>
    record.stage === stage &&
    (nodes === undefined ||
      (record.node !== undefined && nodes.includes(record.node)))
  );
}

/** Why something of an earlier run is taken back. */
export const noLongerWanted =
  "The cluster no longer asks for what an earlier run did here";

/** What the journal says of a step that is done. */
export function recordOf(
  stage: StageName,
  step: Step,
  answer: Answer,
  old: JournalRecord | undefined,
): JournalRecord {
  const { node, timeout_ms, consent } = step;
  const previous = old?.previous ??
    (answer.is === "absent" ? answer.previous : undefined);
  const undo = undoOf(step, previous);
  return {
    stage,
    step: stepKey(step),
    state: "done",
    changed: true,
    ...(node === undefined ? {} : { node }),
    ...(previous === undefined ? {} : { previous }),
    ...(undo === undefined ? {} : { undo }),
    ...(timeout_ms === undefined ? {} : { timeout_ms }),
    ...(consent?.undo === undefined ? {} : { consent: consent.undo }),
    ...(isCleanup(step.undo) ? { partial: true } : {}),
    ...(step.independent === undefined ? {} : { independent: true }),
  };
}

/**
 * Whether the journal says already what it would say after a step: what is made
 * again then is written down before it is, also where nothing can be written.
 */
export function isSameRecord(
  old: JournalRecord | undefined,
  record: JournalRecord,
): boolean {
  return old !== undefined && JSON.stringify(old) === JSON.stringify(record);
}
