/** What the learner says of the matrix on the page, until it is compared with what came. */
import type { Cluster } from "../cluster/cluster.ts";
import { readMarks } from "../predict/answer.ts";
import { compareMarks, type Marked, scoreWords } from "../predict/compare.ts";
import { markRows, type Prediction } from "../predict/mark.ts";
import type { MatrixState } from "./matrix_state.ts";
import { textIn } from "./orders.ts";
import type { PageEvent } from "./protocol.ts";
import { RefusedError } from "./server.ts";
import type { MarkedView, PredictView } from "./tour_protocol.ts";
import { markedView, markRowViews } from "./tour_view.ts";

/** The predictions of one studio. */
export interface Predictions {
  readonly view: (cluster: Cluster) => PredictView;
  /** Waits for the end of a run, and for the matrix after it. */
  readonly begin: (run: number, title: string, marks: Prediction) => void;
  /** Told of runs; true where the matrix is waited for from now on. */
  readonly ran: (told: PageEvent) => boolean;
  /** Told of every matrix that was read, as long as no run made it old. */
  readonly tried: (seen: MatrixState, cluster: Cluster) => void;
}

interface Waiting {
  readonly run: number;
  readonly title: string;
  readonly marks: Prediction;
  /** Whether the run has ended. */
  readonly isOver: boolean;
}

/** @param tell told of what came of each */
export function openPredictions(
  tell: (told: PageEvent) => void,
): Predictions {
  let now: MatrixState | undefined;
  let waiting: Waiting | undefined;
  let past: readonly MarkedView[] = [];
  let total: Pick<Marked, "right" | "of"> = { right: 0, of: 0 };
  const add = (view: MarkedView) => {
    waiting = undefined;
    past = [view, ...past];
    tell({ is: "predicted", said: `Your marks: ${view.score}` });
  };
  return {
    view: (cluster) => ({
      rows: markRowViews(
        markRows(cluster, now?.is === "tried" ? now.report : undefined),
      ),
      stages: now?.is === "tried"
        ? ["06-forwarding", "07-masquerade", "08-routes"]
        : ["09-verify"],
      ...(waiting === undefined ? {} : { pending: waiting.title }),
      past,
      ...(total.of === 0 ? {} : { total: scoreWords(total) }),
    }),
    begin(run, title, marks) {
      waiting = { run, title, marks, isOver: false };
    },
    ran(told) {
      if (told.is !== "ended" || told.run !== waiting?.run) return false;
      if (told.code === 0) {
        waiting = { ...waiting, isOver: true };
        return true;
      }
      const score = `not compared, the run ended: ${told.word} ` +
        `(exit code ${told.code})`;
      add({ title: waiting.title, score, wrong: [] });
      return false;
    },
    tried(seen, cluster) {
      now = seen;
      if (waiting?.isOver !== true) return;
      const { title, marks } = waiting;
      if (seen.is === "untried") {
        add({ title, score: `not compared. ${seen.why}`, wrong: [] });
        return;
      }
      const marked = compareMarks(marks, seen.report, cluster);
      total = { right: total.right + marked.right, of: total.of + marked.of };
      add(markedView(title, marked));
    },
  };
}

/**
 * The marks that the page sent.
 *
 * @throws {RefusedError}
 */
export function marksIn(given: unknown): Prediction {
  const marks = readMarks(textIn(given, "marks") ?? "");
  if (marks === undefined) {
    throw new RefusedError(400, "expected a mark for one kind of path or more");
  }
  return marks;
}
