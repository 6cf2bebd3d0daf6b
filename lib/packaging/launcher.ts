/**
 * What a container runtime executes: launcher.sh with the command that starts
 * the plugin's own process put in.
 */
import { quote } from "../exec/command.ts";
import { projectVersion } from "../exec/project_version.ts";
import { writeWhole } from "../exec/atomic_file.ts";

/** Where the plugin lies on a node: the runtime's folder, and one for what the launcher starts. */
export const installed = {
  executable: "/opt/cni/bin/deno-cni",
  folder: "/opt/cni/lib/deno-cni",
};

const text = Deno.readTextFileSync(new URL("./launcher.sh", import.meta.url));

/**
 * The launcher.
 * @param version tells the daemons of different builds apart
 * @param start shell commands that end with `exec`
 */
export function launcher(version: string, start: string): string {
  return text.replace("@RELEASE@", projectVersion()).replace(
    "@VERSION@",
    version,
  )
    .replace("@START@\n", () => start);
}

/** Shell commands that start the compiled form, for the folder that holds it. */
export function startCompiled(folder: string): string {
  return `[ $# -eq 0 ] || set -- "$version" "$@"
exec ${quote(`${folder}/deno-cni`)} "$@"
`;
}

/**
 * Writes the launcher to be installed, beside what it starts, and one to try that with.
 * @param folder what it starts, in `dist/`
 * @param startIn gives the commands for the folder that it lies in
 */
export async function writeLaunchers(
  root: string,
  folder: string,
  version: string,
  startIn: (folder: string) => string,
): Promise<void> {
  const write = (path: string, lib: string) =>
    writeWhole(path, launcher(version, startIn(lib)), 0o755);
  await write(`${folder}/launcher`, installed.folder);
  await write(`${root}/dist/deno-cni`, folder);
}
