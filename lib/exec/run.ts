/** Running a command on this machine. */
import type { Command, Outcome, RunOptions } from "./command.ts";

/** What gives a command its own process group; Deno.Command cannot. */
const setsid = ["/usr/bin/setsid", "/bin/setsid"].filter((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false; // Then it is in this program's.
  }
}).slice(0, 1);

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
  if (signal?.aborted) return notStarted("interrupted");
  const input = options.input ?? command.stdin;
  const child = spawn(command.argv, options, input !== undefined);
  if (typeof child === "string") return notStarted(child);
  let ended: Outcome["ended"];
  const end = (reason: Outcome["ended"]) => () => {
    ended ??= reason;
    killGroup(child.pid);
  };
  const interrupt = end("interrupted");
  const timer = setTimeout(end("timed out"), timeout_ms);
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    const [output] = await Promise.all([
      child.output(),
      ...(input === undefined ? [] : [
        feed(child.stdin, input).catch((error) => {
          end("killed")(); // Half of its input must not be all of it.
          throw error;
        }),
      ]),
    ]);
    const [stdout, stderr] = [text(output.stdout), text(output.stderr)];
    const code = output.signal === null ? output.code : undefined;
    ended ??= refusal(command.argv[0], code, stderr);
    if (ended !== undefined) return { code: undefined, stdout, stderr, ended };
    return code === undefined
      ? { code, stdout, stderr, ended: "killed" }
      : { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

function notStarted(ended: Exclude<Outcome["ended"], undefined>): Outcome {
  return { code: undefined, stdout: "", stderr: "", ended };
}

/** Starts a command; or why that is not possible. */
function spawn(
  argv: Command["argv"],
  { env, cwd }: RunOptions,
  isFed: boolean,
): Deno.ChildProcess | "no such command" | "not executable" {
  const [program = argv[0], ...args] = [...setsid, ...argv];
  try {
    return new Deno.Command(program, {
      args,
      stdin: isFed ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
      ...(env === undefined ? {} : { env: { ...env }, clearEnv: true }),
      ...(cwd === undefined ? {} : { cwd }),
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no such command";
    if (error instanceof Deno.errors.PermissionDenied) return "not executable";
    throw error;
  }
}

/** Writes all of it, as far as the command reads. */
async function feed(
  stdin: WritableStream<Uint8Array<ArrayBuffer>>,
  input: string | AsyncIterable<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const writer = stdin.getWriter();
  try {
    if (typeof input === "string") {
      await writer.write(new TextEncoder().encode(input));
    } else {
      for await (const chunk of input) await writer.write(chunk);
    }
    await writer.close();
  } catch (error) {
    // A command may end without reading.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function killGroup(pid: number): void {
  // It may not have its group yet.
  for (const target of [-pid, pid]) {
    try {
      return Deno.kill(target, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** What setsid(1) says instead of the command. */
function refusal(
  program: string,
  code: number | undefined,
  stderr: string,
): Outcome["ended"] {
  const said = stderr.trimEnd();
  const itsOwn = said.startsWith("setsid: ") && said.includes(program) &&
    !said.includes("\n");
  if (setsid.length === 0 || !itsOwn) return undefined;
  if (code === 127) return "no such command";
  return code === 126 ? "not executable" : undefined;
}
