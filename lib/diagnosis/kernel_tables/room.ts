/** Whether the kernels that a cluster is made on have room for it, before it is there. */
import type { Cluster } from "../../cluster/cluster.ts";
import type { RunOptions } from "../../exec/command.ts";
import { type Reach, type Runner, UnreachableError } from "../../node/node.ts";
import { reported } from "../cause.ts";
import { fullTables } from "./full_tables.ts";
import { askTables, readTables } from "./kernel_tables.ts";

/**
 * The tables that are full or too small for the cluster, a paragraph each: those of
 * this computer, which has a lab's, or of machines that exist. It asks only.
 */
export async function lackOfRoom(
  cluster: Cluster,
  { nodeOf, operator }: Pick<Reach, "nodeOf" | "operator">,
  names: readonly string[],
  options: RunOptions,
): Promise<readonly string[]> {
  if (cluster.provider === "lab") {
    // Its kernel is this computer's; a node knows what the lab has put into it.
    const [first] = cluster.nodes;
    const there = first && await lackOn(nodeOf(first.name), cluster, options);
    return there ?? await lackOn(operator, cluster, options) ?? [];
  }
  const exist = cluster.provider === "ssh" || cluster.provider === "local";
  const runners = exist ? names.map(nodeOf) : [];
  const lacks = await Promise.all(
    runners.map((runner) => lackOn(runner, cluster, options)),
  );
  return lacks.flatMap((lack) => lack ?? []);
}

/** @returns undefined where it cannot be asked, which the stage itself says */
async function lackOn(
  runner: Runner,
  cluster: Cluster,
  options: RunOptions,
): Promise<readonly string[] | undefined> {
  try {
    const tables = readTables(await runner.run(askTables, options)) ?? [];
    return fullTables(tables, cluster, runner.name)
      .filter(({ table }) => cluster.provider !== "lab" || table.oneForAll)
      .map(({ cause }) => {
        const { what, mend } = reported(cause, cluster);
        return [what, ...mend.map((line) => `  mend: ${line}`)].join("\n");
      });
  } catch (error) {
    if (error instanceof UnreachableError) return undefined;
    throw error;
  }
}
