/** What came of test files: read from what `deno test` prints, counted, shown. */
import { ending, type Outcome } from "../exec/command.ts";
import { withoutColours } from "../text/colours.ts";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What came of one `deno test`. */
export interface TestResult extends Counts {
  /** Why it failed, where Deno's count does not say so. */
  readonly problem?: string;
  /** The names of the tests that failed, with the steps that did. */
  readonly failedNames: readonly string[];
  /** The names of the tests that were skipped. */
  readonly skippedNames: readonly string[];
}

/**
 * Reads the outcome of `deno test`.
 *
 * A run that did not go well without a failed test (it crashed, timed out, or
 * holds no test at all) counts as one failed.
 *
 * @param outcome of the command, its output with or without colours
 */
export function readResult(outcome: Outcome): TestResult {
  const output = withoutColours(outcome.stdout);
  const summaries = output.matchAll(
    new RegExp(
      /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/.source +
        /(?: \([^)]*\))?(?: \| (\d+) ignored)?.* \([^()]*\)$/.source,
      "gm",
    ),
  );
  // A test may print such a line too; the last one is Deno's.
  const [, passed, failed, skipped] = [...summaries].at(-1) ?? [];
  const skippedNames = Array.from(
    output.matchAll(/^(.*) \.\.\. ignored \([^()]*\)$/gm),
    ([, name]) => name ?? "",
  );
  // A test may print such a section too; the last one is Deno's, where it has one.
  const failures = Number(failed) > 0
    ? output.split("\n FAILURES \n").at(-1) ?? ""
    : "";
  const failedNames = Array.from(
    failures.matchAll(/^(.+) => \S+:\d+:\d+$/gm),
    ([, name]) => name ?? "",
  );
  const counts = {
    passed: Number(passed ?? 0),
    failed: Number(failed ?? 0),
    skipped: Number(skipped ?? 0),
  };
  const problem = problemOf(outcome, passed === undefined, counts);
  const names = { failedNames, skippedNames };
  if (problem === undefined) return { ...counts, ...names };
  return { ...counts, failed: counts.failed + 1, problem, ...names };
}

/**
 * Of what `deno test` printed, what tells of failures: the errors with what
 * follows them, or all where a run ended before it told of any.
 */
export function errorsPart(stdout: string): string {
  const start = withoutColours(stdout).indexOf("\n ERRORS \n");
  return start < 0 ? stdout : withoutColours(stdout).slice(start);
}

function problemOf(
  outcome: Outcome,
  noSummary: boolean,
  { passed, failed, skipped }: Counts,
): string | undefined {
  if (outcome.code === undefined) return ending(outcome);
  if (noSummary) return `ended without a summary, ${ending(outcome)}`;
  if (passed + failed + skipped === 0) return "holds no test";
  if (outcome.code !== 0 && failed === 0) return ending(outcome);
  return undefined;
}

/** Adds up. */
export function total(all: readonly Counts[]): Counts {
  return all.reduce<Counts>((sum, { passed, failed, skipped }) => ({
    passed: sum.passed + passed,
    failed: sum.failed + failed,
    skipped: sum.skipped + skipped,
  }), { passed: 0, failed: 0, skipped: 0 });
}

/** The counts as a line: "12 passed, 0 failed, 3 skipped". */
export function countLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed` +
    (skipped === 0 ? "" : `, ${skipped} skipped`);
}

/** Whether a run with these counts went well: nothing failed, and something ran. */
export function wentWell({ passed, failed }: Counts): boolean {
  return failed === 0 && passed > 0;
}
