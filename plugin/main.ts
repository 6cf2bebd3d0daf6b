/**
 * The plugin: environment and stdin in, a result or an error on stdout. A
 * container runtime executes it for each command; SPEC.md, "Execution protocol".
 *
 * Everything is synchronous: entering a pod's namespace demands it (netns.ts),
 * and starting the event loop costs time.
 */

import { answer } from "./call.ts";
import { readAll, writeAll } from "./linux/files.ts";
import { exitAtOnce, isTerminal } from "./linux/libc.ts";
import { decodeUtf8, encoder } from "./linux/utf8.ts";

/** All of stdin. */
function readInput(): string {
  // A person at a terminal has asked for VERSION, say; there is no end to wait for.
  if (isTerminal(0)) return "";
  return decodeUtf8(readAll(0, "stdin"));
}

const { stdout, stderr, exit } = answer(
  (name) => Deno.env.get(name),
  readInput,
);
for (const line of stderr) console.error(line);
if (stdout !== "") writeAll(1, "stdout", encoder.encode(`${stdout}\n`));
exitAtOnce(exit);
