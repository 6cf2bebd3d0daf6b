/** Exercises repaired in wrong ways, and cut off while they are set up. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { cases, check, shell } from "./exercise_testing.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { clusterOf, needsRoot, runAll, verified } from "./verify_testing.ts";

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

    // What no stage takes for its own is named with the line that removes it.
    await runAll(lab, ["exercise", "2"]);
    const route = "10.244.1.0/24 via 10.0.1.11";
    await shell(lab, "worker-2", `ip route replace ${route}`);
    await runAll(lab, ["08-routes"]);
    assertStringIncludes(
      (await check(lab, 2)).problems,
      `NODE=worker-2 ARGS="-- ip route del ${route} dev eth0"`,
    );
    await runAll(lab, ["exercise", "2-reset"]);
    const routes = await lab.on("worker-2", cmd`ip route show 10.244.1.0/24`);
    assertStringIncludes(routes, "proto 244");
    assertEquals((await lab.script("exercise", "2-check")).code, 1);
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
      if (signal === "SIGKILL") await runAll(lab, ["exercise", "1"]);
      else if (state !== "set up") continue;
      await runAll(lab, ["up"]);
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
