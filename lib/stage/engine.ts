/**
 * The engine: asks, then acts, then writes down what it did. It knows nothing
 * of networks; the stages know nothing of journals.
 */
import { askStep, decide, isGone, limited, StepError } from "./decide.ts";
import {
  Book,
  find,
  type Manner,
  noLongerWanted,
  stepKey,
} from "./node_run.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import {
  type JournalRecord,
  withComplete,
  withoutRecord,
  withRecord,
} from "./journal.ts";
import { blot, takeInput, waitForOthers, withTaken } from "./inputs.ts";
import { whileTelling } from "../node/heartbeat.ts";
import type { Node } from "../node/node.ts";
import { advice, describe, gist, type StepResult } from "./result.ts";
import type { Answer, Stage, StageName, Step } from "./stage.ts";

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
    if (await prune(book, steps) === "stop") return;
    for (const step of steps) {
      if (manner.stopping()) return;
      if (await applyStep(book, step, steps) === "stop") return;
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
      const step = steps.find((step) => stepKey(step) === record.step);
      if (await undoRecord(book, record, step) === "stop") return;
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
    .filter((step) => step.about === undefined || nodes.includes(step.about));
}

/** Takes back what an earlier run did for this stage and today's steps do not ask for. */
async function prune(
  book: Book,
  steps: readonly Step[],
): Promise<"go on" | "stop"> {
  const kept = new Set(steps.map((step) => stepKey(step)));
  const stale = book.records().filter((record) => !kept.has(record.step));
  for (const record of stale.toReversed()) {
    if (book.manner.stopping()) return "stop";
    if (await undoRecord(book, record, undefined) === "stop") return "stop";
  }
  return "go on";
}

/** @param steps all of this run, for whoever has to agree to them */
async function applyStep(
  book: Book,
  step: Step,
  steps: readonly Step[],
): Promise<"go on" | "stop"> {
  const { node, stage, manner } = book;
  const command = gist(step.run);
  const old = find(book.journal, stage, step);
  let answer: Answer;
  let todo: "run" | "skip";
  let input: string | undefined;
  try {
    await waitForOthers(step, manner.others);
    if (step.input?.compared) input = await takeInput(step, manner);
    answer = await askStep(node, step, book.options, input);
    todo = decide(node, step, answer, old);
    if (todo === "run") await agree(book, step, answer, steps);
  } catch (error) {
    return await refuse(book, step, error);
  }
  if (manner.stopping()) return "stop";
  if (answer.is === "present" && answer.unneeded) return "go on";
  const previous = old?.previous ??
    (answer.is === "absent" ? answer.previous : undefined);
  const takeBack = undoOf(step, previous);
  const record: JournalRecord = {
    stage,
    step: stepKey(step),
    state: "done",
    changed: true,
    ...(step.about === undefined ? {} : { about: step.about }),
    ...(previous === undefined ? {} : { previous }),
    ...(takeBack === undefined ? {} : { undo: takeBack }),
    ...(step.timeout_ms === undefined ? {} : { timeout_ms: step.timeout_ms }),
    ...(step.consent?.undo === undefined ? {} : { consent: step.consent.undo }),
    ...(step.parts ? { parts: true } : {}),
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
  try {
    input ??= await takeInput(step, manner);
  } catch (error) {
    return await refuse(book, step, error);
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
  const bare = await runStep(book, withTaken(step, input));
  const outcome = bare && blot(bare, input, step.input?.secret);
  if (outcome !== undefined && !succeeded(outcome)) {
    // Whoever killed it may have killed the node: then that is the news.
    if (outcome.ended === "killed") await node.run(cmd`true`, book.options);
    // A command that said no has done nothing; one that was killed may have.
    const didNothing = outcome.ended === "no such command" ||
      (outcome.ended === undefined && !step.parts);
    if (didNothing) {
      await book.write(withComplete(before, stage, false));
    }
    book.tell("failed", step.why, command, {
      problem: `${describe(outcome)}\n${advice(outcome, node.name)}`,
    });
    return "stop";
  }
  await book.write(withRecord(book.journal, record));
  const output = outcome === undefined ? "" : outcome.stdout.trim();
  book.tell("changed", step.why, command, output === "" ? {} : { output });
  return "go on";
}

/** Tells why a step does not begin. */
async function refuse(
  book: Book,
  { why, run }: Step,
  error: unknown,
): Promise<"stop"> {
  if (!(error instanceof StepError)) throw error;
  await book.write(withComplete(book.journal, book.stage, false));
  book.tell("failed", why, gist(run), { problem: error.message });
  return "stop";
}

/** Runs a step; undefined when it was a copy, which throws where it fails. */
async function runStep(book: Book, step: Step): Promise<Outcome | undefined> {
  if ("copy" in step.run) {
    const { copy, to, mode } = step.run;
    await book.node.copy(copy, to, mode, book.options);
    return undefined;
  }
  const options = limited(book.options, step.timeout_ms);
  return await telling(book, step.run, book.node.run(step.run, options));
}

/** A command that takes long is told of meanwhile, by what it does: its argv may say more than anybody should see. */
function telling(
  { stage, node, manner }: Book,
  run: Command,
  work: Promise<Outcome>,
): Promise<Outcome> {
  const what = `${stage} on ${node.name}: ${gist(run)}`;
  return whileTelling(what, manner.progress, work);
}

/** @throws {StepError} unless whoever has to agree does */
async function agree(
  book: Book,
  step: Step,
  answer: Answer,
  steps: readonly Step[],
): Promise<void> {
  if (step.consent === undefined) return;
  const preview = answer.is === "absent" ? answer.preview : undefined;
  const agreed = await book.isAgreed({
    what: step.consent.apply,
    ...(preview === undefined ? {} : { preview }),
    commands: steps.slice(steps.indexOf(step))
      .flatMap(({ consent, run }) => consent ? [gist(run)] : []),
  });
  if (!agreed) throw new StepError(notAgreed);
}

const notAgreed = "nobody agreed to it; nothing was done from here on";

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
  if (record.consent !== undefined) {
    try {
      const commands = book.records().toReversed().flatMap((record) =>
        record.consent && record.undo ? [gist(record.undo)] : []
      );
      const what = record.consent;
      if (!await book.isAgreed({ what, commands })) {
        throw new StepError(notAgreed);
      }
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      book.tell("failed", why, gist(record.undo), { problem: error.message });
      return "stop";
    }
  }
  const options = limited(book.options, record.timeout_ms);
  const outcome = await telling(
    book,
    record.undo,
    node.run(record.undo, options),
  );
  if (!succeeded(outcome) && (record.state === "done" || record.parts)) {
    book.tell("failed", why, gist(record.undo), {
      problem: `${describe(outcome)}\n${advice(outcome, node.name)}`,
    });
    return "stop";
  }
  await forget();
  book.tell("changed", why, gist(record.undo));
  return "go on";
}

function undoOf(step: Step, previous: string | undefined): Command | undefined {
  if (typeof step.undo !== "function") return step.undo;
  return previous === undefined ? undefined : step.undo(previous);
}
