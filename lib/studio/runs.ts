/** What the page's buttons run: the scripts themselves, as the command line runs them. */
import { exitCode, usualExits } from "../cli/exit_code.ts";
import type { Command } from "../exec/command.ts";
import { beginScript, interrupt } from "./child.ts";
import type { PageEvent } from "./protocol.ts";

/** Runs commands, several at a time. */
export interface Runs {
  /** Begins a run, and gives its number. */
  readonly begin: (title: string, command: Command) => number;
  /** Ends a run as Ctrl-C does. */
  readonly stop: (run: number) => void;
  /** Ends all of them so, and waits for it. */
  readonly close: () => Promise<void>;
}

/** @param tell told of what each run prints, and how it ends */
export function openRuns(tell: (told: PageEvent) => void): Runs {
  const children = new Map<number, Deno.ChildProcess>();
  let count = 0;
  const follow = async (run: number, child: Deno.ChildProcess) => {
    const print = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
      const texts = stream.pipeThrough(new TextDecoderStream());
      for await (const text of texts) tell({ is: "output", run, text });
    };
    const [{ code }] = await Promise.all([
      child.status,
      print(child.stdout),
      print(child.stderr),
    ]);
    children.delete(run);
    tell({ is: "ended", run, code, word: exitWord(code) });
  };
  return {
    begin(title, command) {
      const run = ++count;
      tell({ is: "began", run, title });
      const child = beginScript(command);
      children.set(run, child);
      follow(run, child);
      return run;
    },
    stop(run) {
      const child = children.get(run);
      if (child !== undefined) interrupt(child);
    },
    async close() {
      const all = [...children.values()];
      all.forEach(interrupt);
      await Promise.all(all.map(({ status }) => status));
    },
  };
}

/** What an exit code means, in the words of every script's help. */
function exitWord(code: number): string {
  for (const [name, value] of Object.entries(exitCode)) {
    if (value === code) return usualExits[name as keyof typeof usualExits];
  }
  return "failed";
}
