/** A command at a pseudoterminal. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { openTerminal } from "./pseudoterminal.ts";

const size = { columns: 77, rows: 22 };
const env = { TERM: "dumb" };

/** What is said, until a text is in it. */
function hearing(output: ReadableStream<Uint8Array>) {
  const reader = output.getReader();
  const decoder = new TextDecoder();
  let said = "";
  return async (text: string): Promise<void> => {
    while (!said.includes(text)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`it ended without ${text}: ${said}`);
      said += decoder.decode(value, { stream: true });
    }
    said = said.slice(said.indexOf(text) + text.length);
  };
}

Deno.test("a command has a terminal of its own, of the size that is asked for, and is told of another", async () => {
  const script = "stty size; read -r line; stty size; echo got $line; exit 3";
  const terminal = openTerminal(cmd`sh -c ${script}`, env, size);
  const until = hearing(terminal.output);
  await until("22 77");
  terminal.resize({ columns: 50, rows: 10 });
  await terminal.write(new TextEncoder().encode("hello\n"));
  await until("10 50");
  await until("got hello");
  assertEquals(await terminal.ended, 3);
  terminal.close();
});

Deno.test("what is typed fast comes in its order", async () => {
  const terminal = openTerminal(cmd`head -n 1`, env, size);
  const text = Array.from({ length: 300 }, (_, at) => `${at % 10}`).join("");
  for (const key of `${text}\n`) {
    terminal.write(new TextEncoder().encode(key));
  }
  const said = await new Response(terminal.output).text();
  // Once by the terminal, which echoes it, and once by the command.
  assertEquals(said, `${text}\r\n${text}\r\n`);
});

Deno.test("a terminal that is closed ends what runs there, also what heeds no hangup", async () => {
  const script = "echo begun; while :; do sleep 0.05; done";
  for (const [trap, code] of [["", 129], ['trap "" HUP;', 137]] as const) {
    const terminal = openTerminal(cmd`sh -c ${trap + script}`, env, size);
    await hearing(terminal.output)("begun");
    terminal.close();
    assertEquals(await terminal.ended, code);
  }
});

Deno.test("a program that is not there is named at the terminal", async () => {
  const terminal = openTerminal(cmd`nosuchprogram`, env, size);
  const said = await new Response(terminal.output).text();
  assertStringIncludes(said, "nosuchprogram");
  assertEquals(await terminal.ended, 127);
});
