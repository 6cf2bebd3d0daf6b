/** One stop of the tour: what is told before, and what is done there. */
import { CommandError, succeeded } from "../exec/command.ts";
import { plans } from "../stage/plan_stages.ts";
import { exitCode } from "../cli/exit_code.ts";
import type { Session } from "../cli/session.ts";
import type { StageRun } from "../stage/context.ts";
import { noLongerWanted } from "../stage/node_run.ts";
import { worst } from "../stage/result.ts";
import { runStage } from "../stage/run_stage.ts";
import type { Plan, Stage } from "../stage/stage.ts";
import { workersOf } from "../verify/matrix.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import { caller } from "../verify/namespace_pods.ts";
import { look } from "../verify/situation.ts";
import { missingOfPod, podSites } from "../verify/start_pods.ts";
import {
  ended,
  guideOf,
  showMatrix,
  type StopResult,
  TourEnd,
  type Voice,
} from "./matrix_stop.ts";
import { wrapLines } from "../text/wrap.ts";
import { frameWithinFrame } from "./frames.ts";
import type { Look } from "./stage_texts.ts";
import {
  type Announcement,
  condense,
  type Shown,
  transcript,
} from "./stop_text.ts";
import type { Itinerary, Lesson, TourStop } from "./stops.ts";

/**
 * What is told of a stop before anything is done there, asked of the nodes.
 *
 * @param at its place among all stops
 * @param unasked all of its commands, without asking what is there already
 * @throws {UnreachableError | CommandError | JournalError | StepError}
 */
export async function announceStop(
  run: StageRun,
  stops: readonly TourStop[],
  at: number,
  unasked = false,
): Promise<Announcement> {
  const stop = stops[at];
  if (stop === undefined) throw new TypeError(`no stop ${at}`);
  const cluster = await run.cluster();
  const plan: Plan = { cluster, node: guideOf(cluster) };
  const shown = stop.stage === undefined
    ? await firstPods(run, plan)
    : await stageCommands(run, stop.stage, plan, unasked);
  const { title, lesson, sentences } = stop;
  return {
    title,
    number: at + 1,
    of: stops.length,
    sentences: sentences(plan),
    shown: lesson === undefined
      ? shown
      : shown.map((one) => inWords(one, lesson)),
  };
}

async function stageCommands(
  run: StageRun,
  stage: Stage,
  { cluster, node }: Plan,
  unasked: boolean,
): Promise<readonly Shown[]> {
  const found = await Array.fromAsync(plans(run, [stage], cluster, unasked));
  return condense(found, node.name, cluster.nodes.map(({ name }) => name));
}

/** How the first pod of a worker is started. */
async function firstPods(
  run: StageRun,
  { cluster, node }: Plan,
): Promise<readonly Shown[]> {
  const situation = await look(cluster, run.reach(cluster), run.context);
  const [site] = podSites(situation, [node.name]);
  if (site === undefined) return [];
  return [{
    on: site.node.name,
    alike: workersOf(cluster).map(({ name }) => name)
      .filter((name) => name !== site.node.name),
    exactly: false,
    // What 09 keeps for itself is no part of a pod's birth.
    steps: missingOfPod(site, caller).start
      .filter(({ run }) => run.writes === undefined),
  }];
}

/** The reason why the engine takes a step back, which only the tour knows. */
function inWords(shown: Shown, { goes }: Lesson): Shown {
  return {
    ...shown,
    steps: shown.steps.map((step) =>
      step.why === noLongerWanted ? { ...step, why: goes } : step
    ),
  };
}

/** What was done and seen at a stop. */
export interface StopEffect extends Partial<StopResult> {
  /** A command that was run to show what the stage has done, and what it printed. */
  readonly effect?: string;
  /** A ping in its tunnel, as tcpdump printed it. */
  readonly frames?: string;
}

/**
 * Does what a stop is for, and tells what is seen then.
 *
 * @param before the matrix of the stop before
 * @throws {TourEnd} where the stage failed, or the user wants no more
 * @throws {UnreachableError | CommandError | JournalError | StepError}
 */
export async function runStop(
  session: Session,
  itinerary: Itinerary,
  { stage, lesson, look, triesPaths }: TourStop,
  voice: Voice,
  before: MatrixReport | undefined,
): Promise<StopEffect> {
  if (stage !== undefined) await apply(session, stage, voice);
  const wanted = look?.(await session.cluster());
  const effect = wanted && await showEffect(session, voice, wanted);
  const seen: Partial<StopResult> = triesPaths
    ? await showMatrix(session, itinerary, voice, {
      ...(before === undefined ? {} : { before }),
      ...(lesson === undefined ? {} : { lesson }),
    })
    : {};
  const frames = stage?.name === "08-routes"
    ? await showFrames(session, voice, seen.matrix)
    : undefined;
  return {
    ...(effect === undefined ? {} : { effect }),
    ...seen,
    ...(frames === undefined ? {} : { frames }),
  };
}

/** Shows what a tunnel makes of a packet, where there are tunnels. */
async function showFrames(
  session: Session,
  voice: Voice,
  matrix: MatrixReport | undefined,
): Promise<string | undefined> {
  if (matrix === undefined) return undefined;
  const cluster = await session.cluster();
  const guide = guideOf(cluster).name;
  const frames = await frameWithinFrame(matrix, cluster, guide);
  if (frames !== undefined) voice.say(`${wrapLines(frames, voice.width)}\n`);
  return frames;
}

async function apply(
  session: Session,
  stage: Stage,
  voice: Voice,
): Promise<void> {
  const results = await runStage(session, stage);
  if (session.interrupted()) throw ended();
  const code = exitCode[worst(results)];
  if (code !== exitCode.done) {
    throw new TourEnd(
      code,
      `${stage.name} failed; what to do stands with the error.`,
    );
  }
  const changed = results.filter(({ status }) => status === "changed").length;
  voice.say(`Done: changed ${changed}\n`);
}

/** Shows what a stage has done. */
async function showEffect(
  session: Session,
  voice: Voice,
  { on, command }: Look,
): Promise<string> {
  const cluster = await session.cluster();
  const { operator, nodeOf } = session.reach(cluster);
  const node = on === "operator" ? operator : nodeOf(guideOf(cluster).name);
  const outcome = await node.run(command);
  if (!succeeded(outcome)) {
    throw new CommandError(node.name, command, outcome, "look at it");
  }
  const where = on === "operator" ? "" : node.name;
  const said = transcript(where, command, outcome.stdout);
  voice.say(`${said}\n`);
  return said;
}
