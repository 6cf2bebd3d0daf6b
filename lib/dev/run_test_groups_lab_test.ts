// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { runGroups, tryAgain } from "./run_test_groups.ts";
import { alone } from "./test_groups.ts";

const how = {
  jobs: 1,
  verbose: false,
  limit_ms: 60_000,
  signal: new AbortController().signal,
};

/** Runs files of these texts twice over where they fail, and counts what failed. */
async function settled(texts: readonly string[]): Promise<number[]> {
  const folder = await Deno.makeTempDir();
  try {
    const files = texts.map((_, index) => `${folder}/${index}_test.ts`);
    await Promise.all(
      texts.map((text, index) => Deno.writeTextFile(files[index]!, text)),
    );
    const groups = files.map((file) => alone(file, folder));
    const tested = await tryAgain(await runGroups(groups, how), how);
    return tested.map(({ result }) => result.failed);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const bad = `Deno.test("bad", () => { throw new Error("no"); });`;
const onceBad = `Deno.test("fails the first time", () => {
  try {
    Deno.mkdirSync(import.meta.dirname + "/first");
  } catch {
    return;
  }
  throw new Error("first");
});`;

Deno.test("what fails beside others and passes alone has not failed; what fails twice has", async () => {
  assertEquals(await settled([onceBad, bad]), [0, 1]);
});

Deno.test("where much fails it is not tried again", async () => {
  assertEquals(await settled([bad, bad, onceBad]), [1, 1, 1]);
});
