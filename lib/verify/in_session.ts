/** Stage 09 within a run: verify, take away, or say what either would do. */
import type { StageRun } from "../stage/context.ts";
import { StepError } from "../stage/errors.ts";
import type { Stage } from "../stage/stage.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cleanUp, cleanupSteps } from "./cleanup.ts";
import {
  planUnverify,
  planUnverifyData,
  planVerify,
  planVerifyData,
} from "./dry_run.ts";
import { templateOf } from "./kubernetes_pods.ts";
import { leavingPods } from "./kubernetes_start.ts";
import type { MatrixReport } from "./matrix_report.ts";
import { matrixTable } from "./matrix_table.ts";
import type { NodeList } from "./namespace_pods.ts";
import { expectedSituation, look, type Situation } from "./situation.ts";
import { stepRunnerFor } from "./start_pods.ts";
import { verify } from "./verify.ts";

/** Stage 09, and what it takes from the other stages. */
export interface Verification {
  readonly stage: Stage;
  /** The stages whose probes tell why a path is broken. */
  readonly probed: readonly Stage[];
  /** The stage that writes the network configuration by which pods start. */
  readonly cniConfig: Stage;
}

/** What came of a verification. */
export interface Verdict {
  readonly is: "passed" | "failed" | "interrupted";
  readonly report?: MatrixReport;
  /** The matrix as a table with what is wrong and why, or why there is none. */
  readonly text: string;
}

/**
 * Verifies.
 *
 * @param width of the table, in columns
 * @throws {UnreachableError | JournalError | CommandError | StepError}
 */
export async function verifyIn(
  run: StageRun,
  { probed }: Verification,
  width: number,
): Promise<Verdict> {
  const { context } = run;
  const cluster = await run.cluster();
  const selected = run.selected(cluster);
  try {
    const situation = await look(cluster, run.reach(cluster), context);
    const order = { selected, stages: probed, context };
    const { report, known } = await verify(situation, order);
    const text = matrixTable(report, { cluster, addresses: known, width });
    return { is: report.passed ? "passed" : "failed", report, text };
  } catch (error) {
    if (!(error instanceof StepError) || !context.stopping()) throw error;
    return { is: "interrupted", text: error.message };
  }
}

/**
 * Takes pods and servers away, of all nodes or of those that the user named.
 *
 * @param withCluster the cluster goes too, and takes along what it no longer tells of
 * @returns whether all of it went
 * @throws {UnreachableError | JournalError | CommandError | StepError}
 */
export async function endIn(
  run: StageRun,
  withCluster = false,
): Promise<boolean> {
  const { context } = run;
  const cluster = await run.cluster();
  const selected = run.selected(cluster);
  const reach = run.reach(cluster);
  const situation = await look(cluster, reach, context, selected, !withCluster);
  const { kubernetes } = situation;
  return await cleanUp(
    cleanupSteps(situation, selected, run.nodes.length === 0),
    stepRunnerFor(context),
    context.tell,
    ({ name }) =>
      name === kubernetes?.controlPlane.name
        ? leavingPods(kubernetes, context)
        : Promise.resolve(""),
  );
}

/**
 * What a run would execute, as a script and as data; changes nothing.
 *
 * @param noProbes plan without asking the nodes
 * @throws {UnreachableError | JournalError | CommandError | StepError}
 */
export async function planIn(
  run: StageRun,
  { cniConfig }: Verification,
  noProbes: boolean,
): Promise<{ readonly text: () => string; readonly data: () => unknown }> {
  const cluster = await run.cluster();
  const selected = run.selected(cluster);
  const situation = noProbes
    ? await expected(run, cluster, cniConfig)
    : await look(cluster, run.reach(cluster), run.context);
  const all = run.nodes.length === 0;
  return run.undo
    ? {
      text: () => planUnverify(situation, selected, all),
      data: () => planUnverifyData(situation, selected, all),
    }
    : {
      text: () => planVerify(situation, selected),
      data: () => planVerifyData(situation, selected),
    };
}

async function expected(
  run: StageRun,
  cluster: Cluster,
  cniConfig: Stage,
): Promise<Situation> {
  return expectedSituation(
    cluster,
    run.reach(cluster),
    (node) => listOf(cniConfig, cluster, node),
    await templateOf(cluster),
  );
}

/** What 03 writes on a node: the network configuration by which its pods will start. */
function listOf(
  cniConfig: Stage,
  cluster: Cluster,
  node: ClusterNode,
): NodeList | undefined {
  const [step] = cniConfig.steps?.({ cluster, node }) ?? [];
  if (step === undefined || "copy" in step.run) return undefined;
  const { writes, stdin } = step.run;
  if (writes === undefined || stdin === undefined) return undefined;
  return { path: writes, text: stdin };
}
