/**
 * Whether an exercise is solved: every path right, and nothing on the nodes
 * otherwise than before it.
 */
import { cmd, type RunOptions } from "../exec/command.ts";
import {
  fingerprint,
  fingerprintDifference,
} from "../inventory/fingerprint.ts";
import { makeLine } from "../cluster/make_line.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { shellLine } from "../stage/make_command.ts";
import type { StageRun } from "../stage/context.ts";
import { paths, podNames } from "../verify/namespace_pods.ts";
import { type Exercise, isStageFault } from "./exercise.ts";
import { applyStages, leftInJournal, mendIt } from "./faults.ts";
import { type Leftover, leftovers } from "./leftovers.ts";
import type { Fingerprints, OpenExercise } from "./progress_file.ts";
import type { StageSet } from "./stage_set.ts";
import { drifted, wrongPaths } from "./wrong_paths.ts";

/** Asks every node how its network is set, and its test pods' networks. */
export async function fingerprints(run: StageRun): Promise<Fingerprints> {
  const cluster = await run.cluster();
  const { nodeOf } = run.reach(cluster);
  const options: RunOptions = run.context;
  return Object.fromEntries(
    await Promise.all(cluster.nodes.map(async ({ name, role }) => {
      const node = nodeOf(name);
      const pods = new Map(
        role === "worker"
          ? podNames.map((pod) => [pod, paths.sandbox(pod)] as const)
          : [],
      );
      return [name, await fingerprint(node, pods, options)] as const;
    })),
  );
}

/** What of the nodes' networks is no longer as it was. */
export async function changedSince(
  run: StageRun,
  before: Fingerprints,
): Promise<readonly Leftover[]> {
  return differences(before, await fingerprints(run));
}

function differences(
  before: Fingerprints,
  now: Fingerprints,
): readonly Leftover[] {
  return Object.entries(before).flatMap(([name, lines]) =>
    leftovers(name, fingerprintDifference(lines, now[name] ?? []))
  );
}

/**
 * What is still to be done before an exercise counts as solved; nothing where
 * it is. As long as something does not work, only that is told: no cause.
 */
export async function unsolved(
  run: StageRun,
  exercise: Exercise,
  stageSet: StageSet,
  { before, broken }: OpenExercise,
): Promise<readonly string[]> {
  const wrong = await wrongPaths(run, stageSet, exercise);
  if (wrong.length > 0) return wrong;
  const cluster = await run.cluster();
  const fault = new Set(
    broken === undefined
      ? []
      : differences(before, broken).map(({ node, line }) => `${node} ${line}`),
  );
  const different = await changedSince(run, before);
  const isFault = ({ node, line }: Leftover) => fault.has(`${node} ${line}`);
  const left = await leftInJournal(run, exercise, stageSet);
  const told = [
    ...different.filter(isFault).map((one) =>
      `what broke it is still there: ${words(one, cluster)}`
    ),
    ...different.filter((one) => !isFault(one)).map((one) =>
      words(one, cluster)
    ),
    ...byStage(exercise, different, left, cluster),
  ];
  if (told.length > 0) return told;
  return await drifted(run, stageSet);
}

/** What it is, and a line for the operator's shell that mends it, where one does. */
function words({ node, line, is, mend }: Leftover, cluster: Cluster): string {
  return (is === "added"
    ? `${node} has, and had not before: ${line}`
    : `${node} had before, and has no more: ${line}`) +
    (mend === undefined ? "" : `\n${shellLine(node, mend, cluster)}`);
}

/** What a stage has to do yet. */
function byStage(
  { repairs }: Exercise,
  different: readonly Leftover[],
  left: readonly string[],
  cluster: Cluster,
): readonly string[] {
  return repairs.flatMap((repair) => {
    if (!("stage" in repair)) return [];
    const { stage, on } = repair;
    const again = makeLine(stage, cluster, { ARGS: ["--node", on] });
    const waits = different.some(({ node, mend }) =>
      node === on && mend === undefined
    );
    if (left.length > 0) {
      return [
        `every path is right, but ${stage} was not run again on ${on}: its ` +
        `journal still has ${
          left.map((step) => `"${step}"`).join(" and ")
        }. A ` +
        "repair by hand is gone after the next reboot, and unknown to whoever " +
        `comes next\n${again}`,
      ];
    }
    return waits
      ? [
        `what ${stage} makes, it makes again once nothing stands in its ` +
        `place:\n${again}`,
      ]
      : [];
  });
}

/**
 * Puts the nodes back as they were before the exercise: what was done by hand
 * goes, and what stages make is made again.
 *
 * @returns what is still not as it was
 */
export async function putBack(
  run: StageRun,
  exercise: Exercise,
  stageSet: StageSet,
  before: Fingerprints,
): Promise<readonly string[]> {
  const cluster = await run.cluster();
  const { nodeOf } = run.reach(cluster);
  await mendIt(run, exercise, stageSet);
  const first = await changedSince(run, before);
  if (first.length === 0 && !exercise.faults.some(isStageFault)) return [];
  for (const { node, mend } of first) {
    if (mend === undefined) continue;
    // One that fails is among what is left. That a pod is gone must not look
    // like a node that is (nsenter's exit code 1).
    const tried = cmd`sh -c ${'"$@" || exit 2'} mend ${mend.argv}`;
    await nodeOf(node).run(tried, run.context);
  }
  await mendIt(run, exercise, stageSet);
  for (const node of new Set(first.map(({ node }) => node))) {
    await applyStages(run, node, stageSet);
  }
  return (await changedSince(run, before)).map((one) => words(one, cluster));
}
