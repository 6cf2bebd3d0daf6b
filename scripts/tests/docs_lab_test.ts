/** The project's pages, beside what the commands in them print now. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

rooted("the pages say what the commands in them print now", async () => {
  const outcome = await run(
    cmd`${Deno.execPath()} run -A --no-check ${projectRoot}/scripts/docs.ts --check`,
    { timeout_ms: 400_000 },
  );
  assertEquals(
    outcome.stdout.trim(),
    "The pages say what the commands print",
    outcome.stderr,
  );
  assertEquals(outcome.code, 0);
});
