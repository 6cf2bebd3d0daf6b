/** The exercises: each broken, found, hidden, repaired and taken back. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type ExerciseLab, startExercise } from "../../lib/exercise/actions.ts";
import { exerciseData, exercises } from "../../lib/exercise/catalog.ts";
import type { Exercise } from "../../lib/exercise/exercise.ts";
import { breakIt, mendIt, runLine } from "../../lib/exercise/faults.ts";
import type { Fingerprints } from "../../lib/exercise/progress_file.ts";
import { fingerprints, putBack, unsolved } from "../../lib/exercise/solved.ts";
import { lacks } from "../../lib/exercise/wrong_paths.ts";
import { succeeded } from "../../lib/exec/command.ts";
import { netemQuestion } from "../../lib/impair/impairment.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { doLine, exerciseLab, papers, toldBy } from "./exercise_testing.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { needsRoot, runAll } from "./verify_testing.ts";

Deno.test({
  ...needsRoot,
  name:
    "each exercise breaks what it is about, is found by its tool, is not solved by what hides it, is solved by its repair, and is taken back without a trace, in labs of one family and of two (needs root)",
  async fn() {
    const dual = await Deno.readTextFile(`${projectRoot}/config/lab-dual.yaml`);
    await using one = await testLab("exercise-each");
    await using two = await testLab(
      "exercise-dual",
      () => dual.replace(/^name: .*$/m, "name: exercise-dual"),
    );
    // What is tried waits more than it works: two labs side by side.
    const place = ({ id }: Exercise) =>
      exerciseData.findIndex((data) => data.id === id);
    await Promise.all([
      eachOf(one, (exercise) => {
        return exercise.number <= 3 || place(exercise) % 2 === 0;
      }),
      eachOf(two, (exercise) => {
        return exercise.number <= 3 || place(exercise) % 2 === 1 ||
          exercise.family === 6;
      }),
    ]);
  },
});

async function eachOf(
  testLab: TestLab,
  isWanted: (exercise: Exercise) => boolean,
): Promise<void> {
  await runAll(testLab, ["up"]);
  const lab = await exerciseLab(testLab);
  const cluster = await lab.run.cluster();
  assertEquals(await lacks(lab.run, lab.stageSet), []);
  const before = await fingerprints(lab.run);
  const [{ name = "" } = {}] = cluster.nodes;
  const { nodeOf } = lab.run.reach(cluster);
  const hasNetem = succeeded(await nodeOf(name).run(netemQuestion()));
  for (const exercise of exercises(cluster).filter(isWanted)) {
    if (exercise.needs !== undefined && !hasNetem) {
      const came = await startExercise(lab, exercise);
      assertEquals(came, { is: "lacking", what: exercise.needs });
      assertEquals(await fingerprints(lab.run), before);
      continue;
    }
    try {
      await tryExercise(testLab, lab, exercise, before);
    } catch (error) {
      throw new Error(`exercise ${exercise.id} of ${cluster.name}`, {
        cause: error,
      });
    }
  }
}

async function tryExercise(
  testLab: TestLab,
  lab: ExerciseLab,
  exercise: Exercise,
  before: Fingerprints,
): Promise<void> {
  const { run, stageSet } = lab;
  const cluster = await run.cluster();
  const isBothFamilies = exercise.number <= 3 &&
    cluster.clusterCIDRs.length > 1;
  // What hides a fault is about IPv4.
  const paper = isBothFamilies ? undefined : papers[exercise.id];
  const hide = async () => {
    if (paper === undefined) return;
    const node = run.reach(cluster).nodeOf(paper.on);
    const { code, stderr } = await runLine(node, paper.run, run.context);
    assertEquals(code, 0, stderr);
  };
  assert(await breakIt(run, exercise, stageSet));
  const open = { hints: 0, before, broken: await fingerprints(run) };
  const check = () => unsolved(run, exercise, stageSet, open);
  const wrong = await check();
  // Neither the cause nor anything about it is told while something is wrong.
  assert(wrong.length > 0 && wrong.every((one) => !/\n|before/.test(one)));
  assert(!isBothFamilies || wrong.some((one) => one.includes("IPv6")));
  const { says } = exercise.shownBy;
  // A busy machine may miss what a kernel tells, so it is asked again.
  let told = await toldBy(exercise, cluster);
  if (!told.includes(says)) told = await toldBy(exercise, cluster);
  assertStringIncludes(told, says);
  if (paper === undefined) {
    if (exercise.difficulty < 4) await mendIt(run, exercise, stageSet);
    else for (const line of exercise.mends) await doLine(testLab, line);
    assertEquals(await asWell(check), []);
  } else {
    await hide();
    const hidden = await check();
    for (const part of paper.says) {
      assertStringIncludes(hidden.join("\n"), part);
    }
    if ((await asTold(testLab, check, hidden)).length > 0) {
      await mendIt(run, exercise, stageSet);
      assertEquals(await asWell(check), []);
    }
  }
  assert(await breakIt(run, exercise, stageSet));
  await hide();
  assertEquals(await putBack(run, exercise, stageSet, before), []);
}

/** What a check finds; it may lose a packet where the machine is busy, so it is asked again. */
async function asWell(
  check: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const found = await check();
  return found.length === 0 ? found : await check();
}

/**
 * Does what a check tells, for as long as it tells of lines to do it with.
 *
 * @returns what it tells then
 */
async function asTold(
  lab: TestLab,
  check: () => Promise<readonly string[]>,
  first: readonly string[],
): Promise<readonly string[]> {
  let told = first;
  for (let round = 0; round < 3; round++) {
    const lines = told.flatMap((problem) => problem.split("\n").slice(1));
    if (lines.length === 0) break;
    for (const line of new Set(lines)) await doLine(lab, line);
    told = await check();
  }
  return told;
}
