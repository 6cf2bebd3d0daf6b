/**
 * Running a command on this machine without zx, for a process that stays: zx and what
 * it needs of Node hold 16 MB.
 */
import type { Command, Outcome, RunOptions } from "./command.ts";
import { refusal, setsid, watchOver } from "./process_group.ts";

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
  const { env, cwd } = options;
  const nothing = { code: undefined, stdout: "", stderr: "" };
  if (options.signal?.aborted) return { ...nothing, ended: "interrupted" };
  const { argv, stdin } = command;
  const [program] = argv;
  const [first = program, ...args] = [...setsid, ...argv];
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(first, {
      args,
      stdin: stdin === undefined ? "null" : "piped",
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
  using watch = watchOver(options, () => child.pid);
  if (stdin !== undefined) void write(child, stdin);
  const [{ code, signal }, stdout, stderr] = await Promise.all([
    child.status,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const ended = watch.ended() ?? refusal(program, { exitCode: code, stderr }) ??
    (signal === null ? undefined : "killed");
  return ended === undefined
    ? { code, stdout, stderr }
    : { code: undefined, stdout, stderr, ended };
}

/** A command may end without reading: how it ended tells whether that was well. */
async function write(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text))
    .then(() => writer.close())
    .catch(() => {});
}
