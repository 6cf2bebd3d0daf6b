/** What the server of the studio tells its page, and what the page asks of it. */

/** How a cell of the page looks, besides what it says. */
export type CellTone = "good" | "bad" | "quiet";

/** A place of the picture that can be chosen: a node, a pod of it, or the host outside. */
export interface PagePlace {
  readonly node: string;
  /** What people call the pod. */
  readonly pod?: string;
  /** The pod's network namespace, which is what a trace and a terminal go by. */
  readonly sandbox?: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** What is new there since it was looked at last. */
  readonly isNew: boolean;
}

/** How a stage stands on a node. */
export interface StageCell {
  readonly node: string;
  readonly text: string;
  readonly tone: CellTone;
}

/** A stage, and how it stands on each node. */
export interface StageRow {
  readonly name: string;
  readonly summary: string;
  readonly cells: readonly StageCell[];
}

/** A cell of the matrix. */
export interface MatrixCell {
  readonly text: string;
  readonly tone: CellTone;
  /** The ends of a path of it, as a trace takes them. */
  readonly from?: string;
  readonly to?: string;
  /** What is wrong, with its evidence and what mends it. */
  readonly cause?: string;
}

/** A kind of path, and what came of it from each node's pods. */
interface MatrixRow {
  readonly label: string;
  readonly cells: readonly MatrixCell[];
}

/** A hop of a trace, and the way to it. */
export interface WalkStep {
  readonly direction: "there" | "back";
  /** Where the packet is, in words. */
  readonly where: string;
  readonly outcome: string;
  readonly addresses: string;
  /** What decided there. */
  readonly by: readonly string[];
  /** The corners of the way from the step before, this step's place last. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A trace as the page shows it. */
export interface TraceView {
  readonly title: string;
  readonly verdict: string;
  readonly isWell: boolean;
  readonly steps: readonly WalkStep[];
  /** The whole of it, as `make trace` prints it. */
  readonly text: string;
}

/** All that the page shows of the cluster. */
export interface PageState {
  readonly cluster: string;
  readonly nodes: readonly string[];
  readonly picture: {
    readonly svg: string;
    readonly width: number;
    readonly height: number;
    readonly places: readonly PagePlace[];
  };
  readonly stages: readonly StageRow[];
  readonly matrix: {
    readonly columns: readonly string[];
    readonly rows: readonly MatrixRow[];
    readonly summary: string;
  };
  readonly trace?: TraceView;
  /** One line: what was seen, or what is new. */
  readonly said: string;
  /** Why this is not all there is to see. */
  readonly problem?: string;
}

/** A hint of an exercise: where to look, and the line that looks there. */
interface ShownHint {
  readonly says: string;
  readonly run: string;
}

/** What an exercise was about. */
export interface ShownExplanation {
  readonly number: number;
  readonly says: string;
  /** The line that shows the cause while it is there. */
  readonly shows: string;
  /** The lines that repair it. */
  readonly mends: readonly string[];
}

/** An exercise, and how far it is. */
export interface ShownExercise {
  readonly number: number;
  readonly title: string;
  readonly story: string;
  readonly goal: string;
  readonly state: "not begun" | "open" | "solved";
  /** Those that were asked for. */
  readonly hints: readonly ShownHint[];
  /** The ends of the path to trace. */
  readonly from: string;
  readonly to: string;
  /** Of that path, where it is not the cluster's first. */
  readonly family?: string;
  /** Once it is solved. */
  readonly explanation?: ShownExplanation;
}

/** The exercises by their difficulty. */
export interface ExercisesView {
  readonly steps: readonly {
    readonly title: string;
    readonly exercises: readonly ShownExercise[];
  }[];
  /** The exercise that nothing is told of, while it is under way. */
  readonly surprise?: {
    readonly says: string;
    readonly hints: readonly ShownHint[];
  };
  /** Why there are none. */
  readonly refusal?: string;
  /** The line of the one that is being set up, checked or taken back now. */
  readonly working?: string;
}

/** What came of a button of an exercise. */
export interface ExerciseAnswer {
  readonly says: string;
  readonly isWell: boolean;
  /** What is still to be done; each may have lines to paste behind its first. */
  readonly problems: readonly string[];
  readonly explanation?: ShownExplanation;
}

/** What the server tells the page, as it happens. */
export type PageEvent =
  | { readonly is: "state"; readonly state: PageState }
  | { readonly is: "exercises"; readonly exercises: ExercisesView }
  /** Another page is open; this one is told nothing. */
  | { readonly is: "occupied" }
  /** Another page took the place of this one. */
  | { readonly is: "taken" }
  /** Marks were compared with the matrix, or cannot be. */
  | { readonly is: "predicted"; readonly said: string }
  | { readonly is: "began"; readonly run: number; readonly title: string }
  | { readonly is: "output"; readonly run: number; readonly text: string }
  | {
    readonly is: "ended";
    readonly run: number;
    readonly code: number;
    /** What the exit code means. */
    readonly word: string;
  };

/** A stage in words. */
export interface StageWords {
  /** Why there is something to do, a sentence each; none where the cluster is no lab. */
  readonly why: readonly string[];
  /** All of its commands, as a script. */
  readonly commands: string;
  /** The commands that a run would execute now. */
  readonly pending: string;
}

/** A command that was asked of a machine, and what it said. */
export interface ShownCommand {
  readonly title: string;
  readonly command: string;
  readonly output: string;
}
