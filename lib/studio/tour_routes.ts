/** The tour for the page: its stops are asked of the nodes, and run by a script. */
import { reachOf } from "../cli/connect.ts";
import { requireLab } from "../cli/whole_lab.ts";
import { UsageError } from "../cli/usage_error.ts";
import { makeLine } from "../cluster/make_line.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { ClusterFileError } from "../cluster/yaml.ts";
import { CommandError } from "../exec/command.ts";
import { UnreachableError } from "../node/node.ts";
import { marksText, readMarks } from "../predict/answer.ts";
import { markRows } from "../predict/mark.ts";
import type { RunContext, StageRun } from "../stage/context.ts";
import { JournalError, StepError } from "../stage/errors.ts";
import type { Stage } from "../stage/stage.ts";
import { cannotGoOn, keptTour, wayOf } from "../tour/lab.ts";
import { scoreText } from "../tour/predict_stop.ts";
import { announced, type StopReport } from "../tour/report.ts";
import { announceStop } from "../tour/stop.ts";
import { tourStops } from "../tour/stops.ts";
import { textIn } from "./orders.ts";
import { clusterAsKnown } from "./reading.ts";
import { RefusedError } from "./server.ts";
import { markRowViews, stopView } from "./tour_view.ts";
import type { TourView } from "./tour_protocol.ts";

/** What the tour of the page is made of. */
interface TourMeans {
  /** The cluster's file. */
  readonly file: string;
  readonly stages: readonly Stage[];
  readonly probed: readonly Stage[];
  readonly context: RunContext;
}

/**
 * The tour as far as it went, and its next stop.
 *
 * @param given `anew`: as if there were none yet
 * @throws {RefusedError}
 */
export async function tourView(
  given: URLSearchParams,
  cluster: Cluster,
  means: TourMeans,
): Promise<TourView> {
  checkLab(cluster);
  const kept = given.has("anew") ? undefined : await keptTour(cluster);
  const made = kept?.stops ?? [];
  const { stages, probed } = means;
  const masquerade = stages.find(({ name }) => name === "07-masquerade");
  if (masquerade === undefined) throw new TypeError("no 07-masquerade");
  const stops = tourStops({ stages, probed, masquerade });
  const view: Omit<TourView, "mayRun"> = {
    of: stops.length,
    made: made.map(stopView),
    rows: [],
  };
  if (made.length === stops.length) {
    const ending =
      "The tour is at its end: every pod reaches every pod without " +
      "NAT. The lab stays, for the exercises (make exercise).";
    const score = scoreText(made);
    return {
      ...view,
      ending: [ending, score ?? ""].join("\n").trim(),
      mayRun: false,
    };
  }
  if (made.length === 0) {
    const way = await wayOf(cluster);
    return {
      ...view,
      next: stopView(await next(means, stops, 0, true), 0),
      ...(way.is === "clear" ? {} : {
        note: way.is === "ours" ? `${way.says} ${goesFirst}` : way.says,
      }),
      mayRun: way.is !== "occupied",
    };
  }
  const why = cannotGoOn(kept, cluster);
  if (why !== undefined) return { ...view, note: why, mayRun: false };
  const at = made.length;
  const before = made.findLast(({ matrix }) => matrix !== undefined)?.matrix;
  const rows = stops[at]?.triesPaths ? markRows(cluster, before) : [];
  return {
    ...view,
    next: stopView(await next(means, stops, at, false), at),
    rows: markRowViews(rows),
    mayRun: true,
  };
}

const goesFirst = "Stop 1 takes it down first.";

function checkLab(cluster: Cluster): void {
  try {
    requireLab(cluster, "the tour");
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new RefusedError(409, error.message);
  }
}

/** @throws {RefusedError} where the nodes cannot be asked now */
async function next(
  { file, context }: TourMeans,
  stops: ReturnType<typeof tourStops>,
  at: number,
  unasked: boolean,
): Promise<StopReport> {
  const run: StageRun = {
    ...{ context, undo: false, nodes: [], form: undefined, results: [] },
    cluster: () => clusterAsKnown(file),
    selected: ({ nodes }) => nodes.map(({ name }) => name),
    reach: reachOf,
  };
  try {
    return announced(await announceStop(run, stops, at, unasked));
  } catch (error) {
    const isExpected = error instanceof UnreachableError ||
      error instanceof CommandError || error instanceof StepError ||
      error instanceof JournalError || error instanceof ClusterFileError;
    if (!isExpected) throw error;
    throw new RefusedError(502, error.message);
  }
}

/**
 * The script that runs the next stop.
 *
 * @param given `number`: the stop that the page shows; `anew`; `marks`
 * @throws {RefusedError}
 */
export async function readStop(given: unknown, cluster: Cluster): Promise<{
  readonly title: string;
  readonly script: string;
  readonly args: readonly string[];
}> {
  const isAnew = textIn(given, "anew") !== undefined;
  const kept = isAnew ? undefined : await keptTour(cluster);
  const number = (kept?.stops.length ?? 0) + 1;
  if (textIn(given, "number") !== String(number)) {
    throw new RefusedError(
      409,
      `the tour is at stop ${number} by now: look at it again`,
    );
  }
  const said = textIn(given, "marks");
  const marks = said === undefined ? undefined : readMarks(said);
  if (said !== undefined && marks === undefined) {
    throw new RefusedError(400, "expected marks of kinds of path");
  }
  const way = ["-y", ...(number === 1 ? [] : ["--go-on"]), "--stops", "1"];
  const args = [
    ...way,
    ...(marks === undefined ? [] : ["--marks", marksText(marks)]),
  ];
  // The marks stand in the page, and would make a long line.
  const title = makeLine("tour", cluster, { ARGS: way });
  return { title, script: "tour", args };
}
