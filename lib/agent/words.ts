/** What a run of the agent did, in words for its log, its status and a Node's Events. Pure. */
import type { StepResult } from "../stage/result.ts";
import type { Trouble } from "./node_report.ts";
import type { AgentRun } from "./reconcile.ts";

/** Lines of the log; of many that are alike the first few. */
export function reportLines(
  report: AgentRun | Trouble,
  why: readonly string[],
  took_ms: number,
): string[] {
  const because = why.join("; ");
  if ("reason" in report) {
    return [`nothing done (${because}): ${oneLine(report.message)}`];
  }
  const { made, repaired, failed } = report;
  const counts = [
    `made ${made.length}`,
    `repaired ${repaired.length}`,
    ...(failed.length === 0 ? [] : [`failed ${failed.length}`]),
  ].join(", ");
  return [
    ...some(
      repaired,
      ({ stage, command }) => `missing, done again: ${stage}: ${command}`,
    ),
    ...some(made, ({ stage, command }) => `done: ${stage}: ${command}`),
    ...some(failed, (result) => `FAILED: ${problemOf(result)}`),
    `${counts} in ${took_ms} ms (${because})`,
  ];
}

const shownAtMost = 20;

function some(
  results: readonly StepResult[],
  line: (result: StepResult) => string,
): string[] {
  const more = results.length - shownAtMost;
  return [
    ...results.slice(0, shownAtMost).map(line),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

function problemOf({ stage, command, problem = "" }: StepResult): string {
  return oneLine(`${stage}: ${command}: ${problem}`);
}

/** A paragraph as one line: a log has a line an entry. */
function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, "; ");
}

/** What is wrong after a run, a line each. */
export function problemsOf(report: AgentRun | Trouble): string[] {
  if ("reason" in report) return [oneLine(report.message)];
  return some(report.failed, problemOf);
}

/** What is wrong after a run, for the Node's Events. */
export function troublesOf(report: AgentRun | Trouble): Trouble[] {
  if ("reason" in report) return [report];
  return report.failed.slice(0, shownAtMost).map(
    ({ stage, problem = "" }): Trouble => ({
      reason: problem.startsWith("refused") ? "Refused" : "Failed",
      message: `${stage}: ${problem}`,
    }),
  );
}
