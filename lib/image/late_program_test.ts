// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { BuildError } from "../stage/errors.ts";
import { lateProgram, starterOf } from "./late_program.ts";

const bundled = `#!/usr/bin/env -S deno run -A
import { basename as name, dirname } from "node:path";
import * as fs from "node:fs";
const own = import.meta.url.replace(/^.*\\//, "");
const { tmpdir } = await import("node:os");
const there = await fs.promises.readFile(import.meta.dirname + "/beside");
console.log(name("/a/b"), dirname("/a/b"), own, there.toString(), typeof tmpdir, Deno.args);
`;

Deno.test("a program that is evaluated finds what it would find as a module", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/program.txt`, lateProgram(bundled));
    await Deno.writeTextFile(`${folder}/agent.js`, starterOf("program.txt"));
    await Deno.writeTextFile(`${folder}/beside`, "text");
    const outcome = await run(
      cmd`${Deno.execPath()} run -A --no-config ${folder}/agent.js one`,
    );
    assertEquals(outcome.stdout, 'b /a agent.js text function [ "one" ]\n');
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a bundle that imports something else than Node's modules is refused", () => {
  for (const line of ['import a from "npm:a";', "export const b = 1;"]) {
    assertThrows(() => lateProgram(`${line}\n`), BuildError, line.slice(0, 9));
  }
});
