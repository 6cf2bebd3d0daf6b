// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { readExerciseBook, writeExerciseBook } from "./progress_file.ts";

Deno.test("what is remembered of exercises is read as it was written", async () => {
  const stateDir = await Deno.makeTempDir();
  try {
    assertEquals(await readExerciseBook({ stateDir }), new Map());
    const book = new Map([[2, {
      state: "set up" as const,
      hints: 1,
      before: { "worker-1": ["net.ipv4.ip_forward = 1"] },
    }]]);
    await writeExerciseBook({ stateDir }, book);
    assertEquals(await readExerciseBook({ stateDir }), book);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("a file that is no such book counts as none", async () => {
  const stateDir = await Deno.makeTempDir();
  try {
    for (
      const text of [
        "",
        "{",
        "[]",
        '{"version":2,"exercises":{}}',
        '{"version":1,"exercises":{"1":{"state":"done","hints":0,"before":{}}}}',
        '{"version":1,"exercises":{"1":{"state":"solved","hints":0,"before":{"a":[1]}}}}',
      ]
    ) {
      await Deno.writeTextFile(`${stateDir}/exercises.json`, text);
      assertEquals(await readExerciseBook({ stateDir }), new Map(), text);
    }
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});
