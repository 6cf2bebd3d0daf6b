// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects } from "@std/assert";
import { cmd, withInput } from "../exec/command.ts";
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
