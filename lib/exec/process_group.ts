/** A command in a process group of its own, so that it ends with all that it started. */
import type { Outcome } from "./command.ts";

/**
 * What gives a command its own process group. Deno does so for node:child_process
 * by copying itself (fork(2)), which takes three times as long as all the rest.
 */
export const setsid: readonly string[] = ["/usr/bin/setsid", "/bin/setsid"]
  .filter((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false; // Then Deno has to.
    }
  }).slice(0, 1);

/** Ends a group, or the process alone where that has no group yet. */
export function killGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      return Deno.kill(target, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** What setsid(1) says instead of the command. */
export function refusal(
  program: string,
  { exitCode, stderr }: { exitCode: number | null; stderr: string },
): Outcome["ended"] {
  const said = stderr.trimEnd();
  const itsOwn = said.startsWith("setsid: ") && said.includes(program) &&
    !said.includes("\n");
  if (setsid.length === 0 || !itsOwn) return undefined;
  if (exitCode === 127) return "no such command";
  return exitCode === 126 ? "not executable" : undefined;
}
