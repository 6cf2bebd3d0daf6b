/** The matrix at a stop of the tour: what can reach what, and what has changed. */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { workersOf } from "../verify/matrix.ts";
import {
  changedPaths,
  matrixChanges,
  type PathChange,
} from "../verify/matrix_diff.ts";
import type { Marks } from "../verify/matrix_cells.ts";
import type { MatrixReport, PathReport } from "../verify/matrix_report.ts";
import { notes } from "../verify/matrix_notes.ts";
import { matrixTable, rowsOf, summary } from "../verify/matrix_table.ts";
import { tellingIfSlow } from "../node/heartbeat.ts";
import type { Session } from "../cli/session.ts";
import { verifyCluster } from "../verify/run_verify.ts";
import { listeners, type Listening, pings } from "./receivers.ts";
import type { Itinerary, Lesson } from "./stops.ts";
import { changesText } from "./stop_text.ts";
import { wrapLines } from "../text/wrap.ts";
import { exitCode } from "../cli/exit_code.ts";

/** How the tour speaks. */
export interface Voice {
  readonly say: (text: string) => void;
  /** Makes text stand out besides the sign that it has. */
  readonly emphasize: (text: string) => string;
  /** Columns of text that a table may take. */
  readonly width: number;
}

/** The tour ends before its end. */
export class TourEnd extends Error {
  override readonly name = "TourEnd";

  /** @param code the exit code */
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** The tour ends because the user wants it to. */
export function ended(): TourEnd {
  return new TourEnd(exitCode.interrupted, "\nThe tour ends here.");
}

/** The node that stands for the others. */
export function guideOf(cluster: Cluster): ClusterNode {
  const [first] = workersOf(cluster);
  if (first === undefined) throw new TypeError("a lab without workers");
  return first;
}

/** What was seen at a stop. */
export interface StopResult {
  readonly matrix: MatrixReport;
  /** The matrix in the words of the table; what has changed bears its sign. */
  readonly table: {
    readonly columns: readonly string[];
    readonly rows: ReturnType<typeof rowsOf>;
    /** What is wrong and why, then the sum of it. */
    readonly notes: readonly string[];
  };
  /** Absent for the first matrix of all. */
  readonly changes?: readonly PathChange[];
  /** What answers a ping, where a lesson was that this is not all. */
  readonly pings?: string;
  /** What each receiver saw, where a lesson was about that. */
  readonly listening?: readonly Listening[];
}

/**
 * Tries every path, and shows what came of it.
 *
 * @throws {StepError | UnreachableError | CommandError}
 */
export async function showMatrix(
  session: Session,
  { probed }: Itinerary,
  voice: Voice,
  { before, lesson }: {
    readonly before?: MatrixReport;
    readonly lesson?: Lesson;
  },
): Promise<StopResult> {
  const { report: matrix, known } = await tellingIfSlow(
    "09-verify: every path is tried",
    session.context.announce,
    verifyCluster(session, probed),
  );
  const cluster = await session.cluster();
  const heard = lesson === undefined
    ? {}
    : await listen(matrix, cluster, voice, lesson);
  const options = { cluster, addresses: known, width: voice.width };
  const table = (options: Parameters<typeof matrixTable>[1]) =>
    wrapLines(matrixTable(matrix, options), voice.width);
  const inCells = (marks?: Marks) => ({
    columns: matrix.pods.map(({ node }) => node),
    rows: rowsOf(matrix, { ...options, ...(marks && { marks }) }),
    notes: [
      ...notes(matrix, options),
      ...matrix.remarks,
      summary(matrix, cluster),
    ],
  });
  if (before === undefined) {
    voice.say(`${table(options)}\n`);
    return { matrix, table: inCells(), ...heard };
  }
  const changed = new Set(changedPaths(before, matrix));
  const marks: Marks = {
    has: (path: PathReport) => changed.has(path),
    emphasize: voice.emphasize,
  };
  const found = matrixChanges(before, matrix, options);
  voice.say(`${table({ ...options, marks })}\n`);
  voice.say(`${changesText(found)}\n`);
  return { matrix, table: inCells(marks), changes: found, ...heard };
}

/** What the caller and the receivers have to say. */
async function listen(
  matrix: MatrixReport,
  cluster: Cluster,
  { say }: Voice,
  { mistaken }: Lesson,
): Promise<Pick<StopResult, "pings" | "listening">> {
  const from = guideOf(cluster).name;
  const answers = mistaken ? await pings(matrix, cluster, from) : undefined;
  if (answers !== undefined) say(`${answers}\n`);
  const listening = await listeners(matrix, cluster, from);
  for (const { text } of listening) say(`${text}\n`);
  return { ...(answers === undefined ? {} : { pings: answers }), listening };
}

/**
 * Sees to it that the network is as it should be, but for a mistake that the
 * tour made itself.
 *
 * @throws {TourEnd}
 */
export function requireHealthy(
  { passed, causes }: MatrixReport,
  lesson: Lesson | undefined,
): void {
  if (!lesson?.mistaken) {
    if (passed) return;
    throw new TourEnd(
      exitCode.failed,
      "That is not what this stage should bring about; the causes are above.",
    );
  }
  const shows = causes.length > 0 &&
    causes.every(({ kind }) => kind === "masquerade");
  if (shows) return;
  throw new TourEnd(
    exitCode.failed,
    "The rule that circulates should show in this matrix, and it alone.",
  );
}
