/**
 * The tour at a terminal: brings a lab up stage by stage, each with what
 * changes and why, its commands, and what can then be seen; makes the classic
 * mistake on the way, and mends it.
 */
import { CommandError } from "../exec/command.ts";
import { compareMarks } from "../predict/compare.ts";
import { markRows, type Prediction } from "../predict/mark.ts";
import type { Session } from "../cli/session.ts";
import { exitCode } from "../cli/exit_code.ts";
import { StepError } from "../stage/errors.ts";
import { ended, requireHealthy, TourEnd, type Voice } from "./matrix_stop.ts";
import { askMarks, markedText } from "./predict_stop.ts";
import { announced, type StopReport, type TourReport } from "./report.ts";
import { announceStop, runStop } from "./stop.ts";
import { announcement } from "./stop_text.ts";
import { type Itinerary, type TourStop, tourStops } from "./stops.ts";

/** How far a tour goes, and from where. */
interface TourOptions {
  /** The stops that were made before. */
  readonly made: readonly StopReport[];
  /** How many stops are made; all that are left where absent. */
  readonly most?: number;
  /** Whether the user is asked what the matrix will be. */
  readonly predict: boolean;
  /** What the user has said of it already. */
  readonly marks?: Prediction;
  /** Told after each stop that was made, for a tour that goes on from there. */
  readonly keep: (report: TourReport) => Promise<void>;
}

/** A tour under way. */
interface Visit extends TourOptions {
  readonly session: Session;
  readonly itinerary: Itinerary;
  readonly voice: Voice;
  readonly all: readonly TourStop[];
  /** The stops so far, the one under way last. */
  readonly stops: StopReport[];
}

/**
 * Goes the way, or a part of it.
 *
 * @returns the exit code, and what was seen
 * @throws {UnreachableError | CommandError | StepError | JournalError}
 */
export async function tour(
  session: Session,
  itinerary: Itinerary,
  voice: Voice,
  options: TourOptions,
): Promise<{ readonly code: number; readonly report: TourReport }> {
  const { name: cluster } = await session.cluster();
  const all = tourStops(itinerary);
  const { made, most = all.length, keep } = options;
  const stops = [...made];
  const report = (finished: boolean): TourReport => (
    { version: 1, cluster, finished, stops }
  );
  const visit: Visit = { ...options, session, itinerary, voice, all, stops };
  const last = Math.min(all.length, made.length + most);
  try {
    while (stops.length < last) {
      await visitStop(visit);
      await keep(report(stops.length === all.length));
      if (stops.length < last) {
        await wait(visit, "Enter goes on, q ends the tour: ");
      }
    }
    return { code: exitCode.done, report: report(stops.length === all.length) };
  } catch (error) {
    const stopped = session.interrupted() &&
      (error instanceof StepError || error instanceof CommandError);
    if (!stopped && !(error instanceof TourEnd)) throw error;
    if (!stopped) voice.say(error.message);
    const code = error instanceof TourEnd ? error.code : exitCode.interrupted;
    return { code, report: report(false) };
  }
}

/** The next stop. */
async function visitStop(visit: Visit): Promise<void> {
  const { session, itinerary, voice, all, stops } = visit;
  const at = stops.length;
  const stop = all[at];
  if (stop === undefined) throw new TypeError(`no stop ${at}`);
  const told = await announceStop(session, all, at);
  const own = announced(told);
  stops.push(own);
  voice.say(`${announcement(told)}\n`);
  const marks = await marksAt(visit, stop);
  await wait(visit, "Enter runs it, q ends the tour: ");
  const before = matrixBefore(stops);
  const done = await runStop(session, itinerary, stop, voice, before);
  stops[at] = { ...own, ...done };
  const { matrix } = done;
  if (matrix === undefined) return;
  if (marks !== undefined) {
    const marked = compareMarks(marks, matrix, await session.cluster());
    voice.say(`${markedText(marked)}\n`);
    stops[at] = { ...own, ...done, prediction: { marks, ...marked } };
  }
  requireHealthy(matrix, stop.lesson);
}

/** What the user says of the matrix after a stop; undefined where nothing. */
async function marksAt(
  { session, voice, predict, marks, stops }: Visit,
  { triesPaths }: TourStop,
): Promise<Prediction | undefined> {
  if (!triesPaths || !predict) return triesPaths ? marks : undefined;
  const rows = markRows(await session.cluster(), matrixBefore(stops));
  return await askMarks(rows, voice.say, session.answer);
}

function matrixBefore(stops: readonly StopReport[]): StopReport["matrix"] {
  return stops.findLast(({ matrix }) => matrix !== undefined)?.matrix;
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
