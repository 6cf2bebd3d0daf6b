/** Exercises on a lab: set up by running a stage wrongly, marked by asking the cluster. */
import { stepKey } from "../stage/node_run.ts";
import type { StageSet } from "./stage_set.ts";
import { plans } from "../stage/plan_stages.ts";
import { type Leftover, leftovers } from "./leftovers.ts";
import { makeLine } from "../cluster/make_line.ts";
import { shellLine } from "../stage/make_command.ts";
import type { Exercise } from "./catalog.ts";
import {
  fingerprint,
  fingerprintDifference,
} from "../inventory/fingerprint.ts";
import { readJournal } from "../stage/journal.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import {
  expectedWords,
  labels,
  observedWords,
  type WordOptions,
} from "../verify/matrix_cells.ts";
import { otherNodes, stepsFor } from "../stage/run_stage.ts";
import { tellingIfSlow } from "../node/heartbeat.ts";
import type { Session } from "../cli/session.ts";
import { verifyCluster } from "../verify/run_verify.ts";
import { apply } from "../stage/engine.ts";
import type { StepResult } from "../stage/result.ts";
import type { Stage } from "../stage/stage.ts";
import type { RunContext } from "../stage/context.ts";

/** How every node's network is set, by the node's name; see fingerprint(). */
type Fingerprints = Readonly<Record<string, readonly string[]>>;

/** Asks every node how its network is set. */
export async function fingerprints(session: Session): Promise<Fingerprints> {
  const cluster = await session.cluster();
  return Object.fromEntries(
    await Promise.all(cluster.nodes.map(async ({ name }) =>
      [
        name,
        await fingerprint(
          session.reach(cluster).nodeOf(name),
          session.context,
        ),
      ] as const
    )),
  );
}

/**
 * What keeps a lab from being whole: paths that are not as they are to be after
 * all stages, and what a stage would still change. Nothing where it is.
 *
 * @throws {StepError | UnreachableError | CommandError}
 */
export async function lacks(
  session: Session,
  stageSet: StageSet,
): Promise<readonly string[]> {
  const paths = await wrongPaths(session, stageSet);
  if (paths.length > 0) return paths;
  const cluster = await session.cluster();
  const changes: string[] = [];
  const { stages } = stageSet;
  for await (
    const { stage, node, steps } of plans(
      session,
      stages,
      cluster,
    )
  ) {
    // The build is looked at whenever stage 05 runs.
    if (steps.every(({ builds }) => builds)) continue;
    changes.push(`${stage} has something to change on ${node.name}`);
  }
  return changes;
}

/**
 * The paths that do not do what they are to do after all stages, in words; in
 * a lab on which not all stages are complete, also those that are right so.
 */
