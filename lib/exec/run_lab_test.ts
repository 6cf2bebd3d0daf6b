// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "./command.ts";
import { projectRoot } from "./project_root.ts";
import { run } from "./run.ts";

Deno.test("a command runs, and ends as it ended, where there is no bash", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.symlink("/bin/sh", `${folder}/sh`);
    const program = `import { run } from "${projectRoot}/lib/exec/run.ts";
      const { code } = await run({ argv: ["sh", "-c", "exit 44"] });
      console.log(code);`;
    const config = `${projectRoot}/deno.json`;
    const outcome = await run(
      cmd`${Deno.execPath()} eval --config ${config} ${program}`,
      { env: { ...Deno.env.toObject(), PATH: folder, NO_COLOR: "1" } },
    );
    assertEquals(outcome.stdout, "44\n", outcome.stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
