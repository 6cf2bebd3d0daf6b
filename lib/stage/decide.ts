/** Asking: what a probe says of a step, and what follows from it. */
import { type Command, type RunOptions, show } from "../exec/command.ts";
import type { JournalRecord } from "./journal.ts";
import type { Node } from "../node/node.ts";
import { hint } from "./result.ts";
import { type Answer, isCleanup, type Step } from "./stage.ts";
import { StepError } from "./errors.ts";

/**
 * What a step's probe says on a node now; a step without one is always to be done.
 *
 * @param input what another node gave for it, where the probe compares
 */
export async function askStep(
  node: Node,
  step: Step,
  options?: RunOptions,
  input?: string,
): Promise<Answer> {
  if (step.doneWhen === undefined) return { is: "absent" };
  const { ask, read } = step.doneWhen;
  return read(
    await node.run(ask, withTimeout(options, step.timeout_ms)),
    input,
  );
}

/** These options, with a time limit of its own where there is one. */
export function withTimeout(
  options: RunOptions | undefined,
  timeout_ms: number | undefined,
): RunOptions {
  return { ...options, ...(timeout_ms === undefined ? {} : { timeout_ms }) };
}

/**
 * Whether undo has nothing left to take back. Only a clear "absent" says so.
 *
 * @param known what the step's probe said, where it was asked already
 */
export async function isGone(
  node: Node,
  step: Step,
  options: RunOptions,
  known?: Answer,
): Promise<boolean> {
  if (step.doneWhen === undefined || isCleanup(step.undo)) return false;
  const answer = known ?? await askStep(node, step, options);
  if (answer.is === "unneeded") return answer.ours === false;
  return answer.is === "absent"
    ? !answer.ours
    : answer.is === "different" || answer.is === "unmarked";
}

/** Why something goes ahead of a step. */
export const goesFirst =
  "What is there of an earlier run is not as it has to be, and cannot be changed";

/** What takes away, ahead of a step, what an earlier run left otherwise. */
export function replacedBy(answer: Answer): Command | undefined {
  return answer.is === "absent" ? answer.replaces : undefined;
}

/** What to do with an answer; an error where it is not ours, or could not be found out. */
export function decide(
  node: Node,
  step: Step,
  answer: Answer,
  old: JournalRecord | undefined,
): "run" | "skip" | StepError {
  switch (answer.is) {
    case "present":
    case "unneeded":
      return "skip";
    case "absent":
      return "run";
    case "unmarked":
    case "different":
      // It differs by our mark alone, and the journal says that we made it.
      if (answer.is === "unmarked" && old !== undefined) return "skip";
      return new StepError(
        `refused: ${answer.found}\nwhat to do: on ${node.name}, ${answer.remedy}`,
      );
    case "unknown":
      return new StepError(
        `${answer.reason}\nasked by: ${
          step.doneWhen
            ? step.doneWhen.ask.label ?? show(step.doneWhen.ask)
            : ""
        }\n${hint(answer.reason)}`,
      );
  }
}
