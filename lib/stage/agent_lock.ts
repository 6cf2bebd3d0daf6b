/**
 * A machine's lock: an agent that keeps stages 03 to 08 there holds it as long as it
 * lives. Two that write one journal would write each other's over.
 */
import { cmd, type RunOptions } from "../exec/command.ts";
import type { Node } from "../node/node.ts";

/** Gone with a reboot; the kernel gives the lock back when its holder ends, however it ends. */
export const agentLockPath = "/run/deno-cni/agent.lock";

/** Exits 45 where it is held. A machine without flock(1) has none that tells. */
const ask = `[ -e "$1" ] && command -v flock >/dev/null || exit 0
flock -n "$1" true || { cat "$1"; exit 45; }`;

/**
 * The agent that is at work on a machine.
 *
 * @returns what it wrote into its lock, e.g. "version 0.1.0, process 7"; undefined
 * where there is none
 * @throws {UnreachableError}
 */
export async function agentAtWork(
  node: Node,
  options: RunOptions,
): Promise<string | undefined> {
  const root = node.root?.();
  if (root === undefined) {
    const held = cmd`sh -c ${ask} ask ${agentLockPath}`;
    const { code, stdout } = await node.run(held, options);
    return code === 45 ? stdout.trim() : undefined;
  }
  const file = await openLock(`${root}${agentLockPath}`);
  if (file === undefined) return undefined;
  try {
    if (await file.tryLock(false)) return undefined;
    const text = await new Response(file.readable).text();
    return text.trim();
  } finally {
    closeOnce(file);
  }
}

async function openLock(path: string): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}

/** Reading a file to its end closes it. */
function closeOnce(file: Deno.FsFile): void {
  try {
    file.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
