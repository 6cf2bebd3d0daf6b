/**
 * Whether agents keep a cluster's nodes: said by a file in the cluster's folder,
 * so that a stage does not write what an agent writes at the same time.
 */
import { exists, ignoreAbsent, writeWhole } from "../exec/atomic_file.ts";
import type { Cluster } from "./cluster.ts";

type Folder = Pick<Cluster, "stateDir">;

function path({ stateDir }: Folder): string {
  return `${stateDir}/handed-over`;
}

/** Whether the cluster was handed over, and not taken back since. */
export async function isHandedOver(cluster: Folder): Promise<boolean> {
  return await exists(path(cluster));
}

/** Says that agents keep it from now on. */
export async function noteHandedOver(cluster: Folder): Promise<void> {
  await Deno.mkdir(cluster.stateDir, { recursive: true });
  await writeWhole(path(cluster), `${new Date().toISOString()}\n`);
}

/** Says that the stages keep it again. */
export async function noteTakenBack(cluster: Folder): Promise<void> {
  await Deno.remove(path(cluster)).catch(ignoreAbsent);
}
