/**
 * What can be done with the exercises of a lab: start, hint, check, explain
 * and reset. Each returns a value and prints nothing.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { succeeded } from "../exec/command.ts";
import { netemQuestion } from "../impair/impairment.ts";
import type { StageRun } from "../stage/context.ts";
import { StepError } from "../stage/errors.ts";
import { exercises } from "./catalog.ts";
import type { Exercise } from "./exercise.ts";
import { breakIt, leftInJournal } from "./faults.ts";
import {
  type ExerciseBook,
  type OpenExercise,
  readExerciseBook,
  writeExerciseBook,
} from "./progress_file.ts";
import { changedSince, fingerprints, putBack, unsolved } from "./solved.ts";
import type { StageSet } from "./stage_set.ts";
import { lacks, wrongPaths } from "./wrong_paths.ts";

/** A lab, and the stages that made it. */
export interface ExerciseLab {
  readonly run: StageRun;
  readonly stageSet: StageSet;
}

/** What came of setting one up. */
type Started =
  | {
    readonly is: "open";
    readonly already: boolean;
    readonly wrong: readonly string[];
  }
  /** Another one is under way. */
  | { readonly is: "busy"; readonly other: Exercise; readonly hidden: boolean }
  /** The kernel has not what it is made with. */
  | { readonly is: "lacking"; readonly what: string }
  | { readonly is: "not whole"; readonly missing: readonly string[] }
  /** Something lets through what it should break; it is taken back. */
  | { readonly is: "no effect" }
  | { readonly is: "interrupted" }
  /** A step of it failed; it is taken back. */
  | { readonly is: "failed" };

/**
 * Sets an exercise up: in a whole lab alone, and only while no other is under
 * way. What cannot be set up leaves nothing behind.
 *
 * @param hidden whether nothing is to be told of it
 * @throws {StepError | UnreachableError | CommandError}
 */
export async function startExercise(
  lab: ExerciseLab,
  exercise: Exercise,
  hidden = false,
): Promise<Started> {
  const { run, stageSet } = lab;
  const cluster = await run.cluster();
  const { id } = exercise;
  const under = await underWay(lab);
  if (under !== undefined && under.exercise.id !== id) {
    return { is: "busy", ...under, other: under.exercise };
  }
  const book = await readExerciseBook(cluster);
  const own = book.begun[id];
  if (under !== undefined && own?.broken !== undefined && !own.solved) {
    if (under.hidden !== hidden) {
      return { is: "busy", ...under, other: exercise };
    }
    return { is: "open", already: true, wrong: [] };
  }
  if (exercise.needs !== undefined) {
    const [{ on }] = exercise.faults;
    const asked = run.reach(cluster).nodeOf(on).run(netemQuestion());
    if (!succeeded(await asked)) return { is: "lacking", what: exercise.needs };
  }
  // The run that set it up was cut off, or it was broken and solved before.
  if (own !== undefined) await putBack(run, exercise, stageSet, own.before);
  const missing = await lacks(run, stageSet);
  if (missing.length > 0) return { is: "not whole", missing };
  const before = await fingerprints(run);
  const begin = async (entry: OpenExercise) =>
    await writeExerciseBook(cluster, {
      ...book,
      begun: { ...book.begun, [id]: entry },
      ...(hidden ? { surprise: id } : {}),
    });
  await begin({ hints: 0, before });
  const came = await breakAndTry(lab, exercise);
  if (came.is === "open") {
    await begin({ hints: 0, before, broken: came.broken });
    return { is: "open", already: false, wrong: came.wrong };
  }
  await putBack(run, exercise, stageSet, before);
  await writeExerciseBook(cluster, without(book, id));
  return came;
}

type Came =
  | Exclude<Started, { readonly is: "open" | "busy" | "lacking" | "not whole" }>
  | {
    readonly is: "open";
    readonly broken: NonNullable<OpenExercise["broken"]>;
    readonly wrong: readonly string[];
  };

