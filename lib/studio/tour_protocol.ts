/** What the server of the studio tells its page of the tour and of predictions. */
import type { CellTone } from "./protocol.ts";

/** A kind of path that can be marked. */
export interface MarkRowView {
  readonly kind: string;
  readonly label: string;
  /** How it is now, in words. */
  readonly now: string;
  readonly nowMark: string;
  readonly choices: readonly {
    readonly mark: string;
    readonly words: string;
  }[];
}

/** What came of marks. */
export interface MarkedView {
  readonly title: string;
  /** How many were right, or why they were not compared. */
  readonly score: string;
  readonly wrong: readonly {
    readonly label: string;
    readonly said: string;
    readonly is: string;
    readonly why: readonly string[];
  }[];
}

/** What can be predicted now, and what was. */
export interface PredictView {
  readonly rows: readonly MarkRowView[];
  /** The stages that change the matrix as it is. */
  readonly stages: readonly string[];
  /** The run that is waited for. */
  readonly pending?: string;
  /** The latest first. */
  readonly past: readonly MarkedView[];
  /** All marks that were compared. */
  readonly total?: string;
}

/** The matrix at a stop. */
export interface StopTable {
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly label: string;
    readonly cells: readonly {
      readonly text: string;
      readonly tone: CellTone;
    }[];
  }[];
  readonly notes: readonly string[];
}

/** A stop of the tour, before it is run or after. */
export interface StopView {
  readonly title: string;
  readonly number: number;
  readonly text: string;
  readonly commands: readonly {
    readonly where: string;
    readonly script: string;
  }[];
  /** What was seen once it had run: what commands and receivers said. */
  readonly said: readonly string[];
  readonly table?: StopTable;
  /** What became another, a line each; absent where there was no matrix before. */
  readonly changes?: readonly string[];
  readonly marked?: MarkedView;
}

/** The tour as far as it went. */
export interface TourView {
  /** How many stops there are. */
  readonly of: number;
  readonly made: readonly StopView[];
  /** The stop that is run next; absent at the end. */
  readonly next?: StopView;
  /** What can be said of the matrix after it; none where none is tried. */
  readonly rows: readonly MarkRowView[];
  /** The lab that is there already, or why the tour cannot go on. */
  readonly note?: string;
  readonly mayRun: boolean;
  /** Where it is at its end. */
  readonly ending?: string;
}
