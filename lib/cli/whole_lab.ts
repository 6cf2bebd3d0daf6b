/** Commands that break things to show them are for labs that have something to show. */
import type { Cluster } from "../cluster/cluster.ts";
import { workersOf } from "../verify/matrix.ts";
import { UsageError } from "./usage_error.ts";

/**
 * Refuses what is no lab, or has too few workers for pods to call each other.
 *
 * @param who the subject of "… breaks things"
 * @throws {UsageError}
 */
export function requireLab(cluster: Cluster, who: string): void {
  const { file, provider } = cluster;
  if (provider !== "lab") {
    throw new UsageError(
      `${file} is no lab (provider: ${provider}), and ${who} breaks things ` +
        "to show them: take config/lab.yaml, or another lab",
    );
  }
  const workers = workersOf(cluster).length;
  if (workers >= 2) return;
  throw new UsageError(
    `${file} has ${workers} ${workers === 1 ? "worker" : "workers"}: ${who} ` +
      "wants two or more, for pods of one to call pods of the other",
  );
}
