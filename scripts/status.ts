#!/usr/bin/env -S deno run -A
/** One screen: nodes, stages as they are on them, drift, pods and leases: `make status`. */
import { printableJSON } from "../lib/text/printable.ts";
import { type Flags } from "../lib/cli/flags.ts";
import { runScript } from "../lib/cli/script.ts";
import { openSession } from "../lib/cli/session.ts";
import { clusterStatus, type StatusReport } from "../lib/status/status.ts";
import { isUnmade, statusText } from "../lib/status/text.ts";
import { stages } from "./stages.ts";
import { exitCode } from "../lib/cli/exit_code.ts";

const help = `scripts/status.ts: how the cluster stands, on one screen

Usage: scripts/status.ts [flags]
       make status [ARGS="flags"]

Nodes, how each stage stands on them, what a stage would change now, pods and
leases: as the nodes say it now, by the stages' own probes. A stage is
  applied  a run of it would change nothing
  partly   some of it is there, and it was never run to its end
  not      applied: nothing of it is there
  drifted  it was run to its end, and is no longer all there
  unknown  the node does not answer, or cannot say

Examples:
  make status
  make status ARGS="-v"         with the commands that a stage would run
  make status ARGS="-o json"

Flags:
  --cluster FILE     the cluster file (default config/lab.yaml, or $DENO_CNI_CLUSTER)
  --node NAME        only this node; may be given several times
  -o, --output FORM  table or json (default table, or $DENO_CNI_OUTPUT)
  -v, --verbose      the commands that a stage would run, and every pod
  --timeout SECONDS  time limit of a command (default 30, or $DENO_CNI_TIMEOUT)
  -h, --help         this text

Exit codes: 0 whatever it finds, also no lab; 2 wrong flags or cluster file,
            4 a node could not be reached, 130 interrupted.`;

async function run(flags: Flags): Promise<number> {
  await using session = await openSession(flags, () => {}, true);
  const cluster = await session.cluster();
  const names = session.selected(cluster);
  const whole = await clusterStatus(
    cluster,
    session.reach(cluster),
    stages,
    session.context,
  );
  const report = flags.nodes.length === 0 ? whole : ofNodes(whole, names);
  if (session.interrupted()) return exitCode.interrupted;
  const { verbose } = flags;
  console.log(
    flags.output === "json"
      ? printableJSON(report)
      : statusText(report, { cluster, verbose }),
  );
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

await runScript(help, run);
