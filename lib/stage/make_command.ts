/** A line for the operator's shell that runs a target on a cluster. Pure. */
import type { Cluster } from "../cluster/cluster.ts";

/** The line, with the cluster's file where it is not the one that `make` takes by itself. */
export function makeLine(
  target: string,
  { file }: Pick<Cluster, "file">,
): string {
  const which = file === "config/lab.yaml" ? "" : ` CLUSTER=${file}`;
  return `make ${target}${which}`;
}
