// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, show, withInput } from "../../lib/exec/command.ts";
import { scriptCommand, testLab } from "./lab_testing.ts";
import { run } from "../../lib/exec/run.ts";

const rooted = { ignore: Deno.uid() !== 0 };

Deno.test(
  "shell: a command on a node, in a pod, or outside, with its own exit code (needs root)",
  rooted,
  async () => {
    await using lab = await testLab("shell-one");
    await lab.script("01-provision");
    const shell = (...args: string[]) => lab.script("shell", ...args);
    const hostname = await shell("--node", "worker-1", "--", "hostname");
    assertEquals(hostname.stdout, "worker-1\n");
    const outside = await shell("--node", "outside", "--", "hostname");
    assertEquals(outside.stdout, "outside\n");
    const code = await shell("--node", "master", "--", "sh", "-c", "exit 7");
    assertEquals(code.code, 7);
    await lab.on("worker-1", cmd`ip netns add web`);
    const links = await shell(
      ...["--node", "worker-1", "--pod", "web", "--", "ip", "-br", "link"],
    );
    assertEquals(links.stdout.trim().split(/\s+/)[0], "lo");
    assertEquals(links.stdout.trim().split("\n").length, 1);
  },
);

Deno.test(
  "shell: on a terminal its prompt names where one is (needs root)",
  rooted,
  async () => {
    await using lab = await testLab("shell-two");
    await lab.script("01-provision");
    await lab.on("worker-1", cmd`ip netns add web`);
    const onTerminal = async (...args: string[]) => {
      const command = show(scriptCommand("shell", lab.file, ...args));
      const terminal = cmd`script -qec ${command} /dev/null`;
      const typed = withInput(terminal, "cd /var\nexit 3\n");
      return await run(typed, { env: { ...lab.env, TERM: "dumb" } });
    };
    const node = await onTerminal("--node", "worker-1");
    assertStringIncludes(node.stdout, "worker-1:/var# ");
    assertEquals(node.code, 3);
    const pod = await onTerminal("--node", "worker-1", "--pod", "web");
    assertStringIncludes(pod.stdout, "worker-1/web:/var# ");
  },
);

Deno.test(
  "shell: what cannot be is refused in one line, with what there is (needs root)",
  rooted,
  async () => {
    await using lab = await testLab("shell-three");
    const dead = await lab.script("shell", "--node", "worker-1", "--", "true");
    assertEquals(dead.code, 4);
    assertEquals(
      dead.stderr,
      `worker-1: not running: make 01-provision CLUSTER=${lab.file}\n`,
    );
    await lab.script("01-provision");
    const none = await lab.script("shell");
    assertEquals(none.code, 2);
    assertEquals(
      none.stderr,
      "expected --node with one of master, worker-1, worker-2, outside\n",
    );
    const other = await lab.script("shell", "--node", "worker-9");
    assertEquals(other.code, 2);
    assertStringIncludes(other.stderr, "--node worker-9: no such node");
    const pod = await lab.script("shell", "--node", "worker-1", "--pod", "web");
    assertEquals(pod.code, 2);
    assertStringIncludes(pod.stderr, "--pod web: no such pod on worker-1");
  },
);
