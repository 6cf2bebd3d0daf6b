/** The exercises as a learner asks for them: one at a time, in a whole lab, and cut off. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  runAll,
  verifiedWell,
} from "./verify_testing.ts";

Deno.test({
  ...needsRoot,
  name:
    "an exercise wants a whole lab and no other under way; hints come one by one; a surprise tells nothing; cut off, it leaves nothing half done (needs root)",
  async fn(t) {
    await using lab = await testLab("exercise-door");
    const absent = await lab.script("exercise", "1");
    assertEquals(absent.code, 1);
    assertStringIncludes(absent.stderr, `make up CLUSTER=${lab.file}`);
    await runAll(lab, ["up"]);
    await t.step("one exercise, from its story to its end", () => oneOf(lab));
    await t.step("a surprise", () => surprise(lab));
    await t.step(
      "what its stage repairs, and a reset",
      () => repairedAndReset(lab),
    );
    await t.step("cut off", () => cutOffs(lab));
    await t.step("links impaired on purpose", () => impaired(lab));
  },
});

async function oneOf(lab: TestLab): Promise<void> {
  const early = await lab.script("exercise", "2-check");
  assertEquals(early.code, 1);
  assertStringIncludes(early.stderr, "Exercise 2 is not set up");
  await lab.on("worker-1", cmd`ip route del 10.244.2.0/24`);
  const broken = await lab.script("exercise", "2");
  assertEquals(broken.code, 1);
  assertStringIncludes(broken.stderr, "The lab is not whole");
  assertStringIncludes(broken.stderr, "worker-1 → worker-2");
  await runAll(lab, ["08-routes"]);
  const set = await lab.script("exercise", "2");
  assertEquals(set.code, 0, set.stderr);
  // The story tells neither the stage nor what it did.
  assert(!set.stdout.includes("08-routes"), set.stdout);
  const twice = await lab.script("exercise", "2");
  assertEquals(twice.code, 0);
  assertStringIncludes(twice.stdout, "Exercise 2 is set up already");
  const other = await lab.script("exercise", "3");
  assertEquals(other.code, 1);
  assertStringIncludes(other.stderr, "Exercise 2 is set up and not solved");
  const counts = [];
  for (const _ of [1, 2, 3]) {
    const { stdout } = await lab.script("exercise", "2-hint");
    counts.push(stdout.match(/^Hint /gm)?.length);
  }
  assertEquals(counts, [1, 2, 2]);
  assertEquals((await states(lab)).slice(0, 3), [
    "not begun",
    "open",
    "not begun",
  ]);
  const open = await lab.script("exercise", "2-check");
  assertEquals(open.code, 1);
  assertStringIncludes(open.stdout, "it should be yes");
  const { stdout: told } = await lab.script("exercise", "2-explain");
  assertStringIncludes(told, "make 08-routes");
  await runAll(lab, ["08-routes", "--node", "worker-2"]);
  const solved = await lab.script("exercise", "2-check");
  assertEquals(solved.code, 0, solved.stdout + solved.stderr);
  assertStringIncludes(solved.stdout, "Stage 08 had been run on worker-2");
  assertEquals((await states(lab))[1], "solved");
}

async function surprise(lab: TestLab): Promise<void> {
  const set = await lab.script("exercise", "surprise");
  assertEquals(set.code, 0, set.stderr);
  assert(!/exercise \d/.test(set.stdout), set.stdout);
  assert(!(await states(lab)).includes("open"));
  const other = await lab.script("exercise", "3");
  assertEquals(other.code, 1);
  assertStringIncludes(other.stderr, "A surprise is set up and not solved yet");
  assertStringIncludes(other.stderr, "make exercise surprise-reset");
  const hint = await lab.script("exercise", "surprise-hint");
  assertStringIncludes(hint.stdout, "make exercise surprise-hint");
  const open = await lab.script("exercise", "surprise-check");
  assertEquals(open.code, 1, open.stdout);
  assertStringIncludes(open.stdout, "The surprise is not solved yet");
  assert(!/Exercise \d/.test(open.stdout), open.stdout);
  const { stdout } = await lab.script(
    "exercise",
    "surprise-explain",
    "-o",
    "json",
  );
  const { number, mends } = JSON.parse(stdout);
  for (const line of mends) await follow(lab, line);
  const solved = await lab.script("exercise", "surprise-check");
  assertEquals(solved.code, 0, solved.stdout + solved.stderr);
  assertStringIncludes(solved.stdout, `Exercise ${number} ·`);
  assertEquals((await states(lab))[number - 1], "solved");
  const gone = await lab.script("exercise", "surprise-check");
  assertStringIncludes(gone.stderr, "A surprise is not set up");
}

async function repairedAndReset(lab: TestLab): Promise<void> {
  // One that was repaired and not checked keeps no other from being begun.
  await runAll(
    lab,
    ["exercise", "1"],
    ["06-forwarding", "--node", "worker-2"],
    ["exercise", "4"],
    ["exercise", "4-reset"],
  );
  const routes = await lab.on("worker-1", cmd`ip route show 10.244.2.0/24`);
  assertStringIncludes(routes, "proto 244");
  assertEquals((await lab.script("exercise", "4-check")).code, 1);
}

async function cutOffs(lab: TestLab): Promise<void> {
  const cluster = await clusterOf(lab);
  for (const [wait_ms, signal] of cuts) {
    const code = await cutOff(lab, wait_ms, signal);
    const [state] = await states(lab);
    const { report, text } = await verifiedWell(cluster);
    if (signal === "SIGKILL") assert(code !== 0);
    else if (code === 130) assert(report.passed, text);
    else assertEquals([code, state, report.passed], [0, "open", false]);
    const reset = await lab.script("exercise", "1-reset");
    assert(reset.code === 0 || state === "not begun", reset.stderr);
    const again = await verifiedWell(cluster);
    assert(again.report.passed, again.text);
  }
}

/** Cut off before, while or after it breaks something, as fast as the machine is. */
const cuts = [
  [1100, "SIGINT"],
  [1400, "SIGKILL"],
] as const;

