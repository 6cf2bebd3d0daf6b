#!/usr/bin/env -S deno run -A
/** One screen: nodes, stages as they are on them, drift, pods and leases: `make status`. */
import { printData, printText } from "../lib/cli/print.ts";
import { type CommandLine, type FlagsOf, switched } from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { otherLabs } from "../lib/cli/made_with.ts";
import { runScript } from "../lib/cli/script.ts";
import { openSession } from "../lib/cli/session.ts";
import { clusterStatus, type StatusReport } from "../lib/status/status.ts";
import { isUnmade, statusText } from "../lib/status/text.ts";
import { tellingIfSlow } from "../lib/node/heartbeat.ts";
import { stages } from "./stages.ts";
import { keptPodCIDRs } from "../lib/cluster/load.ts";
import { columns, wrap } from "../lib/text/wrap.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";

const command = {
  name: "status",
  summary: "how the cluster stands, on one screen",
  text: [
    "Nodes, how each stage stands on them, what a stage would change now, pods " +
    "and leases: as the nodes say it now, by the stages' own probes. A stage is",
    columns([
      ["applied", "a run of it would change nothing"],
      ["partly", "some of it is there, and it was never run to its end"],
      ["not", "applied: nothing of it is there"],
      ["drifted", "it was run to its end, and is no longer all there"],
      ["unknown", "the node does not answer, or cannot say"],
    ]),
  ],
  examples: [
    ["make status", "the screen"],
    ['make status ARGS="-v"', "with the commands that a stage would run"],
    ['make status ARGS="-o json"', "as data"],
  ],
  flags: {
    ...standard("cluster", "nodes", "output", "timeout_ms"),
    verbose: switched(
      "verbose",
      "the commands that a stage would run, and every pod",
      { letter: "v" },
    ),
  },
  lacks: {
    flags: ["dry-run", "undo", "step"],
    because: "a status changes nothing",
  },
  exits: {
    done: "whatever it finds, also no lab",
    usage: usualExits.usage,
    unreachable: usualExits.unreachable,
    interrupted: usualExits.interrupted,
  },
} satisfies CommandLine;

async function run(flags: FlagsOf<typeof command.flags>): Promise<number> {
  await using session = await openSession(flags, () => {}, "reads");
  const cluster = await session.cluster();
  const names = session.selected(cluster);
  const whole = await tellingIfSlow(
    `${cluster.nodes.length} nodes are asked`,
    session.context.announce,
    clusterStatus(cluster, session.reach(cluster), stages, session.context),
  );
  const report = flags.nodes.length === 0 ? whole : ofNodes(whole, names);
  if (session.interrupted()) return exitCode.interrupted;
  const { verbose } = flags;
  if (flags.output === "json") printData(report);
  else {
    printText(statusText(report, { cluster, verbose }));
    const kept = await keptPodCIDRs(cluster);
    if (kept !== undefined) printText(`\n${wrap(kept, "", "  ")}`);
    if (isUnmade(report)) {
      for (const line of await otherLabs(cluster)) printText(line);
    }
  }
  const gone = report.nodes.some(({ unreachable }) =>
    unreachable !== undefined
  );
  return gone && !isUnmade(report) ? exitCode.unreachable : exitCode.done;
}

/** The report of these nodes alone. */
function ofNodes(
  report: StatusReport,
  names: readonly string[],
): StatusReport {
  return {
    ...report,
    nodes: report.nodes.filter(({ name }) => names.includes(name)),
    stages: report.stages.map((stage) => ({
      ...stage,
      on: stage.on.filter(({ where }) => names.includes(where)),
    })),
  };
}

await runScript(command, run);
