/**
 * Running a command on this machine without zx, for a process that stays: zx and what
 * it needs of Node hold 16 MB.
 */
import type { Command, Outcome, RunOptions } from "./command.ts";
import { killGroup, refusal, setsid } from "./process_group.ts";

/**
 * Runs a command as run() does: without a shell, in a process group of its own where there
 * is setsid(1), ended with all that it started when its time is over.
 *
 * @returns what came of it; never throws because of how the command ended
 */
export async function runLean(
  command: Command,
  options: RunOptions = {},
): Promise<Outcome> {
  const { timeout_ms = 30_000, signal, env, cwd } = options;
  const nothing = { code: undefined, stdout: "", stderr: "" };
  if (signal?.aborted) return { ...nothing, ended: "interrupted" };
  const [program] = command.argv;
  const [first = program, ...args] = [...setsid, ...command.argv];
  let child: Deno.ChildProcess;
  const input = options.input ?? command.stdin;
  try {
    child = new Deno.Command(first, {
      args,
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      ...(env === undefined ? {} : { env: { ...env }, clearEnv: true }),
      ...(cwd === undefined ? {} : { cwd }),
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { ...nothing, ended: "no such command" };
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      return { ...nothing, ended: "not executable" };
    }
    throw error;
  }
  let ended: Outcome["ended"];
  const end = (reason: Outcome["ended"]) => () => {
    ended ??= reason;
    killGroup(child.pid);
  };
  const interrupt = end("interrupted");
  const timer = setTimeout(end("timed out"), timeout_ms);
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    if (input !== undefined) void write(child, input);
    const [{ code, signal: by }, stdout, stderr] = await Promise.all([
      child.status,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    ended ??= refusal(program, { exitCode: code, stderr });
    ended ??= by === null ? undefined : "killed";
    return ended === undefined
      ? { code, stdout, stderr }
      : { code: undefined, stdout, stderr, ended };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

/** A command may end without reading. */
async function write(
  child: Deno.ChildProcess,
  input: NonNullable<RunOptions["input"]> | string,
): Promise<void> {
  const writer = child.stdin.getWriter();
  const encoder = new TextEncoder();
  const parts = typeof input === "string" ? [input] : input;
  try {
    for await (const part of parts) {
      await writer.write(
        typeof part === "string" ? encoder.encode(part) : part,
      );
    }
    await writer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) {
      await writer.abort().catch(() => {});
    }
  }
}
