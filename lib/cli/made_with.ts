/** Which cluster file a cluster was made with: kept in its state folder, and gone with it. */
import type { Cluster } from "../cluster/cluster.ts";
import { ignoreAbsent } from "../exec/atomic_file.ts";
import { isRunning } from "../lab/lab.ts";
import { makeLine } from "../cluster/make_line.ts";

type Kept = Pick<Cluster, "name" | "file" | "stateDir">;

const pathOf = ({ stateDir }: Pick<Cluster, "stateDir">) =>
  `${stateDir}/cluster-file`;

/** Keeps the file's path, by which a later run is told from one with another file. */
export async function rememberFile(cluster: Kept): Promise<void> {
  await Deno.writeTextFile(pathOf(cluster), `${absolute(cluster.file)}\n`);
}

/**
 * What there is to say where a cluster of this name was made with another file.
 *
 * @returns undefined where it was this one, or nothing is known
 */
export async function otherFile(cluster: Kept): Promise<string | undefined> {
  const before = await readPath(pathOf(cluster));
  if (before === undefined || before === absolute(cluster.file)) {
    return undefined;
  }
  return `note: "${cluster.name}" was made with ${
    shortened(before)
  }, and this ` +
    `run takes ${cluster.file}; two clusters need two names`;
}

/** Lines that show the labs which run beside this cluster, by the files that made them. */
export async function otherLabs(cluster: Kept): Promise<readonly string[]> {
  const root = cluster.stateDir.slice(0, cluster.stateDir.lastIndexOf("/"));
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(root)) names.push(name);
  } catch (error) {
    ignoreAbsent(error);
  }
  const found = await Promise.all(names.map(async (name) => {
    const stateDir = `${root}/${name}`;
    if (stateDir === cluster.stateDir || !isRunning({ name, stateDir })) {
      return [];
    }
    const file = await readPath(pathOf({ stateDir }));
    if (file === undefined) return [];
    const line = makeLine("status", { file: shortened(file) });
    return [`The lab "${name}" runs: ${line}`];
  }));
  return found.flat();
}

async function readPath(path: string): Promise<string | undefined> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch (error) {
    ignoreAbsent(error);
    return undefined;
  }
}

function absolute(file: string): string {
  return file.startsWith("/") ? file : `${Deno.cwd()}/${file}`;
}

/** As it is named from here. */
function shortened(file: string): string {
  const here = `${Deno.cwd()}/`;
  return file.startsWith(here) ? file.slice(here.length) : file;
}
