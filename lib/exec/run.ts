/** Running a command on this machine. The only importer of zx. */
import type { ChildProcess, spawn as Spawn } from "node:child_process";
import type { Command, Outcome, RunOptions } from "./command.ts";
import { killGroup, refusal, setsid } from "./process_group.ts";

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
  // Loaded by what runs something.
  const { spawn } = await import("node:child_process");
  const { $ } = await import("zx/core");
  if (signal?.aborted) {
    return { code: undefined, stdout: "", stderr: "", ended: "interrupted" };
  }
  const [program, ...args] = command.argv;
  const input = options.input ?? command.stdin;
  let child: ChildProcess | undefined;
  let ended: Outcome["ended"];
  // zx hands its own command line to spawn; ours is argv already.
  const process = $({
    quiet: true,
    nothrow: true,
    // Of zx's own command line; unless told, it has none where there is no bash.
    quote: String,
    ...(input === undefined ? {} : { input }),
    spawn: ((_line: string, spawnOptions: Parameters<typeof Spawn>[2]) => {
      const [first = program, ...rest] = [...setsid, program, ...args];
      child = spawn(first, rest.map(bare), {
        ...spawnOptions,
        detached: setsid.length === 0,
        ...(options.env === undefined ? {} : { env: { ...options.env } }),
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        shell: false,
      });
      child.stdin?.on("error", () => {}); // A command may end without reading.
      if (!input) child.stdin?.end(); // zx leaves it open: who reads it would wait.
      child.on("error", (error: Error & { code?: string }) => {
        if (error.code === "ENOENT") ended = "no such command";
        if (error.code === "EACCES") ended = "not executable";
      });
      return child;
    }) as typeof Spawn,
  })`${program}`;
  const end = (reason: Outcome["ended"]) => () => {
    ended ??= reason;
    if (child?.pid !== undefined) killGroup(child.pid);
  };
  const interrupt = end("interrupted");
  const timer = setTimeout(end("timed out"), timeout_ms);
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    const output = await process;
    ended ??= refusal(program, output);
    const code = ended === undefined ? output.exitCode ?? undefined : undefined;
    const how = ended ?? (code === undefined ? "killed" as const : undefined);
    return {
      code,
      stdout: output.stdout,
      stderr: output.stderr,
      ...(how === undefined ? {} : { ended: how }),
    };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

/**
 * Deno's node:child_process takes an argument that is Deno's own path for a
 * request to run a script, and puts flags behind it; spelled otherwise it does
 * not.
 */
function bare(argument: string): string {
  return argument === Deno.execPath()
    ? argument.replace(/\/(?=[^/]*$)/, "/./")
    : argument;
}
