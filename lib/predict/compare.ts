/** What was said of the matrix before a stage ran, beside what came of it. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { type PathKind, pathKinds } from "../verify/matrix.ts";
import { labels } from "../verify/matrix_cells.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import { type Mark, markWords, outcomeOf, type Prediction } from "./mark.ts";
import { whyOf } from "./why.ts";

/** A kind of path of which something else was said than what came. */
interface WrongMark {
  readonly kind: PathKind;
  readonly label: string;
  /** In the words of the marks. */
  readonly said: string;
  readonly is: string;
  /** Why it is so, a sentence or a line of evidence each. */
  readonly why: readonly string[];
}

/** What came of a prediction. */
export interface Marked {
  /** How many kinds of path were right, */
  readonly right: number;
  /** of how many that were marked. */
  readonly of: number;
  readonly wrong: readonly WrongMark[];
}

/** Compares marks with the matrix after the stage. */
export function compareMarks(
  marks: Prediction,
  after: MatrixReport,
  cluster: Cluster,
): Marked {
  const marked = pathKinds.filter((kind) => marks[kind] !== undefined);
  const wrong = marked.flatMap((kind): WrongMark[] => {
    const said = marks[kind];
    const is = outcomeOf(kind, after, cluster);
    if (said === undefined || said === is) return [];
    return [{
      kind,
      label: labels[kind],
      said: markWords[said],
      is: outcomeWords(is),
      why: whyOf(kind, after),
    }];
  });
  const of = marked.length;
  return { right: of - wrong.length, of, wrong };
}

/** What came of a kind of path, in words. */
export function outcomeWords(is: Mark | "other"): string {
  return is === "other" ? "yes, as another address" : markWords[is];
}

/** How many were right. */
export function scoreWords(
  { right, of }: Pick<Marked, "right" | "of">,
): string {
  return right === of ? `all ${of} right` : `${right} of ${of} right`;
}
