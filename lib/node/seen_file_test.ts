/** Files of a node that are seen in a folder: never beyond it, and whole. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { readSeen, writeSeen } from "./seen_file.ts";

Deno.test("a file that is seen is written whole, over what a run that was cut off has left", async () => {
  const root = await Deno.makeTempDir();
  const at = `${root}/var/lib`;
  await Deno.mkdir(at, { recursive: true });
  await Deno.writeTextFile(`${root}/other`, "other\n");
  await Deno.symlink(`${root}/other`, `${at}/file.new`);
  for (const content of ["one\n", "two ü\n"]) {
    assert(await writeSeen(root, "/var/lib/file", content));
    assertEquals(await readSeen(root, "/var/lib/file"), content);
  }
  assertEquals((await Deno.stat(`${at}/file`)).mode! & 0o777, 0o644);
  assertEquals(await Deno.readTextFile(`${root}/other`), "other\n");
  assertEquals((await Array.fromAsync(Deno.readDir(at))).length, 1);
  await Deno.remove(root, { recursive: true });
});

Deno.test("what is not there, or lies behind a link, is left to a command on the node", async () => {
  const root = await Deno.makeTempDir();
  await Deno.mkdir(`${root}/away`);
  await Deno.writeTextFile(`${root}/away/file`, "away\n");
  await Deno.symlink(`${root}/away`, `${root}/link`);
  await Deno.symlink(`${root}/away/file`, `${root}/away/link`);
  for (const path of ["/absent/file", "/absent", "/link/file", "/away/link"]) {
    assertEquals(await readSeen(root, path), undefined, path);
  }
  for (const path of ["/absent/file", "/link/file", "/away/file/file"]) {
    assertEquals(await writeSeen(root, path, "new\n"), false, path);
  }
  assertEquals(await Deno.readTextFile(`${root}/away/file`), "away\n");
  assertEquals(await readSeen(`${root}/gone`, "/away/file"), undefined);
  await Deno.remove(root, { recursive: true });
});
