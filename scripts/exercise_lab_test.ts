/** The exercises as a learner does them: set up, found, repaired in the right way and in wrong ones. */
// @ts-types="../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { projectRoot } from "../lib/cluster.ts";
import { cmd, run } from "../lib/command.ts";
import type { TraceReport } from "../lib/trace_report.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { clusterOf, needsRoot, runAll, verified } from "./verify_testing.ts";

interface Case {
  readonly number: number;
  readonly node: string;
  readonly stage: string;
  /** What 09 says is wrong, so that the exercise breaks what it is about. */
  readonly kind: string;
  /** Shell lines that repair the paths by hand, on that node. */
  readonly byHand: string;
  /** What a shell line on that node shows of the fault. */
  readonly shows: readonly [line: string, part: string];
}

const cases: readonly Case[] = [
  {
    number: 1,
    node: "worker-2",
    stage: "06-forwarding",
    kind: "rule",
    byHand: "iptables -w -I FORWARD -s 10.244.0.0/16 -m comment " +
      "--comment deno-cni -j ACCEPT; iptables -w -I FORWARD -d 10.244.0.0/16 " +
      "-m comment --comment deno-cni -j ACCEPT; " +
      "iptables -w -D FORWARD -s 10.0.1.0/24 -m comment --comment deno-cni " +
      "-j ACCEPT; iptables -w -D FORWARD -d 10.0.1.0/24 -m comment --comment " +
      "deno-cni -j ACCEPT",
    shows: ["iptables -w -S FORWARD", "-s 10.0.1.0/24"],
  },
  {
    number: 2,
    node: "worker-2",
    stage: "08-routes",
    kind: "route",
    byHand: "ip route replace 10.244.1.0/24 via 10.0.1.11 proto 244",
    shows: ["ip route", "10.244.1.0/24 via 10.0.1.1 "],
  },
  {
    number: 3,
    node: "worker-1",
    stage: "07-masquerade",
    kind: "masquerade",
    byHand: "iptables -w -t nat -F POSTROUTING; iptables -w -t nat " +
      "-A POSTROUTING -s 10.244.1.0/24 ! -d 10.244.0.0/16 ! -o cni0 " +
      "-m comment --comment deno-cni -j MASQUERADE",
    shows: [
      "iptables -w -t nat -S POSTROUTING",
      "-s 10.244.1.0/24 ! -o cni0 -j MASQUERADE",
    ],
  },
];

/** What is told of a check: the exit code, and what is still wrong. */
async function check(
  lab: TestLab,
  number: number,
): Promise<{ readonly code: number | undefined; readonly problems: string }> {
  const { code, stdout, stderr } = await lab.script(
    "exercise",
    `${number}-check`,
    "-o",
    "json",
  );
  const told = JSON.parse(stdout || "{}");
  assertEquals(told.solved, code === 0, stdout + stderr);
  return { code, problems: told.problems.join("\n") };
}

async function shell(lab: TestLab, node: string, line: string) {
  return await lab.on(node, cmd`sh -c ${line}`);
}

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
        // Once more, after it was solved.
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
    "a repair by hand is told from one by the stage, and the stage still repairs it; up repairs it too (needs root)",
  async fn(t) {
    await using lab = await testLab("exercise-hand");
    await runAll(lab, ["up"]);
    for (const { number, node, stage, byHand } of cases) {
      await t.step(`exercise ${number}`, async () => {
        await runAll(lab, ["exercise", `${number}`]);
        await shell(lab, node, byHand);
        const hand = await check(lab, number);
        assertEquals(hand.code, 1);
        assertStringIncludes(
          hand.problems,
          `${stage} was not run again on ${node}`,
        );
        await runAll(lab, ["up"]);
        assertEquals(await check(lab, number), { code: 0, problems: "" });
      });
    }
  },
});

Deno.test({
  ...needsRoot,
  name:
    "what was papered over is named, and counts as unsolved until it is gone (needs root)",
  async fn() {
    await using lab = await testLab("exercise-paper");
    await runAll(lab, ["up"], ["exercise", "1"]);
    await shell(lab, "worker-2", "iptables -w -P FORWARD ACCEPT");
    const open = await check(lab, 1);
    assertEquals(open.code, 1);
    assertStringIncludes(
      open.problems,
      "worker-2 had before, and has no more: iptables -t filter -P FORWARD DROP",
    );
    await runAll(lab, ["06-forwarding"]);
    assertStringIncludes((await check(lab, 1)).problems, "-P FORWARD DROP");
    await shell(lab, "worker-2", "iptables -w -P FORWARD DROP");
    assertEquals((await check(lab, 1)).code, 0);

    await runAll(lab, ["exercise", "3"]);
    const early = "iptables -w -t nat -I POSTROUTING -s 10.244.1.0/24 " +
      "-d 10.244.0.0/16 -j ACCEPT";
    await shell(lab, "worker-1", early);
    const around = await check(lab, 3);
    assertEquals(around.code, 1);
    assertStringIncludes(around.problems, "worker-1 has, and had not before");
    assertStringIncludes(around.problems, "-d 10.244.0.0/16 -j ACCEPT");
    await runAll(lab, ["07-masquerade"]);
    assertEquals((await check(lab, 3)).code, 1);
    await shell(lab, "worker-1", early.replace("-I", "-D"));
    assertEquals((await check(lab, 3)).code, 0);

    // A stage that was taken back is no repair either.
    await runAll(lab, ["exercise", "3"], ["07-masquerade", "--undo"]);
    const undone = await check(lab, 3);
    assertEquals(undone.code, 1);
    assertStringIncludes(undone.problems, "no, until 07");
    await runAll(lab, ["up"]);
    assertEquals((await check(lab, 3)).code, 0);
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
    "Ctrl-C while an exercise is set up leaves it set up or not begun, and nothing in between; killed, the next one begins anew (needs root)",
  async fn() {
    await using lab = await testLab("exercise-cut");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    for (const [wait_ms, signal] of cuts) {
      const code = await cutOff(lab, wait_ms, signal);
      const { stdout } = await lab.script("exercise", "-o", "json");
      const [{ state }] = JSON.parse(stdout).exercises;
      const { report, text } = await verified(cluster);
      if (signal === "SIGKILL") assert(code !== 0);
      else if (code === 130) assert(report.passed, text);
      else {
        assertEquals([code, state, report.passed], [0, "set up", false]);
      }
      await runAll(lab, ["exercise", "1"], ["up"]);
      assertEquals((await check(lab, 1)).code, 0);
    }
  },
});

/** Cut off before, while and after it breaks something. */
const cuts = [
  [700, "SIGINT"],
  [1000, "SIGINT"],
  [1400, "SIGINT"],
  [1000, "SIGKILL"],
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
