// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects } from "@std/assert";
import { Readable } from "node:stream";
import { cmd } from "./command.ts";
import { projectRoot } from "./project_root.ts";
import { run } from "./run.ts";
import { runLean } from "./run_lean.ts";

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

Deno.test("a stream that fails ends the command that reads it, and is the error", async () => {
  async function* broken() {
    yield "half";
    await Promise.reject(new Error("the disk is gone"));
  }
  await assertRejects(
    () => run(cmd`cat`, { input: Readable.from(broken()) }),
    Error,
    "the disk is gone",
  );
});

const sh = (script: string) => cmd`sh -c ${script}`;

for (
  const [name, runner] of [["run()", run], ["runLean()", runLean]] as const
) {
  Deno.test(`${name} tells how a command ended, and ends what it started`, async () => {
    const plain = await runner(sh("echo out; echo err >&2; exit 3"));
    assertEquals(plain, { code: 3, stdout: "out\n", stderr: "err\n" });
    const fed = await runner({ ...cmd`wc -c`, stdin: "1234" });
    assertEquals(fed.stdout.trim(), "4");
    const deaf = await runner({ ...cmd`true`, stdin: "1".repeat(1e6) });
    assertEquals(deaf.code, 0);
    const env = await runner(sh("echo $A-$HOME"), {
      env: { A: "b", PATH: "/usr/bin:/bin" },
      cwd: "/",
    });
    assertEquals(env.stdout, "b-\n");
    const endings = await Promise.all([
      runner(cmd`/nowhere/to/be/found`),
      runner(cmd`/etc/passwd`),
      runner(sh("kill -KILL $$")),
      runner(sh("sleep 999 & echo $!; wait"), { timeout_ms: 500 }),
      runner(sh("sleep 999"), { signal: AbortSignal.timeout(500) }),
      runner(cmd`true`, { signal: AbortSignal.abort() }),
    ]);
    assertEquals(endings.map(({ ended }) => ended), [
      "no such command",
      "not executable",
      "killed",
      "timed out",
      "interrupted",
      "interrupted",
    ]);
    const left = endings[3]?.stdout.trim() ?? "";
    const gone = await runner(
      sh(
        `i=0; while [ -d /proc/${left} ] && [ $i -lt 600 ]; do i=$((i+1)); sleep 0.1; done; ` +
          `! grep -qs sleep /proc/${left}/comm`,
      ),
      { timeout_ms: 90_000 },
    );
    assertEquals(gone.code, 0);
  });
}
