/** Running a command on this machine. The only importer of zx. */
import type { ChildProcess, spawn as Spawn } from "node:child_process";
import type { Command, Outcome, StreamOptions } from "./command.ts";
import { refusal, setsid, watchOver } from "./process_group.ts";

/**
 * Runs a command on this machine, without a shell, in a process group of its
 * own: Ctrl-C at the terminal reaches this program, not the command, and a
 * time limit ends the command with all that it started.
 *
 * @returns what came of it; never throws because of how the command ended
 * @throws the error of the input's stream, which has ended the command
 */
export async function run(
  command: Command,
  options: StreamOptions = {},
): Promise<Outcome> {
  // Loaded by what runs something.
  const { spawn } = await import("node:child_process");
  const { $ } = await import("zx/core");
  if (options.signal?.aborted) {
    return { code: undefined, stdout: "", stderr: "", ended: "interrupted" };
  }
  const [program, ...args] = command.argv;
  const input = options.input ?? command.stdin;
  let child: ChildProcess | undefined;
  let refused: Outcome["ended"];
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
        if (error.code === "ENOENT") refused = "no such command";
        if (error.code === "EACCES") refused = "not executable";
      });
      return child;
    }) as typeof Spawn,
  })`${program}`;
  using watch = watchOver(options, () => child?.pid);
  let unread: Error | undefined;
  options.input?.on("error", (error: Error) => {
    unread = error;
    watch.end("killed");
  });
  const { exitCode, stdout, stderr } = await process;
  if (unread !== undefined) throw unread;
  const ended = refused ?? watch.ended() ??
    refusal(program, { exitCode, stderr }) ??
    (exitCode === null ? "killed" : undefined);
  return ended === undefined
    ? { code: exitCode ?? undefined, stdout, stderr }
    : { code: undefined, stdout, stderr, ended };
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
