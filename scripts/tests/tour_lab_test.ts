/** The tour as a learner takes it: run through, at a terminal, cut off, and taken again. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import type { StopReport, TourReport } from "../../lib/tour/report.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { atTerminal } from "./terminal_testing.ts";
import { clusterOf, needsRoot, verifiedWell } from "./verify_testing.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

const isLast = "07-masquerade, to mend it";

async function tourOf(lab: TestLab): Promise<TourReport> {
  const outcome = await lab.script("tour", "-y", "-o", "json");
  assertEquals(outcome.code, 0, outcome.stderr + outcome.stdout);
  return JSON.parse(outcome.stdout);
}

function stopNamed({ stops }: TourReport, name: string): StopReport {
  const found = stops.find((stop) => stop.name.startsWith(name));
  assert(found, `no stop ${name}`);
  return found;
}

/** What changed at a stop: rows of the matrix. */
function changedAt(report: TourReport, name: string): string[] {
  return (stopNamed(report, name).changes ?? [])
    .map(({ label, was, is }) => `${label}: ${was} -> ${is}`);
}

async function natRules(lab: TestLab, node: string): Promise<string> {
  return await lab.on(node, cmd`iptables -w -t nat -S POSTROUTING`);
}

Deno.test({
  ...needsRoot,
  name:
    "with -y the tour goes the whole way, shows what each stage opens and that the circulating rule hides the pod, and leaves a whole lab (needs root)",
  async fn() {
    await using lab = await testLab("tour-whole");
    const report = await tourOf(lab);
    assertEquals(report.finished, true);
    assertEquals(report.stops.map(({ name }) => name.split(",")[0]), [
      "01-provision",
      "02-kubeadm",
      "03-cni-config",
      "04-bridge",
      "05-plugin",
      "09-verify",
      "06-forwarding",
      "07-masquerade",
      "08-routes",
      "The classic mistake",
      "07-masquerade",
    ]);
    for (const stop of report.stops) {
      assertEquals(stop.sentences.length, 3);
      assert(stop.shown.length > 0, `${stop.name} shows no command`);
    }
    assertEquals(changedAt(report, "06-"), [
      "pod → pod, same node: no -> yes",
    ]);
    assertEquals(changedAt(report, "07-"), [
      "pod → other node: no -> yes, as the node",
      "pod → outside: no -> yes, as the node",
    ]);
    assertEquals(changedAt(report, "08-"), [
      "pod → pod, other node: no -> yes, as the pod",
      "other node → pod: no -> yes, as that node",
    ]);
    const mistake = stopNamed(report, "The classic mistake");
    assertEquals(changedAt(report, "The classic mistake"), [
      "pod → pod, other node: yes, as the pod -> yes, as the node",
    ]);
    assertEquals(mistake.matrix?.passed, false);
    assert(
      mistake.matrix?.paths.every(({ observed }) => observed.answer === "yes"),
      "a path of the classic mistake did not answer",
    );
    const [heard] = mistake.listening ?? [];
    assertEquals(heard?.seen, "10.0.1.11");
    assert(
      heard && heard.own !== heard.seen && heard.own.startsWith("10.244."),
    );
    const mended = stopNamed(report, isLast);
    assertEquals(mended.matrix?.passed, true);
    assertEquals(mended.listening?.[0]?.seen, heard.own);
    assertEquals(
      (await natRules(lab, "worker-1")).match(/MASQUERADE/g)?.length,
      1,
    );
    assertEquals(
      (await verifiedWell(await clusterOf(lab))).report.passed,
      true,
    );
    // All of it is as the stages leave it: nothing is left to change.
    const again = await lab.report("up");
    for (const [node, { changed, failed }] of Object.entries(again.recap)) {
      assertEquals([changed, failed], [0, 0], node);
    }
  },
});

/** What the tour prints fits 80 columns, has no colour in it, and shows every ping of the mistake answered. */
function assertText(stdout: string): void {
  // Paths of a test's own folder are as long as they are.
  const long = stdout.split("\n").filter((line) =>
    [...line].length > 80 && !line.includes("/tmp/") &&
    !line.includes("node_modules")
  );
  assertEquals(long, []);
  assert(!stdout.includes("\x1b"), "escape sequences without a terminal");
  const pings = stdout.split("\n").filter((line) => /^ {2}ping /.test(line));
  assertEquals(pings.length, 6);
  assert(pings.every((line) => / answers /.test(line)), pings.join("\n"));
  assertStringIncludes(
    stdout,
    "It saw 10.0.1.11, the node worker-1, and not",
  );
  assertStringIncludes(stdout, "▸ ✗ yes, as the node [1]");
  assertStringIncludes(stdout, "It saw worker-1/shell itself");
  assertStringIncludes(stdout, "make exercise 1");
}

