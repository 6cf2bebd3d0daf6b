/** Stage 09 within a run: verifies, takes away what it started, or plans either. */
import type { StageRun } from "../stage/context.ts";
import { StepError } from "../stage/errors.ts";
import { makeLine } from "../cluster/make_line.ts";
import type { Stage } from "../stage/stage.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cleanUp, cleanupSteps } from "./cleanup.ts";
import { planCleanup, planVerify, type VerifyPlan } from "./dry_run.ts";
import { templateOf } from "./kubernetes_pods.ts";
import { leavingPods } from "./kubernetes_start.ts";
import type { MatrixReport } from "./matrix_report.ts";
import { matrixTable } from "./matrix_table.ts";
import type { NodeList } from "./namespace_pods.ts";
import { withoutPortmap } from "../cni/conflist.ts";
import { expectedSituation, look } from "./situation.ts";
import type { PathToTrace } from "./trace_unexplained.ts";
import type { Cause } from "../diagnosis/cause.ts";
import type { Reach, UnreachableError } from "../node/node.ts";
import { stepRunnerFor } from "./step_runner.ts";
import { type Verified, verify } from "./verify.ts";

/** Stage 09, and what it takes from the other stages. */
export interface Verification {
  readonly stage: Stage;
  /** The stages whose probes tell why a path is broken. */
  readonly probed: readonly Stage[];
  /** The stage that writes the network configuration by which pods start. */
  readonly cniConfig: Stage;
  /** Follows the packets of a path that the nodes' answers do not explain. */
  readonly trace?: (
    cluster: Cluster,
    reach: Reach,
    path: PathToTrace,
    stages: readonly Stage[],
  ) => Promise<Cause | undefined>;
}

/** What stage 09 came to. */
interface VerifyResult {
  readonly status: "passed" | "failed" | "unreachable" | "interrupted";
  /** Absent where the run was interrupted. */
  readonly report?: MatrixReport;
  /** The matrix as a table, with what is wrong and why; or why there is none. */
  readonly text: string;
}

/**
 * Asks every node of a run's cluster, starts what is missing, and tries every path.
 *
 * @param probed the stages whose probes tell why a path is broken
 * @param limit_ms how long a call may take
 * @param trace follows the packets of a path that is not explained otherwise
 * @throws {UnreachableError | JournalError | CommandError | StepError}
 */
export async function verifyCluster(
  run: StageRun,
  probed: readonly Stage[],
  limit_ms?: number,
  trace?: Verification["trace"],
): Promise<Verified> {
  const { context } = run;
  const cluster = await run.cluster();
  const reach = run.reach(cluster);
  const all = cluster.nodes.map(({ name }) => name);
  const situation = await look(cluster, reach, context, all, {
    mayLack: true,
  });
  return await verify(situation, {
    ...(trace === undefined ? {} : {
      trace: (path) => trace(cluster, reach, path, probed),
    }),
    selected: run.selected(cluster),
    stages: probed,
    context,
    translated: true,
    ...(limit_ms === undefined ? {} : { limit_ms }),
  });
}

/** What a caller of runVerify() wants. */
interface VerifyOptions {
  /** Of the table, in columns. */
  readonly width: number;
  /** Whether every cell of the table is shown, however many there are. */
  readonly whole: boolean;
  /** Whether the test pods of real machines stay. */
  readonly keep: boolean;
}

/**
 * Verifies, puts what came of it into words, and takes the test pods of real
 * machines away again. A lab's stay, for a look around: they go with the lab.
 *
 * @throws {UnreachableError | JournalError | CommandError | StepError}
 */
