#!/usr/bin/env -S deno run -A
/** Removes a lab with all that runs in it, also what is left of a broken one: `make down`. */
import { printData, printNote, printText } from "../lib/cli/print.ts";
import { type CommandLine, type FlagsOf, switched } from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { type Cluster } from "../lib/cluster/cluster.ts";
import { cmd, show } from "../lib/exec/command.ts";
import { labId } from "../lib/lab/names.ts";
import { removeLab } from "../lib/lab/lab.ts";
import { membersOf, takeSnapshot } from "../lib/lab/processes.ts";
import { LabError } from "../lib/lab/lab.ts";
import { runScript } from "../lib/cli/script.ts";
import { openSession } from "../lib/cli/session.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { makeLine } from "../lib/cluster/make_line.ts";
import { loadCluster } from "../lib/cluster/load.ts";

const command = {
  name: "down",
  summary: "remove the lab with all that runs in it",
  text: ["Works on the ruins of a lab too. Nothing to remove is no error."],
  flags: {
    ...standard("cluster", "output", "quiet"),
    dryRun: switched("dry-run", "print the commands instead of executing them"),
  },
  lacks: {
    flags: ["node", "undo"],
    because: "this takes the whole lab down; one node: make 01-provision " +
      'ARGS="--undo --node NAME"',
  },
  exits: {
    done: usualExits.done,
    failed: "something could not be removed",
    usage: usualExits.usage,
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

async function down(flags: Flags): Promise<number> {
  const cluster = await loadCluster(flags.cluster, { ignoreFound: true });
  if (cluster.provider !== "lab") {
    throw new UsageError(
      `${cluster.file} is no lab (provider: ${cluster.provider}): take its ` +
        `stages back with ${makeLine("up", cluster, { ARGS: ["--undo"] })}`,
    );
  }
  if (flags.dryRun) return dryRun(cluster);
  try {
    // Under the cluster's lock: a run under way would make anew what this ends.
    await using _session = await openSession(flags, () => {});
    report(flags, cluster, await removeLab(cluster));
    return exitCode.done;
  } catch (error) {
    if (error instanceof LabError) printNote(error.message);
    else if (error instanceof Deno.errors.PermissionDenied) {
      printNote(
        `${cluster.stateDir} belongs to another user, and so may the lab: ` +
          "take it down as that user, or with sudo",
      );
    } else throw error;
    return exitCode.failed;
  }
}

function dryRun(cluster: Cluster): number {
  const pids = membersOf(takeSnapshot(), labId(cluster)).map(({ pid }) => pid);
  if (pids.length > 0) printText(show(cmd`kill -KILL ${pids}`));
  printText(show(cmd`rm -rf ${cluster.stateDir}`));
  return exitCode.done;
}

function report(flags: Flags, { name }: Cluster, ended: number): void {
  if (flags.output === "json") {
    printData({ version: 1, cluster: name, ended });
  } else if (!flags.quiet) {
    const what = ended === 0
      ? "nothing of it was running"
      : `${ended} ${ended === 1 ? "process" : "processes"} ended`;
    printText(`The lab "${name}" is gone: ${what}`);
  }
}

await runScript(command, down);
