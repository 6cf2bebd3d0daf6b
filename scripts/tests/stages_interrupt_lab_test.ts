/** Stages that are cut off in the middle, by Ctrl-C or by the end of a node. */
// @ts-types="../../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { cmd, withInput } from "../../lib/exec/command.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { killNode, scriptCommand, type TestLab } from "./lab_testing.ts";
import { atTerminal } from "./terminal_testing.ts";
import { done, overDirectory, provisioned, stateOf } from "./stages_testing.ts";

/** Puts another iptables before the node's own: one that waits before it adds a rule. */
async function slowIptables(lab: TestLab, node: string): Promise<void> {
  const wrapper = `#!/bin/sh
case "$*" in *" -I "*)
  touch /run/waiting
  until [ -e /run/go ]; do sleep 0.05; done
esac
exec xtables-nft-multi iptables "$@"
`;
  const script = overDirectory + ' && cat >"$d/iptables.new" && ' +
    'chmod 755 "$d/iptables.new" && mv "$d/iptables.new" "$d/iptables"';
  await lab.on(node, withInput(cmd`sh -c ${script}`, wrapper));
}

/** Runs stage 06, and the body while its first rule is being added on worker-1. */
async function whileWaiting(
  lab: TestLab,
  body: (script: Deno.ChildProcess) => Promise<void>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  await slowIptables(lab, "worker-1");
  const [program, ...args] = scriptCommand("06-forwarding", lab.file).argv;
  const script = new Deno.Command(program, {
    args,
    env: { ...lab.env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = script.output();
  const waiting = "until [ -e /run/waiting ]; do sleep 0.05; done";
  await lab.on("worker-1", cmd`sh -c ${waiting}`);
  await body(script);
  await lab.node("worker-1").run(cmd`touch /run/go`).catch(() => {});
  const { code, stdout, stderr } = await output;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const shortly = () => new Promise((resolve) => setTimeout(resolve, 200));

rooted(
  "Ctrl-C lets the command under way end and leaves a journal that undo can use",
  async () => {
    await using lab = await provisioned("t-ctrlc");
    const before = await stateOf(lab, "worker-1");
    const { code, stderr } = await whileWaiting(lab, async (script) => {
      script.kill("SIGINT");
      await shortly();
    });
    assertEquals(code, 130, stderr);
    assertStringIncludes(stderr, "Ctrl-C again");
    assertStringIncludes(await stateOf(lab, "worker-1"), "-A FORWARD -s");
    done(await lab.script("06-forwarding", "--undo"));
    assertEquals(await stateOf(lab, "worker-1"), before);
  },
);

rooted(
  "a second Ctrl-C ends the command too, and the next run makes it good",
  async () => {
    await using lab = await provisioned("t-ctrlc2");
    const { code } = await whileWaiting(lab, async (script) => {
      script.kill("SIGINT");
      await shortly();
      script.kill("SIGINT");
      await shortly();
    });
    assertEquals(code, 130);
    done(await lab.script("06-forwarding"));
    done(await lab.script("06-forwarding", "--undo"));
    assert(
      !(await lab.on("worker-1", cmd`iptables-save`)).includes("deno-cni"),
    );
  },
);

rooted(
  "a node that is killed in the middle of a stage is 'unreachable'; the others go on",
  async () => {
    await using lab = await provisioned("t-killed");
    const { code, stderr, stdout } = await whileWaiting(lab, async () => {
      await killNode(lab, "worker-1");
    });
    assertEquals(code, 4, stderr);
    assertStringIncludes(stderr, "unreachable on worker-1");
    assertStringIncludes(stdout, "worker-1");
    assertStringIncludes(
      await lab.on("worker-2", cmd`iptables -S FORWARD`),
      "deno-cni",
    );
    done(await lab.script("01-provision"));
    done(await lab.script("06-forwarding"));
  },
);

rooted(
  "--step: Ctrl-C ends the run at once and s skips the step, which is not run; meanwhile one can look, and a runs the rest",
  async () => {
    await using lab = await provisioned("t-step");
    const before = await stateOf(lab, "master");
    const command = scriptCommand("06-forwarding", lab.file, "--step");
    const terminal = atTerminal(command, lab.env);
    await terminal.until("q ends here: ");
    await terminal.type("\x03");
    const { code, said } = await terminal.end();
    assertEquals(code, 130, said);
    assert(!said.includes("after the command under way"), said);
    assertEquals(await stateOf(lab, "master"), before);

    // While it waits, who looks is let in, who would change something is not.
    const waiting = atTerminal(command, lab.env);
    await waiting.until("q ends here: ");
    const [status, doctor, other, trace] = await Promise.all([
      lab.script("status"),
      lab.script("doctor"),
      lab.script("07-masquerade"),
      lab.script("trace", "--from", "master", "--to", "worker-1"),
    ]);
    assertEquals([status.code, doctor.code, trace.code], [0, 0, 0]);
    assertEquals(other.code, 1);
    assertMatch(
      other.stderr,
      /another run is at work on the cluster "t-step": process \d+, 06-forwarding --cluster \S+ --step\n/,
    );
    await waiting.type("s\n");
    await waiting.until("q ends here: ");
    await waiting.type("a\n");
    const rest = await waiting.end();
    assertEquals(rest.code, 0, rest.said);
    assertStringIncludes(rest.said, "worker-2");
    const nodes = await lab.on("master", cmd`sysctl -n net.ipv4.ip_forward`);
    assertEquals(nodes.trim(), "0", "the skipped step was run");
    const after = await lab.script("status", "-o", "json");
    const { stages } = JSON.parse(after.stdout);
    const on = stages.find((stage: { name: string }) =>
      stage.name === "06-forwarding"
    ).on.map(({ is }: { is: string }) => is);
    assertEquals(on, ["partly", "applied", "applied"]);
  },
);
