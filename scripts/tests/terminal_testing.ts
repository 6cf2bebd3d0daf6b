/** A script at a terminal, as a person sits before it: for tests. */
import { type Command, show } from "../../lib/exec/command.ts";

/** A script that runs at a terminal. */
export interface Terminal {
  /** Waits until it has said this since the last wait, and returns what it has said meanwhile. */
  until(text: string): Promise<string>;
  /** Types; "\n" is Enter, "\x03" Ctrl-C. */
  type(keys: string): Promise<void>;
  /** Waits for its end: its exit code, and what it said since the last wait. */
  end(): Promise<{ readonly code: number; readonly said: string }>;
}

/** Starts a command at a terminal of its own, by script(1). */
export function atTerminal(
  command: Command,
  env: Readonly<Record<string, string>>,
): Terminal {
  const child = new Deno.Command("script", {
    args: ["-q", "-e", "-c", show(command), "/dev/null"],
    env: { ...env, TERM: "dumb" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const writer = child.stdin.getWriter();
  let said = "";
  const more = async () => {
    const { value, done } = await reader.read();
    said += (value ?? "").replaceAll("\r", "");
    return !done;
  };
  const take = (length: number) => {
    const taken = said.slice(0, length);
    said = said.slice(length);
    return taken;
  };
  return {
    async until(text) {
      for (;;) {
        const at = said.indexOf(text);
        if (at >= 0) return take(at + text.length);
        if (!await more()) {
          throw new Error(`it ended without "${text}", having said:\n${said}`);
        }
      }
    },
    async type(keys) {
      await writer.write(new TextEncoder().encode(keys));
    },
    async end() {
      while (await more());
      const { code } = await child.status;
      await writer.close().catch(() => {}); // It may be closed with the child.
      return { code, said: take(said.length) };
    },
  };
}
