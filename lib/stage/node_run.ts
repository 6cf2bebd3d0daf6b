/** A node's journal while a stage is at work there, and the results so far. */
import { CommandError, type RunOptions, show } from "../exec/command.ts";
import {
  emptyJournal,
  type Journal,
  type JournalRecord,
  readJournal,
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
import type { ConsentRequest, StageName, Step } from "./stage.ts";
import type { RunContext } from "./context.ts";
import { JournalError } from "./errors.ts";

/** A node's journal while a stage is at work there. */
export class NodeRun {
  journal: Journal = emptyJournal;
  readonly results: StepResult[] = [];
  readonly options: RunOptions;
  #agreed = false;

  constructor(
    readonly stage: StageName,
    readonly node: Node,
    readonly context: RunContext,
  ) {
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
    if (JSON.stringify(journal) === JSON.stringify(this.journal)) return;
    await writeJournal(this.node, journal, this.options);
    this.journal = journal;
  }

  /**
   * Whether somebody agrees, or did so before in this run.
   *
   * @throws {StepError} when there is nobody to ask
   */
  async isAgreed(request: ConsentRequest): Promise<boolean> {
    this.#agreed ||= await this.context.consent?.(request) ?? false;
    return this.#agreed;
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
        this.tell("failed", why, label(command), {
          problem: `${describe(outcome)}\n${advice(outcome, this.node.name)}`,
        });
      } else throw error;
    }
    return this.results;
  }
}

/** Names a step within its stage, the same at every run: by its key, else its command without its input, or a copy's target. */
export function stepKey({ key, run }: Pick<Step, "key" | "run">): string {
  if (key !== undefined) return key;
  return "copy" in run ? `copy to ${run.to}` : show(run);
}

/** The journal's record of a step. */
export function find(
  journal: Journal,
  stage: StageName,
  step: Step,
): JournalRecord | undefined {
  const key = stepKey(step);
  return journal.records.find((record) =>
    record.stage === stage && record.step === key
  );
}

/** A stage's records; on the operator's machine those about these nodes only, where some are named. */
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
