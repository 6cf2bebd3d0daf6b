// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects } from "@std/assert";
import { CommandError } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { copyOver } from "./copy.ts";

Deno.test("a file that cannot be read while it is copied is an error that names it, and ends what takes it", async () => {
  const stateDir = await Deno.makeTempDir();
  const file = `${stateDir}/plugin`;
  try {
    await Deno.writeTextFile(file, "all of it");
    const sent: (string | undefined)[] = [];
    const error = await assertRejects(
      () =>
        copyOver({
          name: "worker-1",
          stateDir,
          async send({ argv: [, , , what] }, options) {
            sent.push(what);
            if (what !== "ask") return await run({ argv: ["cat"] }, options);
            await Deno.remove(file);
            await Deno.mkdir(file);
            return { code: 0, stdout: "", stderr: "" };
          },
        }, { file, path: "/opt/cni/bin/plugin", mode: "755" }),
      CommandError,
      `operator: cat ${file}: exit code 1: EISDIR`,
    );
    assertEquals(error.why, `copy ${file} to worker-1`);
    assertEquals(sent, ["ask", "receive"]);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});
