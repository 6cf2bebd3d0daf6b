/** Doing the steps of stage 09: each is told of, and asked about where the user wants that. */
import { makeLine } from "../cluster/make_line.ts";
import type { Cluster } from "../cluster/cluster.ts";
import {
  CommandError,
  type Outcome,
  type RunOptions,
  show,
  succeeded,
} from "../exec/command.ts";
import { runInTurn } from "../node/batch.ts";
import { whileTelling } from "../node/heartbeat.ts";
import type { Runner } from "../node/node.ts";
import type { PodStep } from "./namespace_pods.ts";
import { withTimeout } from "../stage/decide.ts";
import { label, type StepResult } from "../stage/result.ts";
import type { RunContext } from "../stage/context.ts";
import { StepError } from "../stage/errors.ts";

/** Runs steps on nodes, tells of each, and asks before each where the user wants that. */
export interface StepRunner {
  readonly options: RunOptions;
  /**
   * @throws {CommandError} when the command fails
   * @throws {StepError} when the user wants no more
   */
  do(runner: Runner, step: PodStep): Promise<string>;
  /**
   * Does a machine's steps in their order: by one command, where nobody is asked.
   *
   * @throws as do() does
   */
  doAll(runner: Runner, steps: readonly PodStep[]): Promise<void>;
  /** Does the work for each: side by side, or in turn where the user is asked. */
  each<Item, Result>(
    items: readonly Item[],
    work: (item: Item) => Promise<Result>,
  ): Promise<Result[]>;
}

/** Runs steps in this context. */
export function stepRunnerFor(
  context: RunContext,
  cluster: Pick<Cluster, "file">,
): StepRunner {
  const options = { timeout_ms: context.timeout_ms, signal: context.signal };
  const { ask } = context;
  const tell = (runner: Runner, step: PodStep, outcome: Outcome) => {
    if (!succeeded(outcome)) {
      throw new CommandError(runner.name, step.run, outcome, step.why);
    }
    const output = outcome.stdout.trim();
    context.tell({
      ...about(runner, step),
      status: "changed",
      ...(output === "" ? {} : { output }),
    });
  };
  return {
    options,
    async do(runner, step) {
      if (context.stopping()) throw interruptedError(cluster);
      const choice = await ask?.(runner.name, step) ?? "run";
      if (choice === "stop") throw interruptedError(cluster);
      if (choice === "skip") return "";
      const outcome = await whileTelling(
        `09-verify on ${runner.name}: ${label(step.run)}`,
        context.progress,
        runner.run(step.run, withTimeout(options, step.timeout_ms)),
      );
      tell(runner, step, outcome);
      return outcome.stdout;
    },
    async doAll(runner, steps) {
      if (ask !== undefined || steps.length < 2) {
        for (const step of steps) await this.do(runner, step);
        return;
      }
      if (context.stopping()) throw interruptedError(cluster);
      const outcomes = await whileTelling(
        `09-verify on ${runner.name}: ${label(steps[0]!.run)} …`,
        context.progress,
        runInTurn(runner, steps.map(({ run }) => run), {
          ...options,
          // As much as the one that may take longest.
          timeout_ms: Math.max(
            ...steps.map(({ timeout_ms = context.timeout_ms }) => timeout_ms),
          ),
        }),
      );
      for (const [at, outcome] of outcomes.entries()) {
        tell(runner, steps[at]!, outcome);
      }
    },
    async each(items, work) {
      if (ask === undefined) return await Promise.all(items.map(work));
      const results = [];
      for (const item of items) results.push(await work(item));
      return results;
    },
  };
}

/** A step of stage 09, as the beginning of its result. */
export function about(
  { name }: Runner,
  { why, run }: PodStep,
): Pick<StepResult, "stage" | "node" | "why" | "command"> {
  return { stage: "09-verify", node: name, why, command: show(run) };
}

/** The error of a run that the user has ended. */
export function interruptedError(
  cluster: Pick<Cluster, "file">,
): StepError {
  return new StepError(
    "09-verify was ended before it was done; what it started stays until\n" +
      `  ${makeLine("09-verify ARGS=--undo", cluster)}`,
  );
}
