/** What the tests of the trace share. */
import { cmd } from "../../lib/exec/command.ts";
import { labId } from "../../lib/lab/names.ts";
import { reachOf } from "../../lib/cli/connect.ts";
import type { Cluster } from "../../lib/cluster/cluster.ts";
import { parseEnd } from "../../lib/trace/endpoints.ts";
import type { TraceReport } from "../../lib/trace/report.ts";
import { trace } from "../../lib/trace/trace.ts";
import { probedStages } from "../stages.ts";
import type { TestLab } from "./lab_testing.ts";

/** Traces as a user does, with `-o json`. */
export async function traced(
  lab: TestLab,
  from: string,
  to: string,
  ...args: readonly string[]
): Promise<{ report: TraceReport; code: number | undefined; text: string }> {
  const { code, stdout, stderr } = await lab.script(
    "trace",
    ...["--from", from, "--to", to, "-o", "json", ...args],
  );
  const text = `${stdout}\n${stderr}`;
  if (!stdout.startsWith("{")) throw new Error(text);
  return { report: JSON.parse(stdout), code, text };
}

/** The same without a process of its own, where many are traced. */
export async function traceHere(
  cluster: Cluster,
  from: string,
  to: string,
): Promise<TraceReport> {
  return await trace(cluster, reachOf(cluster), {
    from: parseEnd(from, "--from", cluster),
    to: parseEnd(to, "--to", cluster),
    stages: probedStages,
    options: { timeout_ms: 20_000 },
  });
}

/** What is left of traces on the machines of a path; nothing, when all is well. */
export async function leftovers(lab: TestLab): Promise<string> {
  const script = "nft list tables | grep trace; ls -d /run/deno-cni-trace; " +
    'for at in /run/netns/*; do [ ! -e "$at" ] || nsenter --net="$at" nft list tables | grep trace; done; ' +
    'for process in $(grep -lszxF "DENO_CNI_NODE=$1" /proc/[0-9]*/environ); do ' +
    'grep -qs "^nft" "${process%environ}comm" && cat "${process%environ}cmdline"; done; :';
  const said = await Promise.all(
    ["worker-1", "worker-2", "outside"].map((name) =>
      lab.on(name, cmd`sh -c ${script} x ${labId(lab.cluster)}/${name}`)
    ),
  );
  return said.join("");
}
