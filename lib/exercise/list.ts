/** The exercises of a lab as they are remembered: how far each is, and one at random. */
import type { Cluster } from "../cluster/cluster.ts";
import { exercises } from "./catalog.ts";
import type { Exercise } from "./exercise.ts";
import { type ExerciseBook, readExerciseBook } from "./progress_file.ts";

/** How far an exercise is; of the one that nothing is told of, what it was before. */
type ExerciseState = "not begun" | "open" | "solved";

/** An exercise of the list. */
export interface ListedExercise {
  readonly exercise: Exercise;
  readonly state: ExerciseState;
}

/** All exercises, in their order, with what became of each. */
export async function listExercises(
  cluster: Cluster,
): Promise<readonly ListedExercise[]> {
  const book = await readExerciseBook(cluster);
  return exercises(cluster).map((exercise) => ({
    exercise,
    state: stateOf(exercise, book),
  }));
}

function stateOf({ id }: Exercise, book: ExerciseBook): ExerciseState {
  const own = book.surprise === id ? undefined : book.begun[id];
  if (own !== undefined && !own.solved) return "open";
  return book.solved.includes(id) || own?.solved ? "solved" : "not begun";
}

/** The exercise that nothing is told of, while it is under way. */
export async function surpriseOf(
  cluster: Cluster,
): Promise<Exercise | undefined> {
  const { surprise } = await readExerciseBook(cluster);
  return exercises(cluster).find(({ id }) => id === surprise);
}

/** How many hints were given for an exercise; none where it is not set up. */
export async function hintsGiven(
  cluster: Cluster,
  { id }: Exercise,
): Promise<number> {
  const { begun } = await readExerciseBook(cluster);
  return begun[id]?.hints ?? 0;
}

/**
 * Picks one at random, of those that were not solved yet where there are such.
 *
 * @param random a number from 0 up to 1
 */
export async function pickSurprise(
  cluster: Cluster,
  random: number = Math.random(),
): Promise<Exercise> {
  const all = await listExercises(cluster);
  // One that can be set up anywhere: that it cannot would tell which it is.
  const able = all.filter(({ exercise }) => exercise.needs === undefined);
  const unknown = able.filter(({ state }) => state !== "solved");
  const among = unknown.length > 0 ? unknown : able;
  const picked = among[Math.floor(random * among.length)];
  if (picked === undefined) throw new RangeError("there are no exercises");
  return picked.exercise;
}
