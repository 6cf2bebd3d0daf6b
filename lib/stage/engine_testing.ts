/** What tests of the engine run on: this machine, with a journal in a folder of the test's own. */
import { localNode, type Node } from "../node/node.ts";
import type { RunContext } from "./context.ts";

/** A run that nobody watches, with what is to be otherwise. */
export function context(changes: Partial<RunContext> = {}): RunContext {
  return {
    timeout_ms: 5_000,
    signal: new AbortController().signal,
    stopping: () => false,
    tell: () => {},
    ...changes,
  };
}

/** Gives a folder, and a node whose journal is in it; both are gone afterwards. */
export async function inFolder(
  body: (folder: string, node: Node) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder, localNode("here", `${folder}/state/journal`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
