/** Asking the probes of several steps by one command, where none of them waits for another. */
import type { RunOptions } from "../exec/command.ts";
import { asIfAlone, askAll } from "../node/batch.ts";
import type { Runner } from "../node/node.ts";
import type { Answer, Step } from "./stage.ts";

/** What probes said, by step. */
export type Answers = ReadonlyMap<Step, Answer>;

/**
 * Asks the probes of these steps, as far as that needs nothing of other nodes;
 * nothing may change on the node before the answers are used.
 *
 * @returns what they said; a step whose answer did not come in time is left out
 * @throws {UnreachableError}
 */
export async function askAhead(
  node: Runner,
  steps: readonly Step[],
  options: RunOptions,
): Promise<Answers> {
  const probed = steps.flatMap((step) =>
    step.doneWhen === undefined || step.input !== undefined
      ? []
      : [{ step, probe: step.doneWhen }]
  );
  // By itself it is as well asked when its turn comes.
  if (probed.length < 2) return new Map();
  const questions = probed.map(({ probe }) => ({
    where: node.name,
    command: probe.ask,
  }));
  const asked = await askAll(node, questions, options);
  return new Map(asked.flatMap(({ outcome, command }, at) => {
    const one = probed[at];
    // The whole was ended, and not this command.
    if (one === undefined || outcome.ended !== undefined) return [];
    return [[one.step, one.probe.read(asIfAlone(command, outcome))]];
  }));
}

/**
 * The steps at the head of a list that go together: the first, and those next to
 * it where all of them are independent.
 */
export function inOneGo(steps: readonly Step[]): readonly Step[] {
  const end = steps.findIndex(({ independent }) => !independent);
  return steps.slice(0, end < 0 ? steps.length : Math.max(end, 1));
}
