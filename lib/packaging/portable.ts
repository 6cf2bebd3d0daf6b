/**
 * The portable form of the plugin: Deno itself, the bundled files, and how a
 * launcher starts the one with the others.
 */
import { commands } from "./bundle.ts";
import { quote } from "../exec/command.ts";
import { ignoreAbsent, writeWhole } from "../exec/atomic_file.ts";

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

/** Puts what the bundles need beside them in `dist/`. */
export async function assemblePortable(root: string): Promise<void> {
  const portable = `${root}/dist/deno-cni-portable`;
  await Deno.remove(`${portable}/deno`).catch(ignoreAbsent);
  await Deno.symlink(Deno.realPathSync(Deno.execPath()), `${portable}/deno`);
  await writeWhole(`${portable}/start.js`, startText);
}

/**
 * For V8: no threads of its own, all of the text compiled as it is read (parting.ts leaves in it
 * what is called), and no time spent on what pays in the long run alone.
 */
const v8Flags = "--single-threaded,--no-lazy-eval," +
  "--no-ignition-reo,--no-sparkplug";

/** For the daemon's V8: a small heap, which it tidies up itself between calls (daemon.ts). */
const daemonV8Flags = "--single-threaded,--optimize-for-size," +
  "--max-semi-space-size=1,--max-old-space-size=64,--expose-gc";

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

/** For the daemon: give back what is free. */
const daemonTunables =
  "glibc.malloc.arena_max=1:glibc.malloc.trim_threshold=65536";

/**
 * Shell commands that start the portable form, for the folder that holds it. A DENO_DIR that cannot
 * exist makes Deno keep its caches in memory: nothing to write, and no locks for
 * concurrent starts to wait for. plugin/README.md has what was measured.
 */
export function startPortable(folder: string): string {
  return `# Its own Deno, whatever PATH, HOME and the working directory are.
tunables=${mallocTunables} v8=${v8Flags}
[ "\${1-}" != daemon ] || tunables=${daemonTunables} v8=${daemonV8Flags}
text=VERSION # Each does all that the others do, and its own command the quickest.
case \${CNI_COMMAND-} in ${commands.join(" | ")}) text=$CNI_COMMAND ;; esac
if [ $# -eq 0 ]; then set -- "$text"; else set -- "$version" "$@"; fi
DENO_DIR=/dev/null/none DENO_NO_UPDATE_CHECK=1 HOME=/ GLIBC_TUNABLES=$tunables \\
exec ${
    quote(`${folder}/deno`)
  } run --quiet --no-config --no-lock --no-npm --no-remote --no-code-cache \\
  --v8-flags=$v8 ${permissions.map(quote).join(" ")} \\
  ${quote(`${folder}/start.js`)} "$@"
`;
}

/**
 * What the launcher has Deno run. Deno takes a module apart to find its imports
 * before V8 does it again to run it; in a text that is evaluated it finds none
 * to look for, which saves a quarter of an ADD.
 */
export const startText = Deno.readTextFileSync(
  new URL("./start.js", import.meta.url),
);
