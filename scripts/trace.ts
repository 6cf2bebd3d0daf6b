#!/usr/bin/env -S deno run -A
/** Follows one real packet hop by hop: `make trace FROM=worker-1/shell TO=worker-2/web`. */
import { type Flags } from "../lib/cli/flags.ts";
import { runScript } from "../lib/cli/script.ts";
import { failure } from "../lib/cli/report.ts";
import { openSession } from "../lib/cli/session.ts";
import { parseEnd } from "../lib/trace/endpoints.ts";
import { probedStages } from "./stages.ts";
import { trace } from "../lib/trace/trace.ts";
import type { TraceReport } from "../lib/trace/report.ts";
import { traceText } from "../lib/trace/text.ts";
import { exitCode } from "../lib/cli/exit_code.ts";
import { printableJSON } from "../lib/text/printable.ts";
import { UsageError } from "../lib/cli/usage_error.ts";

const help = `scripts/trace.ts: follow one real packet, hop by hop

Usage: scripts/trace.ts --from NODE[/POD] --to NODE[/POD]|ADDRESS|outside [flags]
       make trace FROM=worker-1/shell TO=worker-2/web [ARGS="flags"]

Sends what a user would send (a web request where one is answered, and pings),
has every node's kernel tell what it does with it, and says where it went, what
decided at each hop, what is wrong, and what mends it. Nothing stays behind.

Examples:
  make trace FROM=worker-1/shell TO=worker-2/web
  make trace FROM=worker-1/shell TO=outside
  make trace FROM=master TO=10.244.1.3 ARGS="-o json"

Flags:
  --from NODE[/POD]  who sends: a pod (its name in /run/netns), or a node
  --to END           who receives: a pod, a node, outside, or an address
  --family 4|6       where there are two (default: the cluster's first)
  --cluster FILE     the cluster file (default config/lab.yaml, or $DENO_CNI_CLUSTER)
  -o, --output FORM  table or json (default table, or $DENO_CNI_OUTPUT)
  -q, --quiet        only what went wrong
  --timeout SECONDS  time limit of a command (default 30, or $DENO_CNI_TIMEOUT)
  -h, --help         this text

Exit codes: 0 delivered and well, 1 something is wrong, 2 wrong flags or cluster
            file, 4 a node could not be reached, 130 interrupted.`;

async function run(flags: Flags): Promise<number> {
  const { from, to, family } = flags;
  if (from === undefined || to === undefined) {
    throw new UsageError(
      "expected --from and --to, e.g. make trace FROM=worker-1/shell TO=worker-2/web",
    );
  }
  if (flags.dryRun || flags.undo || flags.step) {
    throw new UsageError(
      "a trace changes nothing that lasts: it has no --dry-run, --undo or --step",
    );
  }
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) console.error(failure(result));
  });
  const cluster = await session.cluster();
  const { timeout_ms, signal } = session.context;
  const order = {
    from: parseEnd(from, "--from", cluster),
    to: parseEnd(to, "--to", cluster),
    ...(family === undefined ? {} : { family }),
    stages: probedStages,
    options: { timeout_ms, signal },
  };
  let report: TraceReport;
  try {
    report = await trace(cluster, session.reach(cluster), order);
  } catch (error) {
    if (!session.interrupted() || !(error instanceof Error)) throw error;
    console.error("the trace was interrupted; nothing of it is left behind");
    return exitCode.interrupted;
  }
  const isWell = report.delivered && report.cause === undefined;
  if (flags.output === "json") console.log(printableJSON(report));
  else if (!flags.quiet || !isWell) {
    const colour = Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR");
    console.log(traceText(report, { colour }));
  }
  if (session.interrupted()) return exitCode.interrupted;
  return isWell ? exitCode.done : exitCode.failed;
}

await runScript(help, run);
