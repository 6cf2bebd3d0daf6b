/** Ctrl-C, and questions at the terminal that it ends. */
import { printNote } from "./print.ts";

/** What a run has of Ctrl-C. */
export interface Interruption extends Disposable {
  /** Ends the command under way. */
  readonly signal: AbortSignal;
  /** Whether no further step shall begin. */
  readonly stopping: () => boolean;
  readonly stop: () => void;
  /**
   * Asks the user; undefined where the input ends or the user interrupts,
   * which ends the waiting at once.
   */
  readonly answer: (question: string) => Promise<string | undefined>;
}

/**
 * Listens for Ctrl-C until it is disposed of: the first one ends the run after
 * the command under way, or a question at once; a second one ends that command.
 */
export function listenForInterruption(): Interruption {
  const abort = new AbortController();
  let stopping = false;
  let wake: (() => void) | undefined;
  const interrupt = () => {
    if (wake !== undefined) {
      printNote("");
      wake();
    } else if (stopping) abort.abort();
    else {
      printNote(
        "\nending after the command under way; Ctrl-C again ends that too",
      );
    }
    stopping = true;
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, interrupt);
  return {
    signal: abort.signal,
    stopping: () => stopping,
    stop: () => void (stopping = true),
    async answer(question) {
      if (stopping) return undefined;
      const woken = new Promise<undefined>((resolve) => {
        wake = () => resolve(undefined);
      });
      try {
        return await Promise.race([readLine(question), woken]);
      } finally {
        wake = undefined;
      }
    },
    [Symbol.dispose]() {
      for (const signal of signals) {
        Deno.removeSignalListener(signal, interrupt);
      }
    },
  };
}

/** The line that the user types; undefined at the input's end (Ctrl-D). */
async function readLine(question: string): Promise<string | undefined> {
  await Deno.stderr.write(new TextEncoder().encode(question));
  const buffer = new Uint8Array(256);
  const length = await Deno.stdin.read(buffer);
  if (length === null) return undefined;
  return new TextDecoder().decode(buffer.subarray(0, length)).trim();
}
