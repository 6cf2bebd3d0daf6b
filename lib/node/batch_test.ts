// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects } from "@std/assert";
import { cmd, withInput } from "../exec/command.ts";
import { localNode, type Runner, UnreachableError } from "./node.ts";
import { askAll, askTogether, gathering, type Question } from "./batch.ts";

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
}

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
