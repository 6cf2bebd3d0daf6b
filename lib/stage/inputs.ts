/** What a step takes from other nodes: that they are done, and text that one of them gives. */
import { withTimeout } from "./decide.ts";
import { type Outcome, succeeded, withInput } from "../exec/command.ts";
import { UnreachableError } from "../node/node.ts";
import { describe } from "./result.ts";
import type { Step } from "./stage.ts";
import type { Others, RunContext } from "./context.ts";
import { StepError } from "./errors.ts";

/**
 * Waits for the nodes that come before a step.
 *
 * @throws {StepError} when the node that gives its input did not get through
 */
export async function waitForOthers(
  { input }: Step,
  others: Others | undefined,
): Promise<void> {
  if (others === undefined || input === undefined) return;
  for (const name of input.after ?? []) await others.ended(name);
  if (await others.ended(input.from)) return;
  throw new StepError(
    `${input.from} did not get through this stage, and gives what this step needs\n` +
      `what to do: mend what is wrong on ${input.from}, then run this stage again`,
  );
}

/**
 * Asks the other node for a step's input.
 *
 * @returns its text; undefined where the step takes none
 * @throws {StepError} when it does not give any
 */
export async function takeInput(
  { input, timeout_ms }: Step,
  context: Pick<RunContext, "others" | "timeout_ms" | "signal">,
): Promise<string | undefined> {
  if (input === undefined) return undefined;
  const { from, why, ask, secret } = input;
  if (context.others === undefined) throw new TypeError("no other nodes here");
  const { timeout_ms: usual, signal } = context;
  const options = withTimeout({ timeout_ms: usual, signal }, timeout_ms);
  let outcome: Outcome;
  try {
    outcome = await context.others.node(from).run(ask, options);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    throw new StepError(
      `${from} could not be asked for what this step needs (${why}): ${error.reason}\n` +
        `what to do: mend the way to ${from}, then run this stage again`,
    );
  }
  if (succeeded(outcome)) return outcome.stdout;
  const said = redact(outcome, outcome.stdout, secret);
  throw new StepError(
    `${from} did not give what this step needs (${why}): ${describe(said)}\n` +
      `what to do: mend the cause on ${from}, then run this stage again`,
  );
}

/** The step's command, reading what the other node gave. */
export function withTaken(step: Step, taken: string | undefined): Step {
  return taken === undefined || "copy" in step.run
    ? step
    : { ...step, run: withInput(step.run, taken) };
}

/** What came of a command, without the secrets of its input. */
export function redact(
  outcome: Outcome,
  input: string | undefined,
  secret: RegExp | undefined,
): Outcome {
  if (secret === undefined || input === undefined) return outcome;
  const values = [...input.matchAll(secret)].map(([value]) => value);
  const clean = (text: string) =>
    values.reduce((rest, value) => rest.replaceAll(value, "(hidden)"), text);
  return {
    ...outcome,
    stdout: clean(outcome.stdout),
    stderr: clean(outcome.stderr),
  };
}
