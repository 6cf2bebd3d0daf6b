/**
 * The portable form of the plugin: Deno itself, one bundled file, and a
 * launcher of a few lines that starts the one with the other.
 */
import { quote } from "../exec/command.ts";
import { ignoreAbsent, writeWhole } from "../exec/atomic_file.ts";

/** Where the plugin lies on a node: the runtime's folder, and one for what the launcher starts. */
export const installed = {
  executable: "/opt/cni/bin/deno-cni",
  folder: "/opt/cni/lib/deno-cni",
};

/**
 * What the plugin may do. With FFI allowed the rest is no sandbox; it is there
 * against mistakes.
 */
export const permissions = [
  "--no-prompt",
  "--allow-env=CNI_*",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-ffi",
];

/** Puts what the bundle needs beside it in `dist/`, and a launcher to try it with. */
export async function assemblePortable(root: string): Promise<void> {
  const portable = `${root}/dist/deno-cni-portable`;
  await Deno.remove(`${portable}/deno`).catch(ignoreAbsent);
  await Deno.symlink(Deno.realPathSync(Deno.execPath()), `${portable}/deno`);
  await writeWhole(`${portable}/start.js`, startText);
  await writeWhole(`${portable}/launcher`, launcher(installed.folder), 0o755);
  await writeWhole(`${root}/dist/deno-cni`, launcher(portable), 0o755);
}

/** For V8: no threads of its own, and no time spent on sparing registers in what runs once. */
const v8Flags = "--single-threaded,--no-ignition-reo";

/**
 * For glibc, mallopt(3): take memory from the kernel in large pieces and keep
 * it, so that it comes in few page faults.
 */
const mallocTunables = [
  "hugetlb=1",
  "arena_max=1",
  "top_pad=2097152",
  "trim_threshold=16777216",
  "mmap_threshold=33554432",
].map((tunable) => `glibc.malloc.${tunable}`).join(":");

/**
 * The executable of the portable form, for the folder that holds the rest. A
 * DENO_DIR that cannot exist makes Deno keep its caches in memory: nothing to
 * write, and no locks for concurrent starts to wait for. plugin/README.md has
 * what was measured.
 */
export function launcher(folder: string): string {
  return `#!/bin/sh
# Starts the plugin with its own Deno, whatever PATH, HOME and the working directory are.
DENO_DIR=/dev/null/none DENO_NO_UPDATE_CHECK=1 HOME=/ \\
GLIBC_TUNABLES=${mallocTunables} \\
exec ${
    quote(`${folder}/deno`)
  } run --quiet --no-config --no-lock --no-npm --no-remote --no-code-cache \\
  --v8-flags=${v8Flags} ${permissions.map(quote).join(" ")} \\
  ${quote(`${folder}/start.js`)}
`;
}

/**
 * What the launcher has Deno run. Deno takes a module apart to find its imports
 * before V8 does it again to run it; in a text that is evaluated it finds none
 * to look for, which saves a quarter of an ADD.
 */
export const startText = `// Runs deno-cni.js, which lies beside this file.
(0, eval)(Deno.readTextFileSync(import.meta.dirname + "/deno-cni.js"));
`;
