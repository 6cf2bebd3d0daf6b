/** The exercises as a learner does them: set up, found, repaired, and had again. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { TraceReport } from "../../lib/trace/report.ts";
import { type Case, cases, check, shell } from "./exercise_testing.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { clusterOf, needsRoot, runAll, verified } from "./verify_testing.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

/** Whether the trace advises this stage on this node; a busy machine may miss what a kernel tells, so it is asked again. */
async function isFound(
  lab: TestLab,
  { stage, node }: Case,
): Promise<{ readonly found: boolean; readonly said: string }> {
  const ends = ["--from", "worker-1/shell", "--to", "worker-2/web"];
  let said = "";
  for (let round = 0; round < 3; round++) {
    const { stdout, stderr } = await lab.script("trace", ...ends, "-o", "json");
    const { cause }: Partial<TraceReport> = JSON.parse(stdout || "{}");
    const found = cause?.mend.some((line) =>
      line.includes(`make ${stage} `) && line.includes(node)
    );
    if (found) return { found, said };
    said = stdout + stderr;
  }
  return { found: false, said };
}

Deno.test({
  ...needsRoot,
  name:
    "each exercise breaks what it is about, is found by the trace, is marked as unsolved, is solved by its stage alone, and can be had again (needs root)",
  async fn(t) {
    await using lab = await testLab("exercise-each");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    for (const exercise of cases) {
      const { number, node, stage, kind, shows } = exercise;
      await t.step(`exercise ${number}`, async () => {
        const set = await lab.script("exercise", `${number}`);
        assertEquals(set.code, 0, set.stderr);
        const [line, part] = shows;
        assertStringIncludes(await shell(lab, node, line), part);
        // The symptom tells neither the stage nor what it did.
        assert(!set.stdout.includes(stage), set.stdout);
        const { report } = await verified(cluster);
        assertEquals(report.causes.map(({ kind }) => kind), [kind]);
        const { found, said } = await isFound(lab, exercise);
        assert(found, said);
        const broken = await check(lab, number);
        assertEquals(broken.code, 1);
        assertStringIncludes(broken.problems, "it should be yes");
        await runAll(lab, [stage, "--node", node]);
        assertEquals(await check(lab, number), { code: 0, problems: "" });
        if (exercise !== cases[0]) return;
        // Once more, after it was solved: no exercise has a way of its own to that.
        await runAll(lab, ["exercise", `${number}`], [stage, "--node", node]);
        assertEquals((await check(lab, number)).code, 0);
      });
    }
    const { stdout } = await lab.script("exercise");
    assertEquals(stdout.match(/ solved /g)?.length, 3, stdout);
    const again = await lab.report("up");
    for (const [node, { changed }] of Object.entries(again.recap)) {
      assertEquals(changed, 0, node);
    }
  },
});

Deno.test({
  ...needsRoot,
  name:
    "an exercise wants a whole lab and no other under way; hints come one by one (needs root)",
  async fn() {
    await using lab = await testLab("exercise-way");
    const absent = await lab.script("exercise", "1");
    assertEquals(absent.code, 1);
    assertStringIncludes(absent.stderr, `make up CLUSTER=${lab.file}`);
    await runAll(lab, ["up"]);
    const early = await lab.script("exercise", "1-check");
    assertEquals(early.code, 1);
    assertStringIncludes(early.stderr, "Exercise 1 is not set up");
    await shell(lab, "worker-1", "ip route del 10.244.2.0/24");
    const broken = await lab.script("exercise", "1");
    assertEquals(broken.code, 1);
    assertStringIncludes(broken.stderr, "The lab is not whole");
    assertStringIncludes(broken.stderr, "worker-1 → worker-2");
    await runAll(lab, ["up"], ["exercise", "2"]);
    const twice = await lab.script("exercise", "2");
    assertEquals(twice.code, 0);
    assertStringIncludes(twice.stdout, "Exercise 2 is set up already");
    const other = await lab.script("exercise", "3");
    assertEquals(other.code, 1);
    assertStringIncludes(other.stderr, "Exercise 2 is set up and not solved");
    const counts = [];
    for (const _ of [1, 2, 3, 4]) {
      const { stdout } = await lab.script("exercise", "2-hint");
      counts.push(stdout.match(/^Hint /gm)?.length);
    }
    assertEquals(counts, [1, 2, 3, 3]);
    const { stdout } = await lab.script("exercise", "-o", "json");
    const { exercises } = JSON.parse(stdout);
    assertEquals(
      exercises.map(({ state }: { state: string }) => state),
      ["not begun", "set up", "not begun"],
    );
    await runAll(lab, ["up"], ["exercise", "3"]);
  },
});

Deno.test({
  ...needsRoot,
  name:
    "a lab of two families has the same exercises, in both families (needs root)",
  async fn() {
    const dual = await Deno.readTextFile(`${projectRoot}/config/lab-dual.yaml`);
    await using lab = await testLab(
      "exercise-dual",
      () => dual.replace(/^name: .*$/m, "name: exercise-dual"),
    );
    await runAll(lab, ["up"]);
    for (const { number, node, stage } of cases) {
      await runAll(lab, ["exercise", `${number}`]);
      const { code, problems } = await check(lab, number);
      assertEquals(code, 1);
      assertEquals(problems.includes("IPv6"), true, problems);
      await runAll(lab, [stage, "--node", node]);
      assertEquals(await check(lab, number), { code: 0, problems: "" });
    }
  },
});

Deno.test("a word that is no exercise, and a cluster that is no lab, are wrong usage", async () => {
  const state = await Deno.makeTempDir();
  const env = { ...Deno.env.toObject(), DENO_CNI_STATE: state };
  const of = async (file: string, word: string) =>
    await run(
      scriptCommand("exercise", `${projectRoot}/config/${file}`, word),
      { env },
    );
  for (const word of ["4", "1-solve", "down"]) {
    const wrong = await of("lab.yaml", word);
    assertEquals(wrong.code, 2, word);
    assertStringIncludes(wrong.stderr, `${word}: no such exercise`);
  }
  const real = await of("ssh.yaml", "1");
  assertEquals(real.code, 2);
  assertStringIncludes(real.stderr, "is no lab (provider: ssh)");
  await Deno.remove(state, { recursive: true });
});
