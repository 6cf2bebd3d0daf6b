#!/usr/bin/env -S deno run -A
/** A shell, or one command, on a node or in a pod: `make shell NODE=worker-1 POD=shell`. */
import { type CommandLine, type FlagsOf, option } from "../lib/cli/flags.ts";
import { usualExits } from "../lib/cli/exit_code.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import type { Command } from "../lib/exec/command.ts";
import { outsideName } from "../lib/lab/names.ts";
import { runScript } from "../lib/cli/script.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { loadCluster } from "../lib/cluster/load.ts";
import { enteringCommand, nodeNames } from "../lib/shell/enter.ts";

const command = {
  name: "shell",
  summary: "a shell on a node or in a pod",
  usage: [
    "scripts/shell.ts --node NAME [--pod NAME] [flags] [-- COMMAND…]",
    'make shell NODE=worker-1 [POD=shell] [ARGS="-- COMMAND…"]',
  ],
  text: ["With a COMMAND the exit code is the command's."],
  examples: [
    ["make shell NODE=worker-1", "on a node"],
    ["make shell NODE=worker-1 POD=shell", "in a pod of it"],
    [`make shell NODE=${outsideName}`, "lab: the host outside the cluster"],
    ['make shell NODE=worker-1 ARGS="-- ip addr"', "one command"],
  ],
  flags: {
    node: option({
      name: "node",
      value: "NAME",
      does: "the node to go to",
      // DENO_CNI_NODE is the mark of a lab node's processes.
      variable: "DENO_CNI_SHELL_NODE",
      read: String,
    }),
    pod: option({
      name: "pod",
      value: "NAME",
      does: "the pod of it to go into",
      read: String,
    }),
    ...standard("cluster"),
  },
  takes: "command",
  exits: {
    done: "done",
    usage: "wrong flags or cluster file, no such node or pod",
    unreachable: usualExits.unreachable,
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

async function shell(
  flags: Flags,
  [program, ...args]: readonly string[],
): Promise<number> {
  const given: Command | undefined = program === undefined
    ? undefined
    : { argv: [program, ...args] };
  const cluster = await loadCluster(flags.cluster);
  const { node, pod } = flags;
  if (node === undefined) {
    throw new UsageError(
      `expected --node with one of ${nodeNames(cluster).join(", ")}`,
    );
  }
  const terminal = Deno.stdin.isTerminal();
  return await hold(
    await enteringCommand(cluster, { node, pod, given, terminal }),
  );
}

/** Runs a command on this terminal; Ctrl-C is the command's. */
async function hold(command: Command): Promise<number> {
  const [program, ...args] = command.argv;
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    Deno.addSignalListener(signal, () => {});
  }
  const child = new Deno.Command(program, {
    args,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  return (await child.status).code;
}

await runScript(command, shell);
