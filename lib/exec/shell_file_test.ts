/** Files that shells write: whole, or as they were. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd, paste } from "./command.ts";
import { run } from "./run.ts";
import {
  askPath,
  readFile,
  save,
  saysAbsent,
  write,
  writeOutput,
} from "./shell_file.ts";

Deno.test("write() makes missing folders and leaves no neighbour behind", async () => {
  const folder = await Deno.makeTempDir();
  await run(write(`${folder}/a/b/c`, "text\n", "640"));
  assertEquals(await Deno.readTextFile(`${folder}/a/b/c`), "text\n");
  assertEquals((await Deno.stat(`${folder}/a/b/c`)).mode! & 0o777, 0o640);
  assertEquals(
    (await Array.fromAsync(Deno.readDir(`${folder}/a/b`))).length,
    1,
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("write() puts nothing in place when whoever sends the text is cut off", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/file`;
  await run(write(path, "before\n"));
  const command = write(path, "one line\nand another ü\n");
  for (const sent of ["", "one line\n", "one line\nand another "]) {
    const outcome = await run({ ...command, stdin: sent });
    assertEquals([outcome.code, outcome.stderr], [
      1,
      "the text was cut short\n",
    ]);
    assertEquals(await Deno.readTextFile(path), "before\n");
  }
  assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  await run({ argv: ["sh", "-c", paste(command)] });
  assertEquals(await Deno.readTextFile(path), command.stdin);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("save() writes the whole text, or leaves the file as it was", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/a b/file`;
  const content = "it's `one` $line\nand another ü \\n %s";
  const saved = await run(save(path, content));
  assertEquals([saved.code, saved.stdout, saved.stderr], [0, "", ""]);
  assertEquals(await Deno.readTextFile(path), content);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o644);
  const { stdin = "", ...shell } = save(path, "new\n");
  for (let sent = 0; sent < stdin.length - 2; sent += 23) {
    await run({ ...shell, stdin: stdin.slice(0, sent) });
    assertEquals(await Deno.readTextFile(path), content);
  }
  await run({ argv: ["sh", "-c", paste(save(path, "new\n"))] });
  assertEquals(await Deno.readTextFile(path), "new\n");
  const names = await Array.fromAsync(Deno.readDir(`${folder}/a b`));
  assertEquals(names.length, 1);
  const failed = await run(save(`${path}/file`, content));
  assert(failed.code !== 0 && failed.stderr !== "");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("writeOutput() leaves the file as it was where the command fails, and tells its exit code", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/a/file`;
  const made = await run(writeOutput(path, "600", cmd`echo before`));
  assertEquals([made.code, made.stdout, made.stderr], [0, "", ""]);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  const script = "echo half; echo why >&2; exit 7";
  const failed = await run(writeOutput(path, "644", cmd`sh -c ${script}`));
  assertEquals([failed.code, failed.stderr], [7, "why\n"]);
  assertEquals(await Deno.readTextFile(path), "before\n");
  assertEquals(
    (await Array.fromAsync(Deno.readDir(`${folder}/a`))).length,
    1,
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a question about a path that is not there has its own answer, and a failing one is not taken for it", async () => {
  const folder = await Deno.makeTempDir();
  assert(saysAbsent(await run(readFile(`${folder}/none`))));
  const failing = await run(askPath(folder, 'cat "$1/$2"', "none"));
  assertEquals([failing.code, saysAbsent(failing)], [1, false]);
  await run(write(`${folder}/one`, "text"));
  assertEquals((await run(readFile(`${folder}/one`))).stdout, "text");
  await Deno.remove(folder, { recursive: true });
});
