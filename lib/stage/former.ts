/**
 * What a run takes back before its steps: what an earlier run did, and today's
 * steps do not ask for; and what of the probes' answers is untrue then. Pure.
 */
import type { JournalRecord } from "./journal.ts";
import { stepKey } from "./node_run.ts";
import { type Command, show } from "../exec/command.ts";
import { type Answer, type Step, undoOf } from "./stage.ts";

/** The records that these steps do not ask for. */
export function notAskedFor(
  records: readonly JournalRecord[],
  steps: readonly Step[],
): readonly JournalRecord[] {
  const kept = new Set(steps.map((step) => stepKey(step)));
  return records.filter((record) => !kept.has(record.step));
}

/**
 * What is taken back before these steps are run, the last of it first. What has
 * the stage's commands done again by itself goes ahead of all, for they would
 * come back: a run may be cut off before it is written anew.
 */
export function goingFirst(
  records: readonly JournalRecord[],
  steps: readonly Step[],
): readonly JournalRecord[] {
  const former = notAskedFor(records, steps);
  if (!former.some(isOurs)) return former;
  const [, repeating] = parted(records, steps);
  return [...former, ...repeating];
}

/** The records of a stage that is taken back, the last of which goes first. */
export function repeatingLast(
  records: readonly JournalRecord[],
  steps: readonly Step[],
): readonly JournalRecord[] {
  return parted(records, steps).flat();
}

/** All others, and those of what does the stage's commands again. */
function parted(
  records: readonly JournalRecord[],
  steps: readonly Step[],
): readonly [readonly JournalRecord[], readonly JournalRecord[]] {
  const keys = new Set(
    steps.flatMap((step) => step.repeats ? [stepKey(step)] : []),
  );
  const repeats = ({ step }: JournalRecord) => keys.has(step);
  return [
    records.filter((record) => !repeats(record)),
    records.filter(repeats),
  ];
}

/** Whether a record tells of something that undo may find. */
export function isOurs({ changed, state, undo }: JournalRecord): boolean {
  return undo !== undefined && (changed || state === "running");
}

/**
 * Tells, step by step in their order, how a probe's answer will be once what
 * goes first is gone.
 *
 * @param undos the commands by which it goes
 * @param anew what is made anew, with all that is in it; added to
 */
export function foresee(
  undos: readonly Command[],
  anew: Set<string> = new Set(),
): (step: Step, answer: Answer) => Answer {
  const run = new Set(undos.map(show));
  return (step, answer) => {
    const { holds, heldBy, repeats } = step;
    const own = undoOf(step);
    const goes = undos.length > 0 &&
        (isFormer(answer) || repeats === true && answer.is === "present") ||
      heldBy !== undefined && anew.has(heldBy) ||
      // What takes it away is what takes back this very step, too.
      own !== undefined && run.has(show(own));
    const seen: Answer = goes && answer.is !== "unneeded"
      ? { is: "absent" }
      : answer;
    if (holds !== undefined && seen.is === "absent") anew.add(holds);
    return seen;
  };
}

function isFormer(answer: Answer): boolean {
  return "former" in answer && answer.former === true;
}
