/**
 * The plugin's modules as texts for V8: one for each command of CNI, and one for the daemon.
 */

import { BundleError, marking, unmarking } from "./parting.ts";
import { cmd, type Command, ending, succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";

/**
 * The functions that a usual call of each command calls, by command. What stands here changes
 * how quick a call is, and nothing else; plugin/main_called_lab_test.ts writes it anew.
 */
export const calledText = Deno.readTextFileSync(
  new URL("./called.json", import.meta.url),
);

const called: Readonly<Record<string, string[]>> = JSON.parse(calledText);

/** The commands of CNI, each with a bundle of its own. */
export const commands: readonly string[] = Object.keys(called);

/** The file of a command's bundle. */
export function bundleOf(command: string): string {
  return `deno-cni-${command}.js`;
}

/**
 * Bundles a module and all that it imports.
 *
 * @param entry the module's path
 * @param output where the bundle comes to lie, whole or not at all; its folder is there
 * @throws {BundleError}
 */
export async function bundle(entry: string, output: string): Promise<void> {
  await inFolderOf(output, async (folder) => {
    const file = `${folder}/bundle.js`;
    await must(cmd`${deno} --minify --output ${file} ${entry}`);
    await Deno.rename(file, output);
  });
}

/**
 * Bundles the plugin's calls once for each command, all that any of them does in each.
 *
 * @param entry the module's path
 * @param output the folder in which the bundles come to lie
 * @throws {BundleError}
 */
export async function bundleCalls(
  entry: string,
  output: string,
): Promise<void> {
  await inFolderOf(`${output}/x`, async (folder) => {
    const whole = `${folder}/bundle.js`;
    await must(cmd`${deno} --output ${whole} ${entry}`);
    const text = await Deno.readTextFile(whole);
    for (const [command, names] of Object.entries(called)) {
      const marked = `${folder}/${command}.marked.js`;
      const small = `${folder}/${command}.js`;
      await Deno.writeTextFile(marked, marking(text, new Set(names)));
      await must(cmd`${deno} --minify --output ${small} ${marked}`);
      const minified = await Deno.readTextFile(small);
      await Deno.writeTextFile(small, unmarking(minified));
      await Deno.rename(small, `${output}/${bundleOf(command)}`);
    }
  });
}

/**
 * Bundles a module and all that it imports as one module that can be read, a line
 * `// <path from the root>` before each of those that it was made of.
 *
 * @param root the project's folder
 * @param entry the module's path from the root
 * @param output where the bundle comes to lie; its folder is there
 * @throws {BundleError}
 */
export async function bundleModule(
  root: string,
  entry: string,
  output: string,
): Promise<void> {
  await must(
    cmd`${bundler} --format esm --output ${output} ${entry}`,
    entry,
    root,
  );
}

const bundler = [Deno.execPath(), "bundle", "--quiet", "--platform", "deno"];
const deno = [...bundler, "--format", "iife"];

/** Beside the output, so that the last step is a rename on one file system. */
async function inFolderOf(
  output: string,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({
    dir: output.replace(/\/[^/]*$/, ""),
  });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function must(
  command: Command,
  what = "the plugin",
  cwd?: string,
): Promise<void> {
  const options = { timeout_ms: 60_000, ...(cwd === undefined ? {} : { cwd }) };
  const outcome = await run(command, options);
  if (succeeded(outcome)) return;
  throw new BundleError(
    `Cannot bundle ${what}: ${ending(outcome)}: ${outcome.stderr.trim()}`,
  );
}
