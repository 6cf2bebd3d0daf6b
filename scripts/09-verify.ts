#!/usr/bin/env -S deno run -A
/**
 * Stage 09: starts two test pods on every worker, by kubectl where there is a
 * Kubernetes, else as a container runtime would; tries every path between pods,
 * nodes and the outside; and compares what it saw with what the completed
 * stages should have brought about. The pods stay, for the curious, until
 * `--undo`.
 */
import { exitCode, type Flags, stageHelp } from "../lib/cli/flags.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { templateOf } from "../lib/verify/kubernetes_pods.ts";
import { leavingPods } from "../lib/verify/kubernetes_start.ts";
import { outsideNode } from "../lib/lab/lab.ts";
import { runScript } from "../lib/cli/script.ts";
import { matrixTable } from "../lib/verify/matrix_table.ts";
import { stepRunnerFor } from "../lib/verify/start_pods.ts";
import { cleanUp, cleanupSteps } from "../lib/verify/cleanup.ts";
import { failure, recap, runReport, stepLine } from "../lib/cli/report.ts";
import { openSession, type Session } from "../lib/cli/session.ts";
import {
  expectedSituation,
  look,
  type Reach,
} from "../lib/verify/situation.ts";
import { StepError } from "../lib/stage/decide.ts";
import type { Plan, Stage } from "../lib/stage/stage.ts";
import { nodeOf } from "../lib/cli/connect.ts";
import { verify } from "../lib/verify/verify.ts";
import {
  planUnverify,
  planUnverifyData,
  planVerify,
  planVerifyData,
} from "../lib/verify/dry_run.ts";
import { cniConfig } from "./03-cni-config.ts";
import { bridge } from "./04-bridge.ts";
import { forwarding } from "./06-forwarding.ts";
import { masquerade } from "./07-masquerade.ts";
import { routes } from "./08-routes.ts";

const about: Stage = {
  name: "09-verify",
  summary: "start test pods and try every path",
  afterwards: "make shell NODE=worker-1 POD=shell",
};

/** The stages whose probes tell why a path is broken. */
export const stages = [bridge, forwarding, masquerade, routes];

/** How the machines of a cluster are reached. */
export function reach(cluster: Cluster): Reach {
  return {
    nodeOf: (name) => nodeOf(cluster, name),
    outside: cluster.provider === "lab" ? outsideNode(cluster) : undefined,
  };
}

/** What 03 writes on a node: the network configuration by which its pods will start. */
function listOf(plan: Plan): { path: string; text: string } | undefined {
  const [step] = cniConfig.steps?.(plan) ?? [];
  if (step === undefined || "copy" in step.run) return undefined;
  return { path: cniConfig.afterwards, text: step.run.stdin ?? "" };
}

/** Stage 09 within a session, for this script and for scripts/up.ts. */
export const verification = {
  /** Verifies: the exit code, the data of `-o json` (a MatrixReport), the text of the table. */
  async run(
    session: Session,
  ): Promise<{ code: number; matrix: unknown; text: string }> {
    const { context } = session;
    const cluster = await session.cluster();
    const selected = session.selected(cluster);
    try {
      const situation = await look(cluster, reach(cluster), context);
      const order = { selected, stages, context };
      const { report, known } = await verify(situation, order);
      const width = Math.max(80, terminalWidth());
      const text = matrixTable(report, { cluster, addresses: known, width });
      const code = report.passed ? exitCode.done : exitCode.failed;
      return { code, matrix: report, text };
    } catch (error) {
      if (!(error instanceof StepError) || !session.interrupted()) throw error;
      const code = exitCode.interrupted;
      return { code, matrix: undefined, text: error.message };
    }
  },

  /**
   * Takes pods and servers away, of all nodes or of those that the flags name.
   *
   * @param withCluster the cluster goes too, and what it does not say any more goes with it
   */
  async undo(session: Session, withCluster = false): Promise<number> {
    const { context } = session;
    const cluster = await session.cluster();
    const selected = session.selected(cluster);
    const situation = await look(
      cluster,
      reach(cluster),
      context,
      selected,
      !withCluster,
    );
    const all = session.flags.nodes.length === 0;
    const placed = cleanupSteps(situation, selected, all);
    const { kubernetes } = situation;
    const went = await cleanUp(
      placed,
      stepRunnerFor(context),
      context.tell,
      ({ name }) =>
        name === kubernetes?.controlPlane.name
          ? leavingPods(kubernetes, context)
          : Promise.resolve(""),
    );
    return went ? exitCode.done : exitCode.failed;
  },
};

function terminalWidth(): number {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : 0;
}

async function dryRun(session: Session): Promise<number> {
  const { flags } = session;
  const cluster = await session.cluster();
  const selected = session.selected(cluster);
  const situation = flags.noProbes
    ? expectedSituation(
      cluster,
      reach(cluster),
      (node) => listOf({ cluster, node }),
      await templateOf(cluster),
    )
    : await look(cluster, reach(cluster), session.context);
  const all = flags.nodes.length === 0;
  if (flags.output === "json") {
    const data = flags.undo
      ? planUnverifyData(situation, selected, all)
      : planVerifyData(situation, selected);
    console.log(JSON.stringify(data, null, 2));
  } else {
    console.log(
      flags.undo
        ? planUnverify(situation, selected, all)
        : planVerify(situation, selected),
    );
  }
  return exitCode.done;
}

async function undo(session: Session): Promise<number> {
  const { flags, results } = session;
  const code = await verification.undo(session);
  const { name, nodes } = await session.cluster();
  const order = nodes.map(({ name }) => name);
  if (flags.output === "json") {
    console.log(JSON.stringify(runReport(name, order, results), null, 2));
  } else if (!flags.quiet) {
    console.log(
      results.length === 0
        ? "No test pods and no servers: nothing to take away"
        : recap(results, order),
    );
  }
  return code;
}

async function run(flags: Flags): Promise<number> {
  const json = flags.output === "json";
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) console.error(failure(result));
    else if (flags.verbose && !json) console.log(stepLine(result, 8));
  });
  if (flags.dryRun) return await dryRun(session);
  if (flags.undo) return await undo(session);
  const { code, matrix, text } = await verification.run(session);
  if (json) console.log(JSON.stringify(matrix, null, 2));
  else if (!flags.quiet || code !== exitCode.done) console.log(text);
  return code;
}

if (import.meta.main) await runScript(stageHelp(about), run);
