/** The process of a script that the page's buttons run. */
import type { Command } from "../exec/command.ts";

/** Begins a script; what it prints is read from its outputs. */
export function beginScript(
  { argv: [program, ...args] }: Command,
): Deno.ChildProcess {
  return new Deno.Command(program, {
    args,
    env: { NO_COLOR: "1" },
    stdin: "null",
    // Ctrl-C at the terminal of the studio is the studio's, which hands it on.
    detached: true,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Ends a process as Ctrl-C does; one that has ended stays so. */
export function interrupt(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGINT");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