/** Breaks it, and sees to it that this shows. */
async function breakAndTry(
  { run, stageSet }: ExerciseLab,
  exercise: Exercise,
): Promise<Came> {
  const { context } = run;
  try {
    const isDone = await breakIt(run, exercise, stageSet);
    if (context.stopping()) return { is: "interrupted" };
    if (!isDone) return { is: "failed" };
    const broken = await fingerprints(run);
    const wrong = await wrongPaths(run, stageSet, exercise);
    if (context.stopping()) return { is: "interrupted" };
    return wrong.length === 0
      ? { is: "no effect" }
      : { is: "open", broken, wrong };
  } catch (error) {
    if (!(error instanceof StepError && context.stopping())) throw error;
    return { is: "interrupted" };
  }
}

/** The exercise whose fault is in the lab now, as far as it is remembered. */
async function underWay({ run, stageSet }: ExerciseLab): Promise<
  { readonly exercise: Exercise; readonly hidden: boolean } | undefined
> {
  const cluster = await run.cluster();
  const book = await readExerciseBook(cluster);
  for (const exercise of exercises(cluster)) {
    const entry = book.begun[exercise.id];
    if (entry === undefined || entry.solved) continue;
    const hidden = book.surprise === exercise.id;
    // Whatever repaired it meanwhile, make up among it, ended it.
    const left = await leftInJournal(run, exercise, stageSet);
    const isThere = left.length > 0 ||
      (await changedSince(run, entry.before)).length > 0;
    if (isThere) return { exercise, hidden };
  }
  return undefined;
}

/**
 * Gives one hint more.
 *
 * @returns how many were given by now; undefined where it is not set up
 */
export async function giveHint(
  cluster: Cluster,
  { id, hints }: Exercise,
): Promise<number | undefined> {
  const book = await readExerciseBook(cluster);
  const entry = book.begun[id];
  if (entry === undefined) return undefined;
  const given = Math.min(entry.hints + 1, hints.length);
  await writeExerciseBook(cluster, {
    ...book,
    begun: { ...book.begun, [id]: { ...entry, hints: given } },
  });
  return given;
}

/**
 * Marks an exercise by asking the cluster.
 *
 * @returns what is still to be done, nothing where it is solved; undefined
 *   where it is not set up
 * @throws {StepError | UnreachableError | CommandError}
 */
export async function checkExercise(
  { run, stageSet }: ExerciseLab,
  exercise: Exercise,
): Promise<readonly string[] | undefined> {
  const cluster = await run.cluster();
  const book = await readExerciseBook(cluster);
  const { id } = exercise;
  const entry = book.begun[id];
  if (entry === undefined) return undefined;
  const problems = await unsolved(run, exercise, stageSet, entry);
  if (problems.length > 0 || run.context.stopping()) return problems;
  const { surprise, ...known } = book;
  await writeExerciseBook(cluster, {
    ...known,
    solved: [...new Set([...book.solved, id])],
    begun: { ...book.begun, [id]: { ...entry, solved: true } },
    ...(surprise === undefined || surprise === id ? {} : { surprise }),
  });
  return [];
}

/**
 * Puts the lab back as it was before the exercise; that it was solved stays
 * remembered.
 *
 * @returns what is still not as it was; undefined where it is not set up
 * @throws {StepError | UnreachableError | CommandError}
 */
export async function resetExercise(
  { run, stageSet }: ExerciseLab,
  exercise: Exercise,
): Promise<readonly string[] | undefined> {
  const cluster = await run.cluster();
  const book = await readExerciseBook(cluster);
  const entry = book.begun[exercise.id];
  if (entry === undefined) return undefined;
  const left = await putBack(run, exercise, stageSet, entry.before);
  if (left.length === 0) {
    await writeExerciseBook(cluster, without(book, exercise.id));
  }
  return left;
}

/** What an exercise was about. */
export interface Explanation {
  readonly says: string;
  /** The line that shows the cause while it is there, and a part of what it says. */
  readonly shows: string;
  readonly part: string;
  /** The lines that repair it. */
  readonly mends: readonly string[];
}

/** Tells all of an exercise: for who has solved it, or gives it up. Pure. */
export function explainExercise(exercise: Exercise): Explanation {
  const { explanation, shows, shownBy, mends } = exercise;
  return { says: explanation, shows, part: shownBy.says, mends };
}

function without(
  { solved, begun, surprise }: ExerciseBook,
  id: string,
): ExerciseBook {
  return {
    solved,
    begun: Object.fromEntries(
      Object.entries(begun).filter(([one]) => one !== id),
    ),
    ...(surprise === undefined || surprise === id ? {} : { surprise }),
  };
}
