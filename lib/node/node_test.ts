// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { localNode } from "./node.ts";
import { run } from "../exec/run.ts";

Deno.test("the copy that a dry run shows for this machine can be pasted into a shell", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const from = `${folder}/it's one`;
    const to = `${folder}/new folder/copied`;
    await Deno.writeTextFile(from, "text\n");
    const line = localNode("here").showCopy(from, to, "640");
    assertEquals((await run(cmd`sh -euc ${line}`)).code, 0);
    assertEquals(await Deno.readTextFile(to), "text\n");
    assertEquals((await Deno.stat(to)).mode! & 0o777, 0o640);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
