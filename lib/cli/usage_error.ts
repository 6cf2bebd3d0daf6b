import type { Cluster } from "../cluster/cluster.ts";
import { nearest } from "../text/nearest.ts";

/** Flags that cannot be understood; exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * What is said of a node's name that the cluster does not have.
 *
 * @param names those that it has
 */
export function noSuchNode(
  name: string,
  names: readonly string[],
  { file }: Pick<Cluster, "file">,
): UsageError {
  const close = nearest(name, names);
  return new UsageError(
    `--node ${name}: no such node in ${file}; ` +
      (close === undefined ? "" : `did you mean ${close}? `) +
      `it has ${names.join(", ")}`,
  );
}
