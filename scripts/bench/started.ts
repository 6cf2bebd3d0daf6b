/** Processes of a bench that go on and say what they do, a line at a time. */
import type { Command } from "../../lib/exec/command.ts";
import { BenchError } from "./lab.ts";

/** Of all that is waited for: at 5,000 nodes a first run makes as many routes. */
export const patience_ms = 600_000;

/** A process that says lines. */
export interface Started {
  readonly pid: number;
  /** The next line that is like this. */
  line(like: RegExp): Promise<string>;
  write(text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it; what it says on stderr is among its lines. */
export function started({ argv: [program, ...args] }: Command): Started {
  const merged = ["-c", 'exec "$@" 2>&1', "merged", program, ...args];
  const child = new Deno.Command("sh", {
    args: merged,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream())[
    Symbol.asyncIterator
  ]();
  const waiting: string[] = [];
  const said: string[] = [];
  let rest = "";
  const input = child.stdin.getWriter();
  return {
    pid: child.pid,
    async line(like) {
      const late = setTimeout(() => child.kill("SIGKILL"), patience_ms);
      try {
        for (;;) {
          const line = waiting.shift();
          if (line !== undefined) {
            said.push(line);
            if (like.test(line)) return line;
            continue;
          }
          const { done, value = "" } = await lines.next();
          if (done) {
            const last = said.slice(-5).join("\n");
            throw new BenchError(
              `no line like ${like}; the last ones:\n${last}`,
            );
          }
          const parts = (rest + value).split("\n");
          rest = parts.pop() ?? "";
          waiting.push(...parts);
        }
      } finally {
        clearTimeout(late);
      }
    },
    write: (text) => input.write(new TextEncoder().encode(text)),
    async stop() {
      child.kill("SIGTERM");
      await input.close().catch(() => {});
      await lines.return?.();
      await child.status;
    },
  };
}
