/**
 * Whether a lab does what it is to do: every path of stage 09, and what an
 * exercise tries beside.
 */
import { CommandError } from "../exec/command.ts";
import { RuntimeError } from "../cni/runtime.ts";
import { tellingIfSlow } from "../node/heartbeat.ts";
import type { StageRun } from "../stage/context.ts";
import { StepError } from "../stage/errors.ts";
import { plans } from "../stage/plan_stages.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import {
  expectedWords,
  labels,
  observedWords,
  type WordOptions,
} from "../verify/matrix_cells.ts";
import { timeout_ms } from "../verify/http_calls.ts";
import { endOnePod, startOnePod } from "../verify/more_pods.ts";
import { folder, paths, podOn } from "../verify/namespace_pods.ts";
import { look } from "../verify/situation.ts";
import { stepRunnerFor } from "../verify/step_runner.ts";
import { verify } from "../verify/verify.ts";
import type { Exercise, Trial } from "./exercise.ts";
import { runLine } from "./faults.ts";
import type { StageSet } from "./stage_set.ts";

/**
 * How long a call may take at first: nothing is far away in a lab. One without
 * an answer is tried again, with several times that. Where this machine is busy
 * that says little, and all is tried with as much time as stage 09 gives.
 */
const brief_ms = 400;

/** Whether more processes want to run than can. */
function isBusy(): boolean {
  const [lastMinute = 0] = Deno.loadavg();
  return lastMinute > navigator.hardwareConcurrency;
}

/**
 * What keeps a lab from being whole: paths that are not as they are to be after
 * all stages, and what a stage would still change. Nothing where it is.
 *
 * @throws {StepError | UnreachableError | CommandError}
 */
export async function lacks(
  run: StageRun,
  stageSet: StageSet,
): Promise<readonly string[]> {
  const wrong = await wrongPaths(run, stageSet);
  return wrong.length > 0 ? wrong : await drifted(run, stageSet);
}

/** What a stage would change on a node, in words. */
export async function drifted(
  run: StageRun,
  { stages }: StageSet,
): Promise<readonly string[]> {
  const cluster = await run.cluster();
  const changes: string[] = [];
  for await (const { stage, node, steps } of plans(run, stages, cluster)) {
    // The build is looked at whenever stage 05 runs.
    if (steps.every(({ builds }) => builds)) continue;
    changes.push(`${stage} has something to change on ${node.name}`);
  }
  return changes;
}

/**
 * What does not do what it is to do after all stages, in words; in a lab on
 * which not all stages are complete, also the paths that are right so.
 *
 * @param trials what is tried beside
 * @throws {StepError | UnreachableError | CommandError}
 */
export async function wrongPaths(
  run: StageRun,
  { probed }: StageSet,
  { trials = [] }: Pick<Exercise, "trials"> = {},
): Promise<readonly string[]> {
  const cluster = await run.cluster();
  const { context } = run;
  const tryAll = async (limit_ms: number) => {
    const situation = await look(cluster, run.reach(cluster), context);
    const { report, known } = await verify(situation, {
      ...{ context, limit_ms, stages: probed, causes: false },
      selected: cluster.nodes.map(({ name }) => name),
    });
    return wrongIn(report, { addresses: known });
  };
  const tryBriefly = async () => {
    const wrong = await tryAll(brief_ms);
    return wrong.length > 0 && isBusy() ? await tryAll(timeout_ms) : wrong;
  };
  const wrong = await tellingIfSlow(
    "every path is tried",
    context.announce,
    tryBriefly(),
  );
  const failed = await Promise.all(
    trials.map(async (trial) => await works(run, trial) ? [] : [trial.says]),
  );
  return [...wrong, ...failed.flat()];
}

/** A pod that is started to be tried, and taken away again. */
const newPod = "exercise";

const removal = `[ ! -e ${paths.sandbox(newPod)} ] || ip netns del ${newPod}
rm -f ${folder}/${newPod}.*`;

async function works(run: StageRun, trial: Trial): Promise<boolean> {
  const cluster = await run.cluster();
  const { context } = run;
  const node = run.reach(cluster).nodeOf(trial.on);
  if (!trial.inNewPod) {
    return (await runLine(node, trial.run, context)).code === 0;
  }
  const { sites } = await look(cluster, run.reach(cluster), context, [
    trial.on,
  ]);
  const site = sites.get(trial.on);
  if (site === undefined) return false;
  const stepRunner = stepRunnerFor(context, cluster);
  try {
    await startOnePod(site, newPod, stepRunner);
  } catch (error) {
    // A plugin that is not there cannot DEL either.
    await runLine(node, removal, context);
    const isNo = error instanceof CommandError || error instanceof StepError ||
      error instanceof RuntimeError;
    if (isNo && !context.stopping()) return false;
    throw error;
  }
  try {
    const inside = podOn(node, newPod);
    return (await runLine(inside, trial.run, context)).code === 0;
  } finally {
    await endOnePod(site, newPod, stepRunner);
  }
}

function wrongIn(
  report: MatrixReport,
  options: Pick<WordOptions, "addresses">,
): readonly string[] {
  const { pods, paths } = report;
  const families = new Set(paths.map(({ family }) => family)).size;
  const podless = pods.filter(({ asExpected, waitsFor }) =>
    !asExpected || waitsFor !== undefined
  ).map(({ node }) => `the test pods on ${node} are not as they should be`);
  const wrong = paths.filter(({ asExpected, expected }) =>
    !asExpected || expected.answer === "no"
  ).map((path) => {
    const expected = expectedWords(path, report, options);
    const saw = observedWords(path, options);
    const family = families > 1 ? `, IPv${path.family}` : "";
    const way = `${labels[path.kind]}, ${path.from} → ${path.to}${family}`;
    return path.asExpected
      ? `${way}: ${expected}`
      : `${way}: ${saw}; it should be ${expected}`;
  });
  return [...podless, ...wrong];
}
