/**
 * The tour: brings a lab up stage by stage, each with what changes and why,
 * its commands, and what can then be seen; makes the classic mistake on the
 * way, and mends it.
 */
import { noLongerWanted } from "../stage/node_run.ts";
import { withWrongMasquerade } from "../exercise/wrong_masquerade.ts";
import { CommandError, succeeded } from "../exec/command.ts";
import { plans } from "../stage/plan_stages.ts";
import { workersOf } from "../verify/matrix.ts";
import { caller } from "../verify/namespace_pods.ts";
import { missingOfPod, podSites } from "../verify/start_pods.ts";
import { worst } from "../stage/result.ts";
import { runStage } from "../stage/run_stage.ts";
import type { Session } from "../cli/session.ts";
import { look } from "../verify/situation.ts";
import type { Plan, Stage } from "../stage/stage.ts";
import {
  ended,
  guideOf,
  type Itinerary,
  type Lesson,
  requireHealthy,
  showMatrix,
  type StopResult,
  TourEnd,
  type Voice,
} from "./matrix_stop.ts";
import { announcement, condense, type Shown, transcript } from "./stop_text.ts";
import {
  type Look,
  mendingSentences,
  mistakeSentences,
  type Sentences,
  tourTexts,
} from "./stage_texts.ts";
import { frameWithinFrame } from "./frames.ts";
import { wrapLines } from "../text/wrap.ts";
import { exitCode } from "../cli/exit_code.ts";
import { StepError } from "../stage/errors.ts";

/** What a stop came to; what was seen is told from the first pods on. */
export interface StopReport extends Partial<StopResult> {
  readonly name: string;
  readonly sentences: Sentences;
  readonly shown: readonly {
    readonly on: string;
    readonly alike: readonly string[];
    readonly steps: readonly Pick<Shown["steps"][number], "why" | "run">[];
  }[];
}

/** The data form of the tour (`-o json`). */
export interface TourReport {
  readonly version: 1;
  /** The cluster's name. */
  readonly cluster: string;
  /** Whether it went to its end. */
  readonly finished: boolean;
  readonly stops: readonly StopReport[];
}

/**
 * Goes the whole way.
 *
 * @returns the exit code, and what was seen
 * @throws {UnreachableError | CommandError | StepError | JournalError}
 */
export async function tour(
  session: Session,
  itinerary: Itinerary,
  voice: Voice,
): Promise<{ readonly code: number; readonly report: TourReport }> {
  const { name: cluster } = await session.cluster();
  const stops: StopReport[] = [];
  const report = (finished: boolean): TourReport => (
    { version: 1, cluster, finished, stops }
  );
  const visit: Visit = { session, itinerary, voice, stops };
  try {
    await visitStages(visit);
    await visitMistake(visit);
    return { code: exitCode.done, report: report(true) };
  } catch (error) {
    const stopped = session.interrupted() &&
      (error instanceof StepError || error instanceof CommandError);
    if (!stopped && !(error instanceof TourEnd)) throw error;
    if (!stopped) voice.say(error.message);
    const code = error instanceof TourEnd ? error.code : exitCode.interrupted;
    return { code, report: report(false) };
  }
}

/** A tour under way. */
interface Visit {
  readonly session: Session;
  readonly itinerary: Itinerary;
  readonly voice: Voice;
  /** The stops so far, the one under way last. */
  readonly stops: StopReport[];
}

/** What a stop is, before anything is done there. */
interface Stop {
  readonly title: string;
  readonly sentences: Sentences;
  readonly shown: readonly Shown[];
}

/** Stages 01 to 08; the matrix from the first pods on. */
async function visitStages(visit: Visit): Promise<void> {
  for (const stage of visit.itinerary.stages) {
    const { sentences } = tourTexts[stage.name];
    const plan = await firstPlan(visit);
    await visitStage(visit, stage, stage.name, sentences(plan));
    if (stage.name === "05-plugin") await visitFirstPods(visit);
  }
}

/** The rule that circulates, seen by the receiver; then the real stage again. */
async function visitMistake(visit: Visit): Promise<void> {
  const { masquerade } = visit.itinerary;
  const wrong = withWrongMasquerade(masquerade);
  await visitStage(visit, wrong, "The classic mistake", mistakeSentences, {
    mistaken: true,
    goes: "Our rule goes",
  });
  const title = `${masquerade.name}, to mend it`;
  await visitStage(visit, masquerade, title, mendingSentences, {
    mistaken: false,
    goes: "The rule that circulates goes",
  });
}

