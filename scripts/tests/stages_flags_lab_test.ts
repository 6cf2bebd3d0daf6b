/** The flags of all commands: each takes what its help names. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { run } from "../../lib/exec/run.ts";

const scripts = (await Array.fromAsync(Deno.readDir(`${projectRoot}/scripts`)))
  .map(({ name }) => name).filter((name) => name.endsWith(".ts"))
  .filter((name) => name !== "stages.ts").toSorted();

const script = (name: string, ...args: string[]) =>
  run(
    cmd`${Deno.execPath()} run -A --no-check ${projectRoot}/scripts/${name} ${args}`,
  );

Deno.test("every command's help fits a terminal, and names the flag that every other one is refused for", async () => {
  for (const name of scripts) {
    const help = await script(name, "--help");
    assertEquals(help.code, 0, help.stderr);
    assertStringIncludes(help.stdout, `scripts/${name}: `);
    assertStringIncludes(help.stdout, "-h, --help  ");
    const wide = help.stdout.split("\n").filter((line) => line.length > 82);
    assertEquals(wide, [], name);
    const wrong = await script(name, "--nonsense");
    assertEquals([wrong.code, wrong.stdout], [2, ""], name);
    assertStringIncludes(wrong.stderr, "--nonsense: no such flag");
  }
});

Deno.test("a command refuses the flags that mean nothing to it, with the reason or the nearest", async () => {
  for (
    const [name, flag, message] of [
      ["picture.ts", "--port=1", "--port: no such flag"],
      ["watch.ts", "--undo", "--undo: no such flag: the page changes nothing"],
      ["plugin.ts", "--pod=x", "--pod: no such flag"],
      ["shell.ts", "--undo", "--undo: no such flag"],
      ["04-bridge.ts", "--pod=x", "--pod: no such flag; did you mean --node?"],
      ["04-bridge.ts", "--portable", "--portable: no such flag"],
      ["up.ts", "--dryrun", "did you mean --dry-run?"],
      ["run-tests.ts", "--quiet", "--quiet: no such flag"],
    ] as const
  ) {
    const { code, stderr } = await script(name, flag);
    assertEquals(code, 2, `${name} ${flag}`);
    assertStringIncludes(stderr, message);
  }
});
