/** Files that the agent keeps on its machine. */
import { ignoreAbsent } from "../exec/atomic_file.ts";
import type { Node } from "../node/node.ts";

/**
 * Writes a file of the agent's, whole or not at all. A node that is not to be seen
 * from here has none.
 *
 * @param mode as chmod(2) takes it
 */
export async function keepFile(
  node: Node,
  path: string,
  content: string,
  mode: number,
): Promise<void> {
  const root = node.root?.();
  if (root === undefined) return;
  const whole = `${root}${path}`;
  await Deno.mkdir(whole.replace(/\/[^/]*$/, ""), { recursive: true });
  const made = `${whole}.new`;
  await Deno.remove(made).catch(ignoreAbsent);
  await Deno.writeTextFile(made, content, { createNew: true, mode });
  await Deno.rename(made, whole);
}

/** Its text; undefined where there is none. */
export async function keptFile(
  node: Node,
  path: string,
): Promise<string | undefined> {
  const root = node.root?.();
  if (root === undefined) return undefined;
  try {
    return await Deno.readTextFile(`${root}${path}`);
  } catch (error) {
    ignoreAbsent(error);
    return undefined;
  }
}

/** A disk that is full or read-only is no reason to end: the network is the kernel's. */
export async function whereWritable<Result>(
  log: (line: string) => void,
  what: string,
  keep: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await keep();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    log(`cannot keep ${what} on disk: ${error.message}`);
    return undefined;
  }
}
