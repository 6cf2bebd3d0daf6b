#!/usr/bin/env -S deno run -A
/** Looks every node over for the known traps: `make doctor`. */
import { printData, printText } from "../lib/cli/print.ts";
import type { CommandLine, FlagsOf } from "../lib/cli/flags.ts";
import { countFindings, examine } from "../lib/doctor/doctor.ts";
import { doctorText } from "../lib/doctor/text.ts";
import { standard, standardFlags } from "../lib/cli/standard_flags.ts";
import { tellingIfSlow } from "../lib/node/heartbeat.ts";
import { stages } from "./stages.ts";
import { runScript } from "../lib/cli/script.ts";
import { openSession } from "../lib/cli/session.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";

const command = {
  name: "doctor",
  summary: "look every node over for the known traps",
  text: [
    "Forwarding and firewalls, the bridge, MTU, rp_filter, routes and networks " +
    "that overlap, the runtime's configuration and programs, conntrack, leases " +
    "and what was left behind: what is wrong with its evidence and what mends " +
    "it. What waits for a stage that has not run is no fault. It asks only; " +
    "nothing is changed.",
  ],
  examples: [
    ["make doctor", "all nodes"],
    ['make doctor ARGS="--node worker-1 -v"', "one, with every check"],
    ['make doctor CLUSTER=config/ssh.yaml ARGS="-o json"', "as data"],
  ],
  flags: {
    ...standard("cluster", "nodes", "output"),
    verbose: {
      ...standardFlags.verbose,
      does: "a line for each check, also where all is well",
    },
    quiet: { ...standardFlags.quiet, does: "only what is to be mended" },
    ...standard("timeout_ms"),
  },
  lacks: {
    flags: ["dry-run", "undo", "step"],
    because: "the doctor changes nothing",
  },
  exits: {
    ...usualExits,
    done: "no fault (there may be warnings)",
    failed: "a fault",
  },
} satisfies CommandLine;

async function run(flags: FlagsOf<typeof command.flags>): Promise<number> {
  await using session = await openSession(flags, () => {}, "reads");
  const cluster = await session.cluster();
  const report = await tellingIfSlow(
    `${cluster.nodes.length} nodes are asked`,
    session.context.announce,
    examine(
      cluster,
      session.reach(cluster),
      session.selected(cluster),
      session.context,
      stages,
    ),
  );
  if (session.interrupted()) return exitCode.interrupted;
  if (flags.output === "json") printData(report);
  else {
    const { verbose, quiet } = flags;
    const text = doctorText(report, { verbose, quiet });
    if (text !== "") printText(text);
  }
  if (countFindings(report, "fault") > 0) return exitCode.failed;
  return report.nodes.some(({ is }) => is === "unreachable")
    ? exitCode.unreachable
    : exitCode.done;
}

await runScript(command, run);
