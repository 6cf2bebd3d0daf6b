/** One agent a machine: a second one waits until the first has ended. */
import type { Node } from "../node/node.ts";
import { agentLockPath } from "../stage/agent_lock.ts";
import { pause } from "../apiserver/back_off.ts";
import { whereWritable } from "./own_file.ts";

/** How often one that waits asks again. */
const again_ms = 500;

/**
 * Takes the machine's lock, or waits for it.
 *
 * @param version of the agent, for programs that ask which one has it
 * @returns what gives it back
 */
export async function lockMachine(
  node: Node,
  version: string,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<() => void> {
  const root = node.root?.();
  if (root === undefined) return () => {};
  const path = `${root}${agentLockPath}`;
  const file = await whereWritable(log, "its lock", async () => {
    await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
    return await Deno.open(path, { create: true, read: true, write: true });
  });
  if (file === undefined) return () => {};
  let told = false;
  while (!await file.tryLock(true)) {
    if (!told) {
      const text = await Deno.readTextFile(path);
      log(
        `another agent is at work here (${text.trim()}): waits until it ends`,
      );
    }
    told = true;
    await pause(again_ms, signal);
    if (signal.aborted) break;
  }
  if (!signal.aborted) {
    const text = `version ${version}, process ${Deno.pid}\n`;
    await whereWritable(log, "its lock", async () => {
      await file.truncate();
      await file.write(new TextEncoder().encode(text));
    });
  }
  return () => file.close();
}
