/** Writing down that the effects of steps are there, of many at once. */
import type { Answers } from "./ask_ahead.ts";
import { decide } from "./decide.ts";
import { type JournalRecord, withRecords } from "./journal.ts";
import { find, isSameRecord, type NodeRun, recordOf } from "./node_run.ts";
import { label } from "./result.ts";
import type { Answer, Step } from "./stage.ts";

/** A step whose effect is there. */
interface Skipped {
  readonly step: Step;
  readonly answer: Answer;
  /** The journal's record of an earlier run. */
  readonly old: JournalRecord | undefined;
}

/**
 * The steps at the head of a group of which it is known that their effects are
 * there.
 *
 * @param answers what the probes said
 */
export function toSkipTogether(
  { node, journal, stage }: NodeRun,
  group: readonly Step[],
  answers: Answers,
): readonly Skipped[] {
  const skipped: Skipped[] = [];
  for (const step of group) {
    const answer = answers.get(step);
    if (
      answer === undefined || answer.is === "unneeded" ||
      step.input !== undefined
    ) return skipped;
    const old = find(journal, stage, step);
    if (decide(node, step, answer, old) !== "skip") return skipped;
    skipped.push({ step, answer, old });
  }
  return skipped;
}

/** Writes down that these steps' effects are there. */
export async function skipTogether(
  nodeRun: NodeRun,
  skipped: readonly Skipped[],
): Promise<void> {
  const records = skipped.flatMap(({ step, answer, old }) => {
    const changed = old?.changed || old?.state === "running" ||
      (answer.is === "present" && answer.ours === true);
    const record = { ...recordOf(nodeRun.stage, step, answer, old), changed };
    // Of thousands of steps, most have nothing new to write down.
    return isSameRecord(old, record) ? [] : [record];
  });
  if (records.length > 0) {
    await nodeRun.write(withRecords(nodeRun.journal, records));
  }
  for (const { step } of skipped) {
    nodeRun.tell("ok", step.why, label(step.run));
  }
}
