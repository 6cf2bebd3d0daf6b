// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Outcome } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";

const script = `${import.meta.dirname}/../run-tests.ts`;

const files: Record<string, string> = {
  "good_test.ts": `
    Deno.test("good", () => {});
    Deno.test("also good", () => {});`,
  "bad_test.ts": `
    Deno.test("good among bad", () => {});
    Deno.test("bad", () => { throw new Error("because"); });`,
  "skipped_test.ts": `
    Deno.test({ name: "careful (needs luck)", ignore: true, fn() {} });`,
  "broken_test.ts": `import "./absent.ts"; Deno.test("never", () => {});`,
  "exits_test.ts": `
    const { kill, pid } = Deno;
    Deno.test("crash", () => kill(pid, "SIGKILL"));`,
  "empty_test.ts": `export {};`,
  "lasting_test.ts": `
    Deno.test("starts what lasts", async () => {
      const sleep = new Deno.Command("sleep", { args: [Deno.env.get("LAST")] });
      sleep.spawn();
      await Deno.writeTextFile(Deno.env.get("STARTED"), "");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`,
};

/** Runs the named ones of these files, and gives the last line that is printed. */
async function tried(
  ...names: string[]
): Promise<{ outcome: Outcome; last: string }> {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of names) {
      await Deno.writeTextFile(`${folder}/${name}`, files[name] ?? "");
    }
    const paths = names.map((name) => `${folder}/${name}`);
    const outcome = await run(
      cmd`${Deno.execPath()} run -A ${script} ${paths}`,
    );
    const last = outcome.stdout.trimEnd().split("\n").at(-1) ?? "";
    return { outcome, last };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the last line counts what Deno counted, and exit code 0 wants nothing failed", async () => {
  const { outcome, last } = await tried("good_test.ts", "skipped_test.ts");
  assertEquals([last, outcome.code], ["2 passed, 0 failed, 1 skipped", 0]);
  assertStringIncludes(outcome.stdout, "  skipped: careful (needs luck)\n");
});

Deno.test("one failed test fails the run and is shown", async () => {
  const { outcome, last } = await tried("good_test.ts", "bad_test.ts");
  assertEquals([last, outcome.code], ["3 passed, 1 failed", 1]);
  assertStringIncludes(outcome.stdout, "because");
  assertStringIncludes(outcome.stdout, "bad_test.ts: bad\n3 passed");
});

Deno.test("a file that cannot be loaded, crashes or holds no test counts as failed", async () => {
  for (const name of ["broken_test.ts", "exits_test.ts", "empty_test.ts"]) {
    const { outcome, last } = await tried("good_test.ts", name);
    assertEquals([last, outcome.code], ["2 passed, 1 failed", 1], name);
  }
});

Deno.test("a run in which no test ran is no success", async () => {
  const { outcome, last } = await tried("skipped_test.ts");
  assertEquals([last, outcome.code], ["0 passed, 0 failed, 1 skipped", 1]);
});

Deno.test("a file that is not there counts as failed", async () => {
  const outcome = await run(
    cmd`${Deno.execPath()} run -A ${script} /absent_test.ts`,
  );
  assertEquals(
    outcome.stdout.trimEnd().split("\n").at(-1),
    "0 passed, 1 failed",
  );
  assertEquals(outcome.code, 1);
});

/**
 * Begins a run whose test starts something that lasts, in a process group of its own, as
 * a terminal has it.
 *
 * @param end ends it, given its process
 * @returns its exit code, and the temporary folders that were left of it
 */
async function endedBy(
  folder: string,
  end: (pid: number) => void,
): Promise<{ code: number; left: string[] }> {
  const [started, temporary] = [`${folder}/started`, `${folder}/temporary`];
  // A number of seconds that nobody else sleeps for.
  const last = String(1e8 + crypto.getRandomValues(new Uint32Array(1))[0]!);
  const file = `${folder}/lasting_test.ts`;
  await Deno.writeTextFile(file, files["lasting_test.ts"] ?? "");
  await Deno.mkdir(temporary, { recursive: true });
  const child = new Deno.Command("setsid", {
    args: [Deno.execPath(), "run", "-A", script, file],
    env: { STARTED: started, LAST: last, TMPDIR: temporary },
    stdout: "null",
    stderr: "null",
  }).spawn();
  while (!await exists(started)) await delay(20);
  assert(await sleeps(last));
  end(child.pid);
  const { code } = await child.status;
  while (await sleeps(last)) await delay(20);
  await Deno.remove(started);
  return { code, left: Array.from(Deno.readDirSync(temporary), (e) => e.name) };
}

Deno.test({
  name:
    "however a run ends, what its tests started ends, and its temporary folder goes: " +
    "at once, or at the next run where it was killed (needs root)",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const killed = await endedBy(folder, (pid) => Deno.kill(pid, "SIGKILL"));
      assertEquals([killed.code, killed.left.length], [137, 1]);
      const [name] = killed.left;
      await Deno.utime(`${folder}/temporary/${name}`, 0, 0);
      const ctrlC = await endedBy(folder, (pid) => Deno.kill(-pid, "SIGINT"));
      assertEquals(ctrlC, { code: 130, left: [] });
      for (const signal of ["SIGTERM", "SIGHUP"] as const) {
        const ended = await endedBy(folder, (pid) => Deno.kill(pid, signal));
        assertEquals(ended, { code: 130, left: [] }, signal);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

function delay(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms));
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function sleeps(seconds: string): Promise<boolean> {
  const { stdout } = await run(cmd`ps -eo args`);
  return stdout.split("\n").some((line) => line.endsWith(`sleep ${seconds}`));
}
