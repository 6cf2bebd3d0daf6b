// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { readExerciseBook, writeExerciseBook } from "./progress_file.ts";

const none = { solved: [], begun: {} };

Deno.test("what is remembered of exercises is read as it was written", async () => {
  const stateDir = await Deno.makeTempDir();
  try {
    assertEquals(await readExerciseBook({ stateDir }), none);
    const before = { "worker-1": ["net.ipv4.ip_forward = 1"] };
    const book = {
      solved: ["lost-source"],
      begun: { "answers-astray": { hints: 1, before, broken: before } },
      surprise: "answers-astray",
    };
    await writeExerciseBook({ stateDir }, book);
    assertEquals(await readExerciseBook({ stateDir }), book);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("a file that is no such book counts as none", async () => {
  const stateDir = await Deno.makeTempDir();
  const begun = (entry: string) =>
    `{"version":2,"book":{"solved":[],"begun":{"a":${entry}}}}`;
  try {
    for (
      const text of [
        "",
        "{",
        "[]",
        '{"version":1,"exercises":{}}',
        '{"version":2,"book":{"solved":[1],"begun":{}}}',
        '{"version":2,"book":{"solved":[],"begun":{},"surprise":1}}',
        begun('{"hints":"1","before":{}}'),
        begun('{"hints":0,"before":{"a":[1]}}'),
        begun('{"hints":0,"before":{},"solved":false}'),
      ]
    ) {
      await Deno.writeTextFile(`${stateDir}/exercises.json`, text);
      assertEquals(await readExerciseBook({ stateDir }), none, text);
    }
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});