export async function runVerify(
  run: StageRun,
  { probed, trace }: Verification,
  { width, whole, keep }: VerifyOptions,
): Promise<VerifyResult> {
  try {
    const { report: seen, known, lacks } = await verifyCluster(
      run,
      probed,
      undefined,
      trace,
    );
    const cluster = await run.cluster();
    const hasPods = seen.pods.some(({ waitsFor }) => waitsFor === undefined);
    const isOver = !hasPods || cluster.provider === "lab";
    const left = isOver ? undefined : await leave(run, cluster, keep, lacks);
    const remarks = [...seen.remarks, ...left === undefined ? [] : [left.says]];
    const report = { ...seen, remarks };
    const text = matrixTable(report, {
      ...{ cluster, addresses: known, width, whole },
    });
    const passed = report.passed && left?.well !== false;
    const failed = lacks ? "unreachable" : "failed";
    return { status: passed ? "passed" : failed, report, text };
  } catch (error) {
    if (!(error instanceof StepError && run.context.stopping())) throw error;
    return { status: "interrupted", text: error.message };
  }
}

/** Takes the test pods away, unless they are to stay; and says what is left. */
async function leave(
  run: StageRun,
  cluster: Cluster,
  keep: boolean,
  lacks: boolean,
): Promise<{ readonly well: boolean; readonly says: string }> {
  const undo = makeLine("09-verify ARGS=--undo", cluster);
  if (lacks) {
    const says =
      "The test pods stay, since a node cannot be reached: when it " +
      `can, ${undo}`;
    return { well: false, says };
  }
  if (keep) {
    return { well: true, says: `The test pods stay until ${undo}` };
  }
  const well = await undoVerify(run);
  return {
    well,
    says: well
      ? `Test pods and servers are gone again; ${
        makeLine("09-verify ARGS=--keep", cluster)
      } leaves them`
      : `Not all test pods could be taken away; when that is mended: ${undo}`,
  };
}

/**
 * Takes pods and servers away, of all nodes or of those that the user named. A
 * node that cannot be reached keeps its own, and none of the others'; one whose
 * machine is gone has none.
 *
 * @param withCluster whether the cluster goes too: then a Kubernetes that does not answer is none
 * @returns whether all of it went
 * @throws {UnreachableError | JournalError | CommandError | StepError}
 */
export async function undoVerify(
  run: StageRun,
  withCluster = false,
): Promise<boolean> {
  const { context } = run;
  const cluster = await run.cluster();
  const selected = run.selected(cluster);
  const reach = run.reach(cluster);
  const situation = await look(cluster, reach, context, selected, {
    kubernetesNeeded: !withCluster,
    mayLack: true,
  });
  const { kubernetes, gone = new Map<string, UnreachableError>() } = situation;
  const isClean = await cleanUp(
    cleanupSteps(situation, selected, run.nodes.length === 0),
    stepRunnerFor(context, cluster),
    context.tell,
    ({ name }) =>
      name === kubernetes?.controlPlane.name
        ? leavingPods(kubernetes, context)
        : Promise.resolve(""),
  );
  const silent = [...gone.values()].find(({ isNoMore }) => !isNoMore);
  if (silent !== undefined) throw silent;
  return isClean;
}

/**
 * What a run would execute; changes nothing.
 *
 * @param noProbes plan without asking the nodes
 * @throws {UnreachableError | JournalError | CommandError | StepError}
 */
export async function dryRunVerify(
  run: StageRun,
  { cniConfig }: Verification,
  noProbes: boolean,
): Promise<VerifyPlan> {
  const cluster = await run.cluster();
  const selected = run.selected(cluster);
  const reach = run.reach(cluster);
  const situation = noProbes
    ? expectedSituation(
      cluster,
      reach,
      (node) => listOf(cniConfig, cluster, node),
      await templateOf(cluster),
    )
    : await look(cluster, reach, run.context);
  return run.undo
    ? planCleanup(situation, selected, run.nodes.length === 0)
    : planVerify(situation, selected);
}

/** The network configuration that stage 03 writes on a node. */
function listOf(
  cniConfig: Stage,
  cluster: Cluster,
  node: ClusterNode,
): NodeList | undefined {
  const [found] = (cniConfig.steps?.({ cluster, node }) ?? [])
    .flatMap(({ run }) => "writes" in run ? [run] : []);
  if (found?.writes === undefined || found.stdin === undefined) {
    return undefined;
  }
  const { writes, stdin } = found;
  // A node that is still to be made has no further plugins.
  const isLikely = cluster.plugin.portmap === true;
  return { path: writes, text: isLikely ? stdin : withoutPortmap(stdin) };
}