/** Goes on with a tour that was left before stage 05, and says what the matrix will be. */
async function predicting(lab: TestLab): Promise<void> {
  const command = scriptCommand("tour", lab.file, "--go-on", "--predict");
  const tour = atTerminal(command, lab.env);
  const enter = async (question: string, text: string) => {
    const said = await tour.until(question);
    await tour.type(`${text}\n`);
    return said;
  };
  const which = "(Enter leaves it out, q ends the tour): ";
  const begun = await enter("Enter runs it, q ends the tour: ", "");
  assertStringIncludes(begun, "05-plugin · stop 5 of 11");
  await enter("Enter goes on, q ends the tour: ", "");
  assertStringIncludes(
    await enter(which, "1 9"),
    "7  other node → pod       no",
  );
  assertStringIncludes(await enter(which, "1 2"), '"9" is none of them');
  await enter("q ends the tour): ", "0");
  await enter("Enter runs it, q ends the tour: ", "");
  const marked = await enter("Enter goes on, q ends the tour: ", "");
  assertStringIncludes(marked, "Your marks: 5 of 7 right");
  assertStringIncludes(
    marked,
    '✗ pod → other node: you said "yes, as the pod", it is "no"\n' +
      "    It waits for 06-forwarding on worker-1, worker-2",
  );
  assertStringIncludes(marked, '✗ node → its pod: you said "no", it is "yes"');
  await tour.until(which);
  await tour.type("\x03");
  const { code, said } = await tour.end();
  assertEquals(code, 130, said);
  assertStringIncludes(said, "Your marks at all stops: 5 of 7 right");
  assertStringIncludes(said, "ARGS=--go-on");
}

Deno.test({
  ...needsRoot,
  name:
    "at a terminal Enter goes on; Ctrl-C at any stop ends cleanly, and --go-on, up, down and tour go on from there; with --predict it asks and compares (needs root)",
  async fn() {
    await using lab = await testLab("tour-keys");
    const command = scriptCommand("tour", lab.file);
    const first = atTerminal(command, lab.env);
    await first.until("Enter runs it, q ends the tour: ");
    await first.type("\x03");
    const { code, said } = await first.end();
    assertEquals(code, 130, said);
    assertStringIncludes(said, "The tour ends here.");
    assertStringIncludes(said, "begins the tour again");

    const second = atTerminal(command, lab.env);
    for (const stage of ["01", "02", "03", "04"]) {
      await second.until(`── ${stage}-`);
      await second.until("Enter runs it, q ends the tour: ");
      await second.type("\n");
      await second.until("Enter goes on, q ends the tour: ");
      await second.type("\n");
    }
    await second.until("Enter runs it, q ends the tour: ");
    await second.type("q\n");
    assertEquals((await second.end()).code, 130);
    assertStringIncludes(
      await lab.on("worker-1", cmd`ip -br link show cni0`),
      "cni0",
    );
    await predicting(lab);
    const up = await lab.script("up");
    assertEquals(up.code, 0, up.stderr);
    assertStringIncludes(up.stdout, "All 18 paths are as expected");

    // The same lab, made by a tour: it asks before it takes it down.
    const third = atTerminal(command, lab.env);
    await third.until("Enter takes it down and begins, q leaves it as it is: ");
    await third.type("q\n");
    const left = await third.end();
    assertEquals(left.code, 1, left.said);
    assertEquals(
      (await verifiedWell(await clusterOf(lab))).report.passed,
      true,
    );
  },
});