export async function wrongPaths(
  session: Session,
  { probed }: StageSet,
  limit_ms?: number,
): Promise<readonly string[]> {
  const { report, known } = await tellingIfSlow(
    "every path is tried",
    session.context.announce,
    verifyCluster(session, probed, limit_ms),
  );
  return wrongIn(report, { addresses: known });
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

/** What a wrongly run stage left in the journal of its node. */
export async function leftInJournal(
  session: Session,
  exercise: Exercise,
  { stages }: StageSet,
): Promise<readonly string[]> {
  const cluster = await session.cluster();
  const right = stageOf(exercise, stages);
  const keys = (stage: Stage) =>
    stepsFor(stage, cluster, exercise.on, undefined).map((step) =>
      stepKey(step)
    );
  const wrong = new Set(keys(exercise.wrongly(right)))
    .difference(new Set(keys(right)));
  const { records } = await readJournal(
    session.reach(cluster).nodeOf(exercise.on),
    session.context,
  );
  return records.filter(({ stage, step }) =>
    stage === exercise.stage && wrong.has(step)
  ).map(({ step }) => step);
}

/** Runs the exercise's stage on its node wrongly, as far as the user lets it. */
export async function breakIt(
  session: Session,
  exercise: Exercise,
  { stages }: StageSet,
): Promise<readonly StepResult[]> {
  const stage = exercise.wrongly(stageOf(exercise, stages));
  return await runOn(session, exercise, stage, session.context);
}

/**
 * Runs it as it is to be, also after the user has interrupted: so nothing
 * broken is left behind.
 */
export async function mendIt(
  session: Session,
  exercise: Exercise,
  { stages }: StageSet,
): Promise<readonly StepResult[]> {
  return await runOn(session, exercise, stageOf(exercise, stages), {
    ...session.context,
    stopping: () => false,
    signal: new AbortController().signal,
  });
}

async function runOn(
  session: Session,
  { on }: Exercise,
  stage: Stage,
  context: RunContext,
): Promise<readonly StepResult[]> {
  const cluster = await session.cluster();
  const reach = session.reach(cluster);
  const steps = stepsFor(stage, cluster, on, undefined);
  return await apply(stage.name, reach.nodeOf(on), steps, {
    ...context,
    others: otherNodes(reach),
  });
}

/**
 * What is still to be done before an exercise counts as solved; nothing where
 * it is. As long as a path is wrong, only that is told: no cause.
 *
 * @param before how the nodes' networks were set before it was set up
 */
export async function unsolved(
  session: Session,
  exercise: Exercise,
  stageSet: StageSet,
  before: Fingerprints,
): Promise<readonly string[]> {
  const paths = await wrongPaths(session, stageSet);
  if (paths.length > 0) return paths;
  const cluster = await session.cluster();
  const different = (await changedSince(session, before))
    .map(({ node, line, is, mend }) =>
      (is === "added"
        ? `${node} has, and had not before: ${line}`
        : `${node} had before, and has no more: ${line}`) +
      (mend === undefined ? "" : `\n${shellLine(node, mend, cluster)}`)
    );
  const { stage, on } = exercise;
  const left = await leftInJournal(session, exercise, stageSet);
  const again = makeLine(stage, cluster, { ARGS: ["--node", on] });
  return [
    ...different,
    ...(different.length === 0 || left.length > 0 ? [] : [
      `what ${stage} makes, it makes again once nothing stands in its place:\n` +
      again,
    ]),
    ...(left.length === 0 ? [] : [
      `every path is right, but ${stage} was not run again on ${on}: its ` +
      `journal still has ${left.map((step) => `"${step}"`).join(" and ")}. A ` +
      "repair by hand is gone after the next reboot, and unknown to whoever " +
      `comes next\n${again}`,
    ]),
  ];
}

/** What of the nodes' networks is no longer as it was. */
async function changedSince(
  session: Session,
  before: Fingerprints,
): Promise<readonly Leftover[]> {
  const now = await fingerprints(session);
  return Object.entries(before).flatMap(([name, lines]) =>
    leftovers(name, fingerprintDifference(lines, now[name] ?? []))
  );
}

/**
 * Puts the nodes back as they were before the exercise: what was done by hand
 * goes, and its stage is run as it is to be.
 *
 * @returns what is still not as it was
 */
export async function resetExercise(
  session: Session,
  exercise: Exercise,
  stageSet: StageSet,
  before: Fingerprints,
): Promise<readonly string[]> {
  const cluster = await session.cluster();
  const { nodeOf } = session.reach(cluster);
  await mendIt(session, exercise, stageSet);
  for (const { node, mend } of await changedSince(session, before)) {
    // One that fails is among what is left.
    if (mend !== undefined) await nodeOf(node).run(mend, session.context);
  }
  await mendIt(session, exercise, stageSet);
  return (await changedSince(session, before))
    .map(({ node, line, is }) => `${node}: ${is}: ${line}`);
}

function stageOf({ stage }: Exercise, stages: readonly Stage[]): Stage {
  const found = stages.find(({ name }) => name === stage);
  if (found === undefined) throw new TypeError(`no stage ${stage}`);
  return found;
}
