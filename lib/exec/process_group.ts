/** A command in a process group of its own, so that it ends with all that it started. */
import type { Outcome, RunOptions } from "./command.ts";

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

/** What ends a command before its own end. */
interface Watch extends Disposable {
  /** Why the command was ended: the first reason; undefined where it was not. */
  readonly ended: () => Outcome["ended"];
  readonly end: (why: Outcome["ended"]) => void;
}

/**
 * Ends a command with its group when its time is over or its signal fires, as long as
 * this is not disposed of.
 *
 * @param pid the group's first process; undefined where none has begun
 */
export function watchOver(
  { timeout_ms = 30_000, signal }: RunOptions,
  pid: () => number | undefined,
): Watch {
  let ended: Outcome["ended"];
  const end = (why: Outcome["ended"]) => {
    ended ??= why;
    const first = pid();
    if (first !== undefined) killGroup(first);
  };
  const interrupt = () => end("interrupted");
  const timer = setTimeout(() => end("timed out"), timeout_ms);
  signal?.addEventListener("abort", interrupt, { once: true });
  return {
    ended: () => ended,
    end,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", interrupt);
    },
  };
}

/** Ends a group, or the process alone where that has no group yet. */
function killGroup(pid: number): void {
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
