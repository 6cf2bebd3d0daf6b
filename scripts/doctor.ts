#!/usr/bin/env -S deno run -A
/** Looks every node over for the known traps: `make doctor`. */
import { type Flags } from "../lib/cli/flags.ts";
import { countFindings, examine } from "../lib/doctor/doctor.ts";
import { doctorText } from "../lib/doctor/text.ts";
import { runScript } from "../lib/cli/script.ts";
import { openSession } from "../lib/cli/session.ts";
import { exitCode } from "../lib/cli/exit_code.ts";
import { printableJSON } from "../lib/text/printable.ts";
import { UsageError } from "../lib/cli/usage_error.ts";

const help = `scripts/doctor.ts: look every node over for the known traps

Usage: scripts/doctor.ts [--node NAME] [flags]
       make doctor [ARGS="flags"]

Forwarding and firewalls, the bridge, MTU, rp_filter, routes and networks that
overlap, the runtime's configuration and programs, conntrack, leases and what
was left behind: what is wrong with its evidence and what mends it. What waits
for a stage that has not run is no fault. It asks only; nothing is changed.

Examples:
  make doctor
  make doctor ARGS="--node worker-1 -v"
  make doctor CLUSTER=config/ssh.yaml ARGS="-o json"

Flags:
  --cluster FILE     the cluster file (default config/lab.yaml, or $DENO_CNI_CLUSTER)
  --node NAME        only this node; may be given several times
  -o, --output FORM  table or json (default table, or $DENO_CNI_OUTPUT)
  -v, --verbose      a line for each check, also where all is well
  -q, --quiet        only what is to be mended
  --timeout SECONDS  time limit of a command (default 30, or $DENO_CNI_TIMEOUT)
  -h, --help         this text

Exit codes: 0 no fault (there may be warnings), 1 a fault, 2 wrong flags or
            cluster file, 4 a node could not be reached, 130 interrupted.`;

async function run(flags: Flags): Promise<number> {
  if (flags.dryRun || flags.undo || flags.step) {
    throw new UsageError(
      "the doctor changes nothing: it has no --dry-run, --undo or --step",
    );
  }
  await using session = await openSession(flags, () => {}, true);
  const cluster = await session.cluster();
  const report = await examine(
    cluster,
    session.reach(cluster),
    session.selected(cluster),
    session.context,
  );
  if (session.interrupted()) return exitCode.interrupted;
  if (flags.output === "json") console.log(printableJSON(report));
  else {
    const { verbose, quiet } = flags;
    const text = doctorText(report, { verbose, quiet });
    if (text !== "") console.log(text);
  }
  if (countFindings(report, "fault") > 0) return exitCode.failed;
  return report.nodes.some(({ is }) => is === "unreachable")
    ? exitCode.unreachable
    : exitCode.done;
}

await runScript(help, run);
