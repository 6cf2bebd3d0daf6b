#!/usr/bin/env -S deno run -A
/** Checks a cluster file without running anything: `make check-config`. */
import { printData, printText } from "../lib/cli/print.ts";
import { type CommandLine, type FlagsOf, switched } from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import { runScript } from "../lib/cli/script.ts";
import { withExpectedPodCIDRs } from "../lib/stage/plan_stages.ts";
import { clusterFileSchema } from "../lib/cluster/json_schema.ts";
import { loadCluster } from "../lib/cluster/load.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { ClusterFileError } from "../lib/cluster/yaml.ts";
import { passwordIn } from "../lib/bgp/password_file.ts";
import { succeeded } from "../lib/exec/command.ts";
import { run } from "../lib/exec/run.ts";

const command = {
  name: "check-config",
  summary: "check a cluster file, and what was found out about its cluster",
  text: [
    "Asks no machine and changes nothing. All mistakes are told, each with its " +
    "line, its value and what was expected; and so is a bgp.passwordFile that " +
    "stage 08 could not use.",
  ],
  examples: [
    ["make check-config CLUSTER=config/ssh.yaml", "says what it describes"],
    ["make check-config ARGS=--schema", "the schema that editors take"],
  ],
  flags: {
    schema: switched(
      "schema",
      "print the JSON Schema of cluster files instead",
    ),
    ...standard("cluster", "output", "quiet"),
  },
  lacks: {
    flags: ["node", "dry-run", "undo", "step"],
    because: "this checks the file alone, and runs nothing",
  },
  exits: { done: "the file is right", usage: usualExits.usage },
} satisfies CommandLine;

async function check(flags: FlagsOf<typeof command.flags>): Promise<number> {
  if (flags.schema) {
    printData(clusterFileSchema());
    return exitCode.done;
  }
  const cluster = withExpectedPodCIDRs(await loadCluster(flags.cluster));
  await checkPassword(cluster);
  const { name, provider, nodes, file } = cluster;
  if (flags.output === "json") {
    printData({
      version: 1,
      file,
      cluster: name,
      provider,
      nodes: nodes.map(({ name, role, addresses, podCIDRs }) => (
        { name, role, addresses, podCIDRs }
      )),
    });
  } else if (!flags.quiet) {
    const width = Math.max(...nodes.map(({ name }) => name.length));
    printText(`${file}: right; it describes "${name}", provider ${provider}`);
    for (const { name, role, addresses, podCIDRs } of nodes) {
      printText(
        `  ${name.padEnd(width)}  ${role.padEnd(13)}  ${
          addresses.join(", ")
        }  pods: ${podCIDRs.join(", ")}`,
      );
    }
  }
  return exitCode.done;
}

/** @throws {ClusterFileError} where stage 08 would find no password */
async function checkPassword({ bgp, file }: Cluster): Promise<void> {
  if (bgp?.passwordFile === undefined) return;
  const outcome = await run(passwordIn(bgp.passwordFile));
  if (succeeded(outcome)) return;
  throw new ClusterFileError([
    `${file}: bgp.passwordFile: ${outcome.stderr.trim() || outcome.ended}`,
  ]);
}

await runScript(command, check);
