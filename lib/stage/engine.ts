/**
 * The engine: asks, then acts, then writes down what it did. It knows nothing
 * of networks; the stages know nothing of journals.
 */
import { askStep, decide, goesFirst, replacedBy } from "./decide.ts";
import { type Answers, inOneGo } from "./ask_ahead.ts";
import { actTogether, toRunTogether } from "./act_together.ts";
import { notAskedFor } from "./former.ts";
import { skipTogether, toSkipTogether } from "./skip_together.ts";
import {
  find,
  isSameRecord,
  NodeRun,
  noLongerWanted,
  recordOf,
} from "./node_run.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import { saysGone } from "../exec/says_gone.ts";
import { type JournalRecord, withComplete, withRecords } from "./journal.ts";
import { redact, takeInput, waitForOthers, withTaken } from "./inputs.ts";
import type { Node } from "../node/node.ts";
import { label, type StepResult } from "./result.ts";
import {
  type Answer,
  isCleanup,
  type Stage,
  type StageName,
  type Step,
} from "./stage.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { RunContext } from "./context.ts";
import { StepError } from "./errors.ts";
import { takeFormer } from "./take_former.ts";
import { takeBack } from "./undo.ts";

/**
 * Applies steps to a node, in order, and stops at the first that fails.
 *
 * @param instead what does the same by other means: where an earlier run did
 * so, that is taken back once these steps are done
 * @returns a result for each step that was looked at; failures are results, not errors
 */
export async function apply(
  stage: StageName,
  node: Node,
  steps: readonly Step[],
  context: RunContext,
  instead: readonly Step[] = [],
): Promise<StepResult[]> {
  const nodeRun = new NodeRun(stage, node, context);
  return await nodeRun.keep(async () => {
    await nodeRun.open();
    const ahead = steps.filter((step) => step.ahead);
    const first = await takeFormer(
      nodeRun,
      steps,
      instead,
      () => applyAll(nodeRun, ahead),
    );
    if (first === "stop") return;
    const rest = steps.filter((step) => !step.ahead || first === undefined);
    const then = await applyAll(nodeRun, rest);
    if (then === "stop") return;
    const went = first === "skip" ? first : then;
    if (went === "go on") {
      const replaced = notAskedFor(nodeRun.records(), steps);
      const back = await takeBack(nodeRun, replaced, instead, noLongerWanted);
      if (back === "stop") return;
    }
    await nodeRun.write(withComplete(nodeRun.journal, stage, went !== "skip"));
  });
}

/** What follows for the steps after; "skip" where a person left one out. */
type Went = "go on" | "skip" | "stop";

async function applyAll(
  nodeRun: NodeRun,
  steps: readonly Step[],
): Promise<Went> {
  let all: Went = "go on";
  const { context, journal, stage } = nodeRun;
  // Most likely nothing is to be done: then all can be asked at once.
  let answers: Answers = journal.complete.includes(stage)
    ? await nodeRun.askAhead(steps)
    : new Map();
  for (let at = 0; at < steps.length;) {
    const group = inOneGo(steps.slice(at));
    at += group.length;
    if (context.stopping()) return "stop";
    if (!group.every((step) => answers.has(step))) {
      answers = await nodeRun.askAhead(group);
    }
    const told = nodeRun.results.length;
    const went = await applyGroup(nodeRun, group, steps, answers);
    if (went === "stop") return "stop";
    if (went === "skip") all = "skip";
    // What was asked before a change may be otherwise now.
    if (nodeRun.results.slice(told).some(({ status }) => status !== "ok")) {
      answers = new Map();
    }
  }
  return all;
}

/** @param steps all of this run, for the person who has to agree to them */
async function applyGroup(
  nodeRun: NodeRun,
  group: readonly Step[],
  steps: readonly Step[],
  answers: Answers,
): Promise<Went> {
  let all: Went = "go on";
  for (let at = 0; at < group.length;) {
    if (nodeRun.context.stopping()) return "stop";
    const rest = group.slice(at);
    const skipped = toSkipTogether(nodeRun, rest, answers);
    if (skipped.length > 0) {
      await skipTogether(nodeRun, skipped);
      at += skipped.length;
      continue;
    }
    const todo = toRunTogether(nodeRun, rest, answers);
    const step = group[at]!;
    const told = nodeRun.results.length;
    const went = todo.length > 1
      ? await actTogether(nodeRun, todo)
      : await applyStep(nodeRun, step, steps, answers.get(step));
    // Those behind the one that failed were not begun.
    const begun = nodeRun.results.length - told;
    if (went === "stop" && (begun === 0 || !goesOn(nodeRun, step))) return went;
    if (went !== "go on") all = "skip";
    at += went === "stop" ? begun : Math.max(todo.length, 1);
  }
  return all;
}

function goesOn({ context }: NodeRun, { independent }: Step): boolean {
  return context.keepGoing === true && independent === true &&
    !context.stopping();
}

/** The stage's steps on the operator's machine that concern these nodes. */
export function operatorSteps(
  stage: Stage,
  cluster: Cluster,
  nodes: readonly string[],
): readonly Step[] {
  return (stage.operator?.steps(cluster, nodes) ?? [])
    .filter((step) => step.node === undefined || nodes.includes(step.node));
}

