/** Running a command on this machine. */
import type { Command, Outcome, RunOptions } from "./command.ts";

/**
 * Runs a command on this machine, without a shell, in a process group of its
 * own: Ctrl-C at the terminal reaches this program, not the command, and a
 * time limit ends the command with all that it started.
 *
 * @returns what came of it; never throws because of how the command ended
 */
export async function run(
  command: Command,
  options: RunOptions = {},
): Promise<Outcome> {
  const { timeout_ms = 30_000, signal } = options;
  if (signal?.aborted) {
    return { code: undefined, stdout: "", stderr: "", ended: "interrupted" };
  }
  const input = options.input ?? command.stdin;
  let child: Deno.ChildProcess;
  try {
    child = start(command, options, input !== undefined && input !== "");
  } catch (error) {
    return notStarted(error);
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
    // Not waited for: a command may end without reading.
    if (input !== undefined && input !== "") feed(child, input);
    const { code, signal, stdout, stderr } = await child.output();
    if (signal !== null) ended ??= "killed";
    return {
      code: ended === undefined ? code : undefined,
      stdout: new TextDecoder().decode(stdout),
      stderr: new TextDecoder().decode(stderr),
      ...(ended === undefined ? {} : { ended }),
    };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

/** @throws what Deno says where there is no such program, or none that can be executed */
function start(
  { argv: [program, ...args] }: Command,
  { env, cwd }: RunOptions,
  reads: boolean,
): Deno.ChildProcess {
  return new Deno.Command(program, {
    args,
    ...(env === undefined ? {} : { env: { ...env }, clearEnv: true }),
    ...(cwd === undefined ? {} : { cwd }),
    stdin: reads ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
}

/** What came of a command that could not be started. */
function notStarted(error: unknown): Outcome {
  if (!(error instanceof Error)) throw error;
  const none = { code: undefined, stdout: "", stderr: "" };
  return error instanceof Deno.errors.NotFound
    ? { ...none, ended: "no such command" }
    : {
      ...none,
      stderr: error instanceof Deno.errors.PermissionDenied
        ? ""
        : error.message,
      ended: "not executable",
    };
}

/** Writes a command's standard input, as far as it is read. */
async function feed(
  child: Deno.ChildProcess,
  input: string | AsyncIterable<Uint8Array>,
): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    if (typeof input === "string") {
      await writer.write(new TextEncoder().encode(input));
    } else for await (const chunk of input) await writer.write(chunk);
    await writer.close();
  } catch {
    // It ended, or closed its input; what is missing of a stream ends it early.
    await writer.abort().catch(() => {});
  }
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