/** @param lesson where a rule is put in place of another, and the receivers are asked */
async function visitStage(
  visit: Visit,
  stage: Stage,
  title: string,
  sentences: Sentences,
  lesson?: Lesson,
): Promise<void> {
  const { session, voice, stops } = visit;
  const cluster = await session.cluster();
  const found = await Array.fromAsync(plans(session, [stage], cluster));
  const names = cluster.nodes.map(({ name }) => name);
  const shown = condense(found, guideOf(cluster).name, names)
    .map((one) => lesson === undefined ? one : inWords(one, lesson));
  await announce(visit, { title, sentences, shown });
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
  const effect = tourTexts[stage.name].look?.(await session.cluster());
  if (effect !== undefined) await showEffect(visit, effect);
  if (stops.some(({ matrix }) => matrix !== undefined)) {
    await tryPathsAt(visit, lesson);
  }
  if (stage.name === "08-routes") await showFrames(visit);
  await goOn(visit);
}

/** Stage 09 for the first time. */
async function visitFirstPods(visit: Visit): Promise<void> {
  const { session } = visit;
  const plan = await firstPlan(visit);
  const { cluster } = plan;
  const situation = await look(
    cluster,
    session.reach(cluster),
    session.context,
  );
  const [site] = podSites(situation, [plan.node.name]);
  const shown: Shown[] = site === undefined ? [] : [{
    on: site.node.name,
    alike: workersOf(cluster).map(({ name }) => name)
      .filter((name) => name !== site.node.name),
    exactly: false,
    // What 09 keeps for itself is no part of a pod's birth.
    steps: missingOfPod(site, caller).start
      .filter(({ run }) => run.writes === undefined),
  }];
  await announce(visit, {
    title: "09-verify, and from here on after every stage",
    sentences: tourTexts["09-verify"].sentences(plan),
    shown,
  });
  await tryPathsAt(visit);
  await goOn(visit);
}

/** Shows what a stage has done, as long as there are no pods to ask. */
async function showEffect(
  { session, voice }: Visit,
  { on, command }: Look,
): Promise<void> {
  const cluster = await session.cluster();
  const { operator, nodeOf } = session.reach(cluster);
  const node = on === "operator" ? operator : nodeOf(guideOf(cluster).name);
  const outcome = await node.run(command);
  if (!succeeded(outcome)) {
    throw new CommandError(node.name, command, outcome, "look at it");
  }
  const where = on === "operator" ? "" : node.name;
  voice.say(`${transcript(where, command, outcome.stdout)}\n`);
}

/** Shows what a tunnel makes of a packet, where there are tunnels. */
async function showFrames({ session, voice, stops }: Visit): Promise<void> {
  const cluster = await session.cluster();
  const matrix = stops.at(-1)?.matrix;
  if (matrix === undefined) return;
  const guide = guideOf(cluster).name;
  const frames = await frameWithinFrame(matrix, cluster, guide);
  if (frames !== undefined) voice.say(`${wrapLines(frames, voice.width)}\n`);
}

/** Tries every path, shows what has changed, and adds it to the report of the stop. */
async function tryPathsAt(
  { session, itinerary, voice, stops }: Visit,
  lesson?: Lesson,
): Promise<void> {
  const before = stops.findLast(({ matrix }) => matrix !== undefined)?.matrix;
  const seen = await showMatrix(session, itinerary, voice, {
    ...(before === undefined ? {} : { before }),
    ...(lesson === undefined ? {} : { lesson }),
  });
  const stop = stops.pop();
  if (stop !== undefined) stops.push({ ...stop, ...seen });
  requireHealthy(seen.matrix, lesson);
}

/** How many stops a tour has: the stages, 09, the mistake and its mending. */
function stopCount({ stages }: Itinerary): number {
  return stages.length + 3;
}

async function announce(visit: Visit, stop: Stop): Promise<void> {
  const { stops, itinerary, voice } = visit;
  const { title, sentences, shown } = stop;
  stops.push({
    name: title,
    sentences,
    shown: shown.map(({ on, alike, steps }) => ({
      on,
      alike,
      steps: steps.map(({ why, run }) => ({ why, run })),
    })),
  });
  const counts = { number: stops.length, of: stopCount(itinerary) };
  voice.say(`${announcement({ ...stop, ...counts })}\n`);
  await wait(visit, "Enter runs it, q ends the tour: ");
}

async function goOn(visit: Visit): Promise<void> {
  if (visit.stops.length === stopCount(visit.itinerary)) return;
  await wait(visit, "Enter goes on, q ends the tour: ");
}

/** @throws {TourEnd} when the user wants no more */
async function wait(
  { session, voice }: Visit,
  question: string,
): Promise<void> {
  if (session.interrupted()) throw ended();
  if (session.flags.yes) return;
  const answer = await session.answer(question);
  if (answer === undefined || /^q/i.test(answer)) throw ended();
  voice.say("");
}

/** The cluster as it is known now, and the node that stands for the others. */
async function firstPlan({ session }: Visit): Promise<Plan> {
  const cluster = await session.cluster();
  return { cluster, node: guideOf(cluster) };
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
