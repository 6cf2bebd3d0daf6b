/** Runs groups of tests, each by a `deno test`, and says what came of them. */
import { cmd, show } from "../exec/command.ts";
import { projectRoot } from "../exec/project_root.ts";
import { run } from "../exec/run.ts";
import {
  countLine,
  errorsPart,
  readResult,
  type TestResult,
} from "./deno_test_output.ts";
import { importsOf, type TestGroup } from "./test_groups.ts";

/** How tests are run. */
interface TestRun {
  /** How many groups at once. */
  readonly jobs: number;
  /** Whether all that a test prints is shown, or only that of failures. */
  readonly verbose: boolean;
  /** After this a group hangs. */
  readonly limit_ms: number;
  readonly signal: AbortSignal;
}

/** What came of a group. */
interface Tested {
  readonly group: TestGroup;
  readonly result: TestResult;
}

/**
 * Runs each group in a process of its own, some side by side, and prints a line
 * for each with what failed in it.
 *
 * @returns what came of those that ran before an interruption
 */
export async function runGroups(
  groups: readonly TestGroup[],
  how: TestRun,
): Promise<Tested[]> {
  const waiting = [...groups];
  const results: Tested[] = [];
  const worker = async () => {
    for (;;) {
      const group = waiting.shift();
      if (group === undefined || how.signal.aborted) return;
      results.push({ group, result: await runGroup(group, how) });
    }
  };
  await Promise.all(Array.from({ length: how.jobs }, worker));
  return results;
}

/** Where more fails than this, it is no matter of what ran beside it. */
const mostUnsteady = 2;

/**
 * Runs what failed once more, with nothing beside it, unless that is much. What
 * passes then is named as unsteady: that is a fault too, of the test or of what
 * it tests, but none that a change is to blame for.
 *
 * @returns what came of each group in the end
 */
export async function tryAgain(
  tested: readonly Tested[],
  how: TestRun,
): Promise<Tested[]> {
  const failed = tested.filter(({ result }) => result.failed > 0);
  if (failed.length === 0 || failed.length > mostUnsteady) return [...tested];
  const settled = tested.filter(({ result }) => result.failed === 0);
  for (const { group, result } of failed) {
    const again = await runGroup(group, how);
    settled.push({ group, result: again });
    if (again.failed > 0) continue;
    const names = result.failedNames.join("; ") || result.problem;
    console.log(`UNSTEADY: ${group.name}: failed beside others: ${names}`);
  }
  return settled;
}

/** Names what failed, a line each. */
export function nameFailures(tested: readonly Tested[]): void {
  for (const { group, result } of tested) {
    for (const name of result.failedNames) {
      console.log(`FAILED: ${group.name}: ${name}`);
    }
    if (result.problem === undefined) continue;
    console.log(`FAILED: ${group.name}: ${result.problem}`);
  }
}

async function runGroup(
  group: TestGroup,
  how: TestRun,
): Promise<TestResult> {
  const [file = "", ...more] = group.files;
  if (more.length === 0) return await runEntry(group.name, file, how);
  const entry = await Deno.makeTempFile({ suffix: "_test.ts" });
  try {
    await Deno.writeTextFile(entry, importsOf(group.files));
    return await runEntry(group.name, entry, how);
  } finally {
    await Deno.remove(entry);
  }
}

async function runEntry(
  name: string,
  file: string,
  { verbose, limit_ms, signal }: TestRun,
): Promise<TestResult> {
  const flags = ["-A", "--no-check", "--cached-only", "--frozen"];
  // A group's program lies outside the project.
  const command =
    cmd`${Deno.execPath()} test ${flags} --config deno.json ${file}`;
  const start_ms = performance.now();
  const outcome = await run(command, {
    cwd: projectRoot,
    timeout_ms: limit_ms,
    signal,
  });
  if (outcome.ended === "interrupted") return readInterrupted;
  const result = readResult(outcome);
  const took_s = ((performance.now() - start_ms) / 1000).toFixed(1);
  console.log(`${name}: ${countLine(result)} (${took_s} s)`);
  if (verbose || result.failed > 0) {
    const text = verbose ? outcome.stdout : errorsPart(outcome.stdout);
    console.log(`${show(command)}\n${text}${outcome.stderr}`);
  }
  for (const skipped of result.skippedNames) {
    console.log(`  skipped: ${skipped}`);
  }
  return result;
}

const readInterrupted: TestResult = {
  passed: 0,
  failed: 0,
  skipped: 0,
  failedNames: [],
  skippedNames: [],
};
