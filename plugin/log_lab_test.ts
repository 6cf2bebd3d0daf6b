/** The lines that a call leaves in the file that the network configuration names. */
// @ts-types="../lib/std/assert.d.ts"
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import {
  added,
  config,
  none,
  onNode,
  type TestNode,
} from "./sandbox_testing.ts";

const logFile = "/run/deno-cni.log";

const lines = async (node: TestNode, file = logFile) =>
  (await node.must(cmd`cat ${file}`)).trimEnd().split("\n");

onNode(
  "a log that is asked for has a line a call, with what tells one from the other",
  async (node) => {
    const input = { ...config, logFile };
    const pod = await node.pod("p1");
    await added(node, { pod, input });
    await node.cni({ command: "ADD", pod, input });
    assertEquals(await node.cni({ command: "DEL", pod, input }), none);
    const [add, again, del, ...more] = await lines(node);
    assertEquals(more, []);
    assertMatch(
      add!,
      /^time=\d{4}-\d\d-\d\dT[\d:.]+Z level=info command=ADD container=p1 interface=eth0 netns=\/proc\/\d+\/ns\/net pod=default\/p1 ms=\d+\.\d address=10\.244\.1\.2\/24$/,
    );
    assertStringIncludes(again!, "level=error command=ADD container=p1");
    assertStringIncludes(
      again!,
      'code=101 error="interface eth0 exists already',
    );
    assertMatch(del!, / command=DEL .* ms=\d+\.\d$/);
    const mode = await node.must(cmd`stat -c %a ${logFile}`);
    assertEquals(mode.trim(), "600");
    // As logrotate does it: the next call begins a file of its own.
    await node.must(cmd`mv ${logFile} ${logFile}.1`);
    await added(node, { pod, input });
    assertEquals((await lines(node)).length, 1);
  },
);

onNode("the level of the log says how much comes in", async (node) => {
  const pod = await node.pod("p1");
  const errors = { ...config, logFile, logLevel: "error" };
  await added(node, { pod, input: errors });
  await node.cni({ command: "ADD", pod, input: errors });
  assertEquals((await lines(node)).length, 1);
  const all = { ...config, logFile: "/run/all.log", logLevel: "debug" };
  await node.cni({ command: "DEL", pod, input: all });
  const { json } = await added(node, { pod, input: all });
  const [, line] = await lines(node, "/run/all.log");
  const [, input, result] =
    / input=("(?:[^"\\]|\\.)*") result=("(?:[^"\\]|\\.)*")$/
      .exec(line!)!;
  assertEquals(JSON.parse(JSON.parse(input!)), all);
  assertEquals(JSON.parse(JSON.parse(result!)), json);
});

onNode("a log that cannot be written fails no call", async (node) => {
  const pod = await node.pod("p1");
  await node.must(cmd`mkfifo /run/nobody-reads`);
  for (
    const file of ["/nowhere/log", "/run", "/dev/full", "/run/nobody-reads"]
  ) {
    const input = { ...config, logFile: file, logLevel: "debug" };
    await added(node, { pod, input });
    assertEquals(await node.cni({ command: "DEL", pod, input }), none, file);
  }
  for (
    const [wrong, words] of [
      [{ logFile: "relative" }, 'logFile is "relative"'],
      [{ logFile: 7 }, "logFile is 7"],
      [{ logFile, logLevel: "loud" }, 'logLevel is "loud"'],
    ] as const
  ) {
    const input = { ...config, ...wrong };
    const said = await node.cni({ command: "DEL", pod, input });
    assertEquals([said.exit, said.json], [0, {}]);
    assertStringIncludes(said.stderr, `deno-cni: no log is written: ${words}`);
  }
});