async function cutOff(
  lab: TestLab,
  wait_ms: number,
  signal: Deno.Signal,
): Promise<number> {
  const [program, ...args] = scriptCommand("exercise", lab.file, "1").argv;
  const child = new Deno.Command(program, {
    args,
    env: { ...lab.env },
    stdout: "null",
    stderr: "null",
  }).spawn();
  const { status } = child;
  await new Promise((resolve) => setTimeout(resolve, wait_ms));
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // It was done already.
  }
  return (await status).code;
}

/** Set, seen by the doctor and by what is sent, and cleared; delay where the kernel has netem. */
async function impaired(lab: TestLab): Promise<void> {
  const impair = (...args: string[]) => lab.script("impair", ...args);
  const ping = cmd`ping -nqc3 -i0.05 -W1 10.0.1.12`;
  await runAll(lab, ["impair", "--node", "worker-1", "--loss", "100"]);
  await runAll(lab, [
    ...["impair", "--node", "worker-2", "--pod", "web", "--rate", "1000"],
  ]);
  const { stdout } = await impair("-o", "json");
  const { links } = JSON.parse(stdout);
  assertEquals(links.length, 2, stdout);
  assertEquals([links[1].node, links[1].pod], ["worker-2", "web"]);
  assertEquals((await lab.node("worker-1").run(ping)).code, 1);
  const doctor = await lab.script("doctor");
  assertStringIncludes(doctor.stdout, "impaired-links");
  assertStringIncludes(doctor.stdout, "NODE=worker-2 POD=web ARGS=--undo");
  const delay = await impair("--node", "master", "--delay", "5");
  if (delay.code !== 0) assertStringIncludes(delay.stderr, "has no netem");
  await runAll(lab, ["impair", "--undo"]);
  assertStringIncludes((await impair()).stdout, "No link is impaired");
  assertEquals((await lab.node("worker-1").run(ping)).code, 0);
  for (
    const [args, says] of [
      [["--loss", "10"], "expected --node"],
      [["--node", "worker-1", "--loss", "101"], "0.01 to 100"],
      [["--node", "worker-1", "--undo", "--rate", "9"], "--undo clears"],
      [["--node", "worker-1", "--pod", "none"], "no such pod"],
      [["--node", "worker-9"], "worker-9"],
    ] as const
  ) {
    const wrong = await impair(...args);
    assertEquals(wrong.code, 2, wrong.stdout);
    assertStringIncludes(wrong.stderr, says);
  }
}

/** How far each exercise is, by its place. */
async function states(lab: TestLab): Promise<readonly string[]> {
  const { stdout } = await lab.script("exercise", "-o", "json");
  const { exercises } = JSON.parse(stdout);
  return exercises.map(({ state }: { state: string }) => state);
}

Deno.test("a word that is no exercise, and a cluster that is no lab, are wrong usage", async () => {
  const state = await Deno.makeTempDir();
  const env = { ...Deno.env.toObject(), DENO_CNI_STATE: state };
  const of = async (file: string, word: string) =>
    await run(
      scriptCommand("exercise", `${projectRoot}/config/${file}`, word),
      { env },
    );
  for (const word of ["99", "1-solve", "down", "surprise-tell"]) {
    const wrong = await of("lab.yaml", word);
    assertEquals(wrong.code, 2, word);
    assertStringIncludes(wrong.stderr, `${word}: no such exercise`);
  }
  const real = await of("ssh.yaml", "1");
  assertEquals(real.code, 2);
  assertStringIncludes(real.stderr, "is no lab (provider: ssh)");
  await Deno.remove(state, { recursive: true });
});