Deno.test({
  ...needsRoot,
  name:
    "at a terminal what changed is in colour too; Ctrl-C while the classic mistake is in leaves a lab that up repairs (needs root)",
  async fn() {
    await using lab = await testLab("tour-cut");
    const env = { ...lab.env, NO_COLOR: "" };
    const tour = atTerminal(scriptCommand("tour", lab.file), env);
    let coloured = false;
    for (;;) {
      const said = await tour.until("q ends the tour: ");
      coloured ||= said.includes("\x1b[1;32m▸ yes");
      const mistaken = said.includes("The web server in");
      await tour.type(mistaken ? "\x03" : "\n");
      if (mistaken) break;
    }
    assertEquals((await tour.end()).code, 130);
    assert(coloured, "what changed is not set off at a terminal");
    assert(!(await natRules(lab, "worker-1")).includes("! -d 10.244.0.0/16"));
    const up = await lab.script("up");
    assertEquals(up.code, 0, up.stdout + up.stderr);
    assertStringIncludes(up.stdout, "All 18 paths are as expected");
    const rules = await natRules(lab, "worker-1");
    assertEquals(rules.match(/MASQUERADE/g)?.length, 1, rules);
    assertStringIncludes(rules, "! -d 10.244.0.0/16");
  },
});

Deno.test({
  ...needsRoot,
  name:
    "a lab that no tour made is left alone, with what to do; one that a tour made is taken down with -y, and what is printed fits 80 columns (needs root)",
  async fn() {
    await using lab = await testLab("tour-other");
    assertEquals((await lab.script("01-provision")).code, 0);
    await lab.on("worker-1", cmd`touch /run/mine`);
    const refused = await lab.script("tour", "-y");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, 'The lab "tour-other" is there');
    assertStringIncludes(refused.stderr, `make down CLUSTER=${lab.file}`);
    await lab.on("worker-1", cmd`ls /run/mine`);
    assertEquals((await lab.script("down")).code, 0);
    const begun = atTerminal(scriptCommand("tour", lab.file), lab.env);
    await begun.until("Enter runs it");
    await begun.type("\n");
    await begun.until("Enter goes on");
    await begun.type("q\n");
    await begun.end();
    await lab.on("worker-1", cmd`touch /run/mine`);
    const { code, stdout, stderr } = await lab.script("tour", "-y");
    assertEquals(code, 0, stderr);
    assertEquals(await lab.on("worker-1", cmd`find /run -name mine`), "");
    assertText(stdout);
  },
});

Deno.test({
  ...needsRoot,
  name:
    "what is refused on the way ends the tour with the reason, what to do, and a lab that can be gone on with (needs root)",
  async fn() {
    await using lab = await testLab("tour-refused");
    const tour = atTerminal(scriptCommand("tour", lab.file), lab.env);
    await tour.until("Enter runs it");
    await tour.type("\n");
    await tour.until("Enter goes on");
    await lab.on("worker-1", cmd`ip link add cni0 type bridge`);
    await tour.type("\n\n\n\n\n\n");
    const { code, said } = await tour.end();
    assertEquals(code, 1, said);
    assertStringIncludes(said, "cni0 is a bridge that this tool did not make");
    assertStringIncludes(said, "what to do: on worker-1, remove it");
    assertStringIncludes(said, "goes on from here");
    await lab.on("worker-1", cmd`ip link del cni0`);
    assertEquals((await lab.script("up")).code, 0);
  },
});

Deno.test("without a terminal and without -y, and with flags that it has no use for, the tour says so and makes nothing", async () => {
  await using lab = await testLab("tour-flags");
  const waiting = await lab.script("tour");
  assertEquals(waiting.code, 2);
  assertStringIncludes(waiting.stderr, "needs a terminal; give -y");
  for (
    const [flags, said] of [
      [["--predict", "-y"], "--predict and --yes exclude each other"],
      [["-y", "--stops", "1", "--marks", "pod-to-mars=no"], "pod-to-mars=no"],
      [["-y", "--stops", "0"], "expected a number from 1"],
    ] as const
  ) {
    const wrong = await lab.script("tour", ...flags);
    assertEquals(wrong.code, 2);
    assertStringIncludes(wrong.stderr, said);
  }
  const none = await lab.script("tour", "-y", "--go-on");
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, "There is no tour of the lab");
  const undo = await lab.script("tour", "-y", "--undo", "--node", "worker-1");
  assertEquals(undo.code, 2);
  assertStringIncludes(
    undo.stderr,
    "--undo: no such flag: the tour goes the whole",
  );
  const file = `${projectRoot}/config/ssh.yaml`;
  const real = await run(scriptCommand("tour", file, "-y"), { env: lab.env });
  assertEquals(real.code, 2);
  assertStringIncludes(real.stderr, "is no lab (provider: ssh)");
});
