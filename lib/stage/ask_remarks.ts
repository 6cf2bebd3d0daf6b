/** What a stage asks of machines for a person to know before it runs. */
import type { Cluster } from "../cluster/cluster.ts";
import type { RunOptions } from "../exec/command.ts";
import type { Reach } from "../node/node.ts";

/** Asks the machines, changing nothing; gives whole lines. */
export type AskRemarks = (
  cluster: Cluster,
  reach: Reach,
  names: readonly string[],
  options: RunOptions,
) => Promise<readonly string[]>;
