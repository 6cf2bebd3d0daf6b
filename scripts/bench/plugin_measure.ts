/** A plan of plugin calls, measured on a test node. */
import { cmd, type Command } from "../../lib/exec/command.ts";
import { root, type TestNode } from "../../plugin/sandbox_testing.ts";
import type { BenchPlan, Results } from "./plugin_node.ts";

export async function measure(
  node: TestNode,
  plan: BenchPlan,
): Promise<Results> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, JSON.stringify(plan));
    const script = `${root}/scripts/bench/plugin_node.ts`;
    const command: Command =
      cmd`${Deno.execPath()} run --quiet --no-config --no-lock -A ${script} ${file}`;
    return JSON.parse(await node.must(command));
  } finally {
    await Deno.remove(file);
  }
}

export const ours = `${root}/dist/deno-cni`;
