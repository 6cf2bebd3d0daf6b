// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects } from "@std/assert";
import { cmd, type Command, withInput } from "../exec/command.ts";
import { localNode, type Runner, UnreachableError } from "./node.ts";
import {
  askAll,
  askTogether,
  gathering,
  type Question,
  runInTurn,
} from "./batch.ts";

const here = localNode("here");
const questions: readonly Question[] = [
  cmd`printf %s ${"a b'c\n\n"}`,
  cmd`sh -c ${"echo out; echo err >&2; exit 3"}`,
  cmd`no-such-command-at-all`,
  withInput(cmd`cat`, "from a here-document\n"),
  cmd`true`,
].map((command) => ({ where: "here", command }));

for (const ask of [askAll, askTogether]) {
  Deno.test(`${ask.name}() gives each question its own answer, in their order`, async () => {
    const asked = await ask(here, questions, {});
    assertEquals(
      asked.map(({ outcome: { code, stdout } }) => [code, stdout]),
      [
        [0, "a b'c\n\n"],
        [3, "out\n"],
        [127, ""],
        [0, "from a here-document\n"],
        [0, ""],
      ],
    );
    assertEquals(asked[1]?.outcome.stderr.trim(), "err");
    assertEquals(await ask(here, [], {}), []);
  });

  Deno.test(`${ask.name}() leaves no file behind, also where its time is over`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const env = { PATH: Deno.env.get("PATH") ?? "", TMPDIR: folder };
      const slow = { where: "here", command: cmd`sleep 60` };
      const options = { env, timeout_ms: 300 };
      const asked = await ask(here, [...questions, slow], options);
      assertEquals(asked.at(-1)?.outcome.ended, "timed out");
      assertEquals([...Deno.readDirSync(folder)], []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  Deno.test(`${ask.name}() takes much on both outputs, of a command that reads no input`, async () => {
    const much = "seq 50000; seq 50000 >&2; cat";
    const command = cmd`sh -c ${much}`;
    const asked = await ask(
      here,
      [command, command].map((command) => ({
        where: "here",
        command,
      })),
      {},
    );
    for (const { outcome: { code, stdout, stderr } } of asked) {
      assertEquals([code, stdout.length], [0, 288894]);
      assertEquals(stderr.trimEnd().length, 288893);
    }
  });
}

Deno.test("a program for a shell has its own arguments, and changes nothing for the next", async () => {
  const programs = [
    cmd`sh -c ${'boundary=x; part() { :; }; echo "$# $1 $2"'} ask -n ${"a  'b'"}`,
    cmd`env LC_ALL=C sh -c ${'code=9; echo "$LC_ALL $#"; exit 4'} ask`,
    cmd`sh -c ${"echo 'never closed"}`,
    cmd`sh -c ${"cd /; set -eu; false; echo on"}`,
    cmd`sh -c ${'echo "${LC_ALL-none} $#"'} ask one`,
  ];
  const path = Deno.env.get("PATH") ?? "";
  const asked = await askAll(
    { ...here, run: (command) => here.run(command, { env: { PATH: path } }) },
    programs.map((command) => ({ where: "here", command })),
    {},
  );
  assertEquals(
    asked.map(({ outcome: { code, stdout } }) => [code, stdout]),
    [[0, "2 -n a  'b'\n"], [4, "C 0\n"], [2, ""], [1, ""], [0, "none 1\n"]],
  );
});

Deno.test("askTogether() asks all at once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // Each waits until the other has begun.
    const meet = 'touch "$1/$2"; until [ -e "$1/$3" ]; do sleep 0.01; done';
    const asked = await askTogether(
      here,
      [
        { where: "here", command: cmd`sh -c ${meet} x ${folder} a b` },
        { where: "here", command: cmd`sh -c ${meet} x ${folder} b a` },
      ],
      { timeout_ms: 20_000 },
    );
    assertEquals(asked.map(({ outcome: { code } }) => code), [0, 0]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("runInTurn() stops at the first that fails, and tells of none after it", async () => {
  const commands = ["true", "exit 3", "true"].map((line) => cmd`sh -c ${line}`);
  const outcomes = await runInTurn(here, commands, {});
  assertEquals(outcomes.map(({ code }) => code), [0, 3]);
  const missing = await runInTurn(here, [cmd`true`, cmd`no-such-one`], {});
  assertEquals(missing.map(({ ended }) => ended), [
    undefined,
    "no such command",
  ]);
});

Deno.test("a question that stands there several times is asked once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const command =
      cmd`sh -c ${'echo x >>"$1/log"; wc -l <"$1/log"'} x ${folder}`;
    const question = { where: "here", command };
    const other = { where: "here", command: cmd`echo other` };
    const again = { where: "here", command: { ...command } };
    const asked = await askAll(
      here,
      [question, other, { ...question, where: "b" }, again],
      {},
    );
    assertEquals(
      asked.map(({ where, outcome }) => [where, outcome.stdout.trim()]),
      [["here", "1"], ["here", "other"], ["b", "1"], ["here", "2"]],
    );
    assertEquals(asked[0]?.outcome, asked[2]?.outcome);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What came of these where `ip -batch` fails at a line that has "bad" in it. */
async function runBatched(commands: readonly Command[]) {
  const folder = await Deno.makeTempDir();
  const program = `#!/bin/sh
echo "ip $*" >>${folder}/log
case "$*" in *-batch*) ;; *bad*) echo "no: $*" >&2; exit 2 ;; *) exit 0 ;; esac
number=0
while read -r line; do
  number=$((number + 1))
  echo "  $line" >>${folder}/log
  case $line in *bad*) echo "no
Command failed -:$number" >&2; exit 1 ;; esac
done\n`;
  try {
    await Deno.writeTextFile(`${folder}/ip`, program, { mode: 0o755 });
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
    const outcomes = await runInTurn(here, commands, { env });
    const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
    return {
      outcomes: outcomes.map(({ code, stderr }) => `${code} ${stderr.trim()}`),
      log: log.trimEnd().split("\n"),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("runInTurn() gives commands of ip that stand together to one process", async () => {
  const { outcomes, log } = await runBatched([
    cmd`ip route replace a`,
    cmd`ip route replace b`,
    cmd`ip -6 route flush exact c`,
    cmd`ip -6 route flush exact d`,
    cmd`echo between`,
    cmd`ip link set e up`,
  ]);
  assertEquals(outcomes, Array(6).fill("0 "));
  assertEquals(log, [
    ...["ip -batch -", "  route replace a", "  route replace b"],
    ...["ip -6 -batch -", "  route flush exact c", "  route flush exact d"],
    "ip link set e up",
  ]);
});

Deno.test("of commands that go together, the one that fails is run by itself, and none after it", async () => {
  const { outcomes, log } = await runBatched([
    cmd`ip route replace a`,
    cmd`ip route replace bad`,
    cmd`ip route replace c`,
  ]);
  assertEquals(outcomes, ["0 ", "2 no: route replace bad"]);
  assertEquals(log, [
    ...["ip -batch -", "  route replace a", "  route replace bad"],
    "ip route replace bad",
  ]);
});

Deno.test("a command whose words ip's own reading would part goes by itself", async () => {
  const { outcomes, log } = await runBatched([
    cmd`ip link set a alias ${"two words"}`,
    cmd`ip link set b alias ${"it's"}`,
    withInput(cmd`ip link set c`, "x\n"),
    cmd`ip -j route show`,
    cmd`ip route show`,
  ]);
  assertEquals(outcomes, Array(5).fill("0 "));
  assertEquals(log.filter((line) => line.includes("-batch")), []);
});

Deno.test("runInTurn() tells what ended it, as the last outcome", async () => {
  const commands = [cmd`true`, cmd`sleep 60`, cmd`true`];
  const outcomes = await runInTurn(here, commands, { timeout_ms: 300 });
  assertEquals(outcomes.map(({ code, ended }) => ended ?? code), [
    0,
    "timed out",
  ]);
});

/** This machine, and how often it was asked. */
function counted(): { runner: Runner; times: () => number } {
  let times = 0;
  return {
    runner: {
      ...here,
      run(command, options) {
        times++;
        return here.run(command, options);
      },
    },
    times: () => times,
  };
}

Deno.test("gathering() asks by one command what is asked at one time", async () => {
  const { runner, times } = counted();
  const together = gathering(runner);
  const outcomes = await Promise.all(
    ["one", "two", "three"].map((word) => together.run(cmd`echo ${word}`)),
  );
  assertEquals(outcomes.map(({ stdout }) => stdout), [
    "one\n",
    "two\n",
    "three\n",
  ]);
  assertEquals(times(), 1);
  await together.run(cmd`true`);
  assertEquals(times(), 2);
});

Deno.test("gathering() tells everybody who asked that the machine is gone", async () => {
  const gone = gathering({
    ...here,
    run: () => Promise.reject(new UnreachableError("here", "gone")),
  });
  const both = ["one", "two"].map((word) => gone.run(cmd`echo ${word}`));
  for (const one of both) await assertRejects(() => one, UnreachableError);
});

Deno.test("thousands of questions and commands go in parts, each with the time of one", async () => {
  const { runner, times } = counted();
  const commands = Array.from({ length: 600 }, (_, at) => cmd`echo ${at}`);
  const asked = await askAll(
    runner,
    commands.map((command) => ({ where: "here", command })),
    {},
  );
  const numbers = commands.map((_, at) => `${at}\n`);
  assertEquals(asked.map(({ outcome }) => outcome.stdout), numbers);
  assertEquals(times(), 3);
  const outcomes = await runInTurn(runner, commands, {});
  assertEquals(outcomes.map(({ stdout }) => stdout), numbers);
  assertEquals(times(), 6);
  const failing = commands.with(300, cmd`sh -c ${"exit 3"}`);
  const begun = await runInTurn(runner, failing, {});
  assertEquals(begun.length, 301);
  assertEquals(begun.at(-1)?.code, 3);
  assertEquals(times(), 8);
});

Deno.test("after a part whose time was over, no other is asked", async () => {
  const { runner, times } = counted();
  const commands = Array.from({ length: 600 }, () => cmd`true`);
  const asked = await askAll(
    runner,
    commands.with(240, cmd`sleep 60`)
      .map((command) => ({ where: "here", command })),
    { timeout_ms: 2_000 },
  );
  assertEquals(asked.length, 600);
  assertEquals(asked[0]?.outcome.code, 0);
  assertEquals(
    asked.slice(250).map(({ outcome }) => outcome.ended),
    Array.from({ length: 350 }, () => "timed out" as const),
  );
  assertEquals(times(), 1);
});
