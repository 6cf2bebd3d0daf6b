/** Puts the plugin into the folder where a container runtime looks for it, without a shell. */
import { installFile } from "./host.ts";
import type { Node } from "../node/node.ts";
import type { PluginFile } from "../stage/stage.ts";

/** Where the runtime's folder is on a machine, and beside it what the launcher starts. */
const runtimeFolder = "/opt/cni/bin/";

/** Where runtimes look for the reference plugin loopback. */
const loopbackPath = `${runtimeFolder}loopback`;

/**
 * Installs the plugin's files, each by a rename, the executable last.
 *
 * @param folder the runtime's folder, as it is seen from here, e.g. /host/opt/cni/bin
 * @returns the paths that were written
 */
export async function installPlugin(
  files: readonly PluginFile[],
  folder: string,
): Promise<string[]> {
  const root = folder.replace(/\/+$/, "");
  const written: string[] = [];
  for (const { copy, to, mode } of files) {
    const path = to.startsWith(runtimeFolder)
      ? `${root}/${to.slice(runtimeFolder.length)}`
      : `${root.replace(/\/[^/]*$/, "")}${to.slice("/opt/cni".length)}`;
    await installFile(copy, path, Number.parseInt(mode, 8));
    written.push(path);
  }
  return written;
}

/**
 * Installs the reference plugin `loopback`, which every runtime calls for a pod's lo;
 * one that is there already stays.
 *
 * @param from the file of the image
 * @returns its path; undefined where there is nothing to do
 */
export async function installLoopback(
  from: string,
  folder: string,
): Promise<string | undefined> {
  const path = `${folder.replace(/\/+$/, "")}/loopback`;
  const [isThere, isHere] = await Promise.all(
    [path, from].map((file) => Deno.stat(file).then(() => true, () => false)),
  );
  if (isThere || !isHere) return undefined;
  await installFile(from, path, 0o755);
  return path;
}

/** The machine, and where the agent has its own copy of loopback. */
interface LoopbackKept {
  readonly node: Node;
  readonly loopback?: string;
  readonly log: (line: string) => void;
}

/**
 * Installs loopback again where it is gone: without it no pod of the machine begins,
 * whatever its network. What fails is logged.
 */
export async function keepLoopback(
  { node, loopback, log }: LoopbackKept,
): Promise<void> {
  const root = node.root?.();
  if (loopback === undefined || root === undefined) return;
  try {
    const written = await installLoopback(loopback, `${root}${runtimeFolder}`);
    if (written !== undefined) log(`missing, done again: ${loopbackPath}`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    log(`FAILED: copy ${loopback} to ${loopbackPath}: ${error.message}`);
  }
}
