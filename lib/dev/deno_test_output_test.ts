// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import type { Outcome } from "../exec/command.ts";
import {
  countLine,
  errorsPart,
  readResult,
  total,
  wentWell,
} from "./deno_test_output.ts";

function printed(stdout: string, code: number | undefined): Outcome {
  return { code, stdout, stderr: "" };
}

Deno.test("a summary is read, in colour too", () => {
  const colourful =
    "\x1b[0m\x1b[32mok\x1b[0m | 12 passed (3 steps) | 0 failed | 2 ignored \x1b[38;5;245m(1m4s)\x1b[0m\n";
  assertEquals(readResult(printed(colourful, 0)), {
    passed: 12,
    failed: 0,
    skipped: 2,
    failedNames: [],
    skippedNames: [],
  });
  const failed = readResult(
    printed("FAILED | 1 passed | 2 failed (1 step) (5ms)\n", 1),
  );
  assertEquals([failed.passed, failed.failed, failed.problem], [
    1,
    2,
    undefined,
  ]);
});

Deno.test("a test that prints what looks like a summary does not change the count", () => {
  const output = "ok | 90 passed | 0 failed (1ms)\n" +
    "ok | 1 passed | 0 failed (2ms)\n";
  assertEquals(readResult(printed(output, 0)).passed, 1);
});

Deno.test("skipped tests are named", () => {
  const output =
    "a route is added (needs root) ... ignored (0ms)\nb ... ok (1ms)\n\n" +
    "ok | 1 passed | 0 failed | 1 ignored (3ms)\n";
  const { skipped, skippedNames } = readResult(printed(output, 0));
  assertEquals([skipped, skippedNames], [1, ["a route is added (needs root)"]]);
});

Deno.test("failed tests are named with the step that failed, and their errors are found", () => {
  const errors = "\n ERRORS \n\none => ./a_test.ts:1:6\nerror: Error: no\n" +
    "\n FAILURES \n\none => ./a_test.ts:1:6\n" +
    "two ... inner => ./a_test.ts:3:53\n\n" +
    "FAILED | 1 passed | 2 failed (1 step) (12ms)\n\n";
  const output = `one ... FAILED (1ms)\nthree ... ok (1ms)\n${errors}`;
  const { failedNames } = readResult(printed(output, 1));
  assertEquals(failedNames, ["one", "two ... inner"]);
  const well = `${errors}ok | 2 passed | 0 failed (2ms)\n`;
  assertEquals(readResult(printed(well, 0)).failedNames, []);
  assertEquals(errorsPart(output), errors);
  assertEquals(errorsPart("Killed\n"), "Killed\n");
});

Deno.test("a run that went wrong without a failed test counts as one failed", () => {
  const summary = "ok | 3 passed | 0 failed (2ms)\n";
  const cases: [Outcome, failed: number, problem: string][] = [
    [printed("", 139), 1, "ended without a summary, exit code 139"],
    [printed("ok | 0 passed | 0 failed (0ms)\n", 0), 1, "holds no test"],
    [printed(summary, 1), 1, "exit code 1"],
    [{ ...printed("", undefined), ended: "timed out" }, 1, "timed out"],
  ];
  for (const [outcome, failed, problem] of cases) {
    const result = readResult(outcome);
    assertEquals([result.failed, result.problem], [failed, problem]);
  }
});

Deno.test("nothing but skipped tests is no good run", () => {
  const counts = total([
    { passed: 0, failed: 0, skipped: 2 },
    { passed: 0, failed: 0, skipped: 1 },
  ]);
  assertEquals(countLine(counts), "0 passed, 0 failed, 3 skipped");
  assertEquals(wentWell(counts), false);
  assertEquals(wentWell({ passed: 1, failed: 0, skipped: 3 }), true);
  assertEquals(wentWell({ passed: 1, failed: 1, skipped: 0 }), false);
});
