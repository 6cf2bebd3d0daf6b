/** How many nodes are worked on at one time. */
import type { Cluster } from "./cluster.ts";

/** Does work when its turn comes. */
export type Turns = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * Turns for the work on a cluster's nodes, in the order in which they are asked
 * for. A lab's nodes share this machine's processors, so that only some have
 * theirs at one time; machines of their own are not waited for.
 *
 * @param count how many, of a lab's nodes
 */
export function turnsOf(
  { provider }: Pick<Cluster, "provider">,
  count = 2 * navigator.hardwareConcurrency,
): Turns {
  if (provider !== "lab") return (work) => work();
  const waiting: (() => void)[] = [];
  let free = count;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