/** What is known of a step before anything is changed, and what follows from it. */
interface Decision {
  readonly todo: "run" | "skip";
  readonly answer: Answer;
  /** The journal's record of an earlier run. */
  readonly old: JournalRecord | undefined;
  /** What another node gave for the step. */
  readonly input: string | undefined;
}

/**
 * @param steps all of this run, for the person who has to agree to them
 * @param known what its probe said, where it was asked ahead
 */
async function applyStep(
  nodeRun: NodeRun,
  step: Step,
  steps: readonly Step[],
  known: Answer | undefined,
): Promise<Went> {
  const { node, context } = nodeRun;
  try {
    const decision = await look(nodeRun, step, known);
    const { todo, answer } = decision;
    if (todo === "run") await agree(nodeRun, step, answer, steps);
    if (context.stopping()) return "stop";
    if (answer.is === "unneeded") {
      return answer.ours && decision.old
        ? await takeBack(nodeRun, [decision.old], [])
        : "go on";
    }
    if (todo === "skip") {
      await skipTogether(nodeRun, [{ step, ...decision }]);
      return "go on";
    }
    const first = replacedBy(answer);
    for (const one of first ? [{ why: goesFirst, run: first }, step] : [step]) {
      const choice = await context.ask?.(node.name, one) ?? "run";
      if (choice !== "run") return choice;
    }
    const input = decision.input ?? await takeInput(step, context);
    return await act(nodeRun, step, { ...decision, input });
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    await nodeRun.refuse(step, error);
    return "stop";
  }
}

/**
 * Asks the step's probe, and decides.
 *
 * @throws {StepError} when it is not ours, or could not be found out
 */
async function look(
  nodeRun: NodeRun,
  step: Step,
  known: Answer | undefined,
): Promise<Decision> {
  const { node, context, journal, stage } = nodeRun;
  await waitForOthers(step, context.others);
  const input = step.input?.compared
    ? await takeInput(step, context)
    : undefined;
  const answer = known ?? await askStep(node, step, nodeRun.options, input);
  const old = find(journal, stage, step);
  const todo = decide(node, step, answer, old);
  if (todo instanceof StepError) throw todo;
  return { todo, answer, old, input };
}

/** Runs the step: written down before as running, and after as done. */
async function act(
  nodeRun: NodeRun,
  step: Step,
  { answer, old, input }: Decision,
): Promise<"go on" | "stop"> {
  const { node, stage, journal: before } = nodeRun;
  const command = label(step.run);
  const record = recordOf(stage, step, answer, old);
  const changed = old?.changed ?? false;
  if (!isSameRecord(old, record)) {
    await nodeRun.write(
      withRecords(before, [{ ...record, state: "running", changed }]),
    );
  }
  const first = replacedBy(answer);
  if (first !== undefined && !await takeAway(nodeRun, first)) return "stop";
  const bare = await runStep(nodeRun, withTaken(step, input));
  const outcome = bare && redact(bare, input, step.input?.secret);
  if (outcome === undefined || succeeded(outcome)) {
    await nodeRun.write(withRecords(nodeRun.journal, [record]));
    const output = outcome?.stdout.trim() ?? "";
    nodeRun.tell("changed", step.why, command, output === "" ? {} : { output });
    return "go on";
  }
  // What killed it may have killed the node: then that is the news.
  if (outcome.ended === "killed") await node.run(cmd`true`, nodeRun.options);
  // A command that said no has done nothing; one that was killed may have.
  const didNothing = outcome.ended === "no such command" ||
    (outcome.ended === undefined && !isCleanup(step.undo));
  const known = didNothing ? before : nodeRun.journal;
  await nodeRun.write(withComplete(known, stage, false));
  nodeRun.tellFailure(step.why, command, outcome);
  return "stop";
}

/** Takes away what is in a step's place, and with it all that was known of what is there. */
async function takeAway(nodeRun: NodeRun, first: Command): Promise<boolean> {
  const outcome = await nodeRun.execute(first);
  nodeRun.askAnew();
  if (succeeded(outcome) || saysGone(outcome)) {
    nodeRun.tell("changed", goesFirst, label(first));
    return true;
  }
  await nodeRun.write(withComplete(nodeRun.journal, nodeRun.stage, false));
  nodeRun.tellFailure(goesFirst, label(first), outcome);
  return false;
}

/** Runs a step; undefined when it was a copy, which throws where it fails. */
async function runStep(
  nodeRun: NodeRun,
  step: Step,
): Promise<Outcome | undefined> {
  const { run, timeout_ms } = step;
  if (!("copy" in run)) return await nodeRun.execute(run, timeout_ms);
  await nodeRun.node.copy(run.copy, run.to, run.mode, nodeRun.options);
  return undefined;
}

/** @throws {StepError} unless the person who has to agree does */
async function agree(
  nodeRun: NodeRun,
  step: Step,
  answer: Answer,
  steps: readonly Step[],
): Promise<void> {
  if (step.consent === undefined) return;
  const preview = answer.is === "absent" ? answer.preview : undefined;
  await nodeRun.agree({
    what: step.consent.apply,
    ...(preview === undefined ? {} : { preview }),
    commands: steps.slice(steps.indexOf(step))
      .flatMap(({ consent, run }) => consent ? [label(run)] : []),
  });
}
