#!/usr/bin/env -S deno run -A
/** Follows one real packet hop by hop: `make trace FROM=worker-1/shell TO=worker-2/web`. */
import { printColoured, printData, printNote } from "../lib/cli/print.ts";
import {
  type CommandLine,
  type FlagsOf,
  option,
  switched,
} from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { runScript } from "../lib/cli/script.ts";
import { failure } from "../lib/cli/report.ts";
import { openSession } from "../lib/cli/session.ts";
import { EndError, parseEnd } from "../lib/trace/endpoints.ts";
import { probedStages } from "./stages.ts";
import { trace } from "../lib/trace/trace.ts";
import { isWell, type TraceReport } from "../lib/trace/report.ts";
import { takesColour } from "../lib/text/terminal.ts";
import { traceText } from "../lib/trace/text.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import { UsageError } from "../lib/cli/usage_error.ts";

const command = {
  name: "trace",
  summary: "follow one real packet, hop by hop",
  usage: [
    "scripts/trace.ts --from END --to END [flags]",
    'make trace FROM=worker-1/shell TO=worker-2/web [ARGS="flags"]',
  ],
  text: [
    "Sends what a user would send (a web request where one is answered, and " +
    "pings), has every node's kernel tell what it does with it, and says where " +
    "it went, what decided at each hop, what is wrong, and what mends it. " +
    "Nothing stays behind.",
  ],
  examples: [
    ["make trace FROM=worker-1/shell TO=worker-2/web", "from pod to pod"],
    ["make trace FROM=worker-1/shell TO=outside", "out of the cluster"],
    ['make trace FROM=master TO=10.244.1.3 ARGS="-o json"', "as data"],
    [
      'make trace FROM=worker-1/shell TO=10.96.0.10 ARGS="--port 53 --udp"',
      "to a Service",
    ],
  ],
  flags: {
    from: option({
      name: "from",
      value: "NODE[/POD]",
      does: "who sends: a pod (its name in /run/netns), a node, or outside",
      read: String,
    }),
    to: option({
      name: "to",
      value: "END",
      does: "who receives: a pod, a node, outside, or an address",
      read: String,
    }),
    family: option({
      name: "family",
      value: "4|6",
      does: "one where there are two; both are tried if not given",
      expected: "4 or 6",
      read: (value) => ([4, 6] as const).find((one) => String(one) === value),
    }),
    port: option({
      name: "port",
      value: "N",
      does: "call this port, of TCP, instead of stage 09's web server",
      expected: "1 to 65535",
      read: (value) => {
        const port = /^\d+$/.test(value) ? Number(value) : 0;
        return port > 0 && port < 65_536 ? port : undefined;
      },
    }),
    udp: switched("udp", "send a UDP datagram to --port", { needs: "port" }),
    ...standard("cluster", "output", "quiet", "timeout_ms"),
  },
  lacks: {
    flags: ["dry-run", "undo", "step"],
    because: "a trace changes nothing that lasts",
  },
  exits: {
    ...usualExits,
    done: "delivered and well",
    failed: "something is wrong",
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

async function run(flags: Flags): Promise<number> {
  const { from, to, family, port, udp } = flags;
  if (from === undefined || to === undefined) {
    throw new UsageError(
      "expected --from and --to, e.g. make trace FROM=worker-1/shell TO=worker-2/web",
    );
  }
  const protocol = udp ? "udp" : "tcp";
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) printNote(failure(result));
  }, "traces");
  const cluster = await session.cluster();
  const { timeout_ms, signal } = session.context;
  const order = {
    from: parseEnd(from, "--from", cluster),
    to: parseEnd(to, "--to", cluster),
    ...(family === undefined ? {} : { family }),
    ...(port === undefined ? {} : { call: { protocol, port } as const }),
    stages: probedStages,
    options: { timeout_ms, signal },
  };
  let report: TraceReport;
  try {
    report = await trace(cluster, session.reach(cluster), order);
  } catch (error) {
    if (!session.interrupted() || !(error instanceof Error)) throw error;
    printNote("the trace was interrupted; nothing of it is left behind");
    return exitCode.interrupted;
  }
  if (flags.output === "json") printData(report);
  else if (!flags.quiet || !isWell(report)) {
    printColoured(traceText(report, { colour: takesColour() }));
  }
  if (session.interrupted()) return exitCode.interrupted;
  return isWell(report) ? exitCode.done : exitCode.failed;
}

await runScript(command, async (flags) => {
  try {
    return await run(flags);
  } catch (error) {
    throw error instanceof EndError ? new UsageError(error.message) : error;
  }
});
