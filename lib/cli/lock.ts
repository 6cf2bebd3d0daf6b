/** A cluster's lock: two runs at once would write each other's journals over. */
import type { Cluster } from "../cluster/cluster.ts";
import { StepError } from "../stage/errors.ts";
import { UsageError } from "./usage_error.ts";

/**
 * Takes the cluster's lock. The kernel gives it back when this process ends,
 * however it ends.
 *
 * @returns what gives it back earlier
 * @throws {StepError} when another run has it
 * @throws {UsageError} when the cluster's folder belongs to another user
 */
export async function lock(
  { name, stateDir }: Pick<Cluster, "name" | "stateDir">,
): Promise<() => void> {
  const file = await openLock(stateDir);
  if (await file.tryLock(true)) return () => file.close();
  file.close();
  throw new StepError(
    `another run is at work on the cluster "${name}" (it holds ` +
      `${stateDir}/lock); wait for it, or end it`,
  );
}

async function openLock(stateDir: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(stateDir, { recursive: true });
    const access = { create: true, read: true, write: true };
    return await Deno.open(`${stateDir}/lock`, access);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new UsageError(
      `${stateDir}: permission denied; an earlier run belongs to another ` +
        "user (root?): go on as that user, or name another folder by DENO_CNI_STATE",
    );
  }
}
