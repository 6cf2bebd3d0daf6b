/** What is remembered of a lab's exercises, in its state folder; it goes with the lab. */
import type { Cluster } from "../cluster/cluster.ts";
import { writeWhole } from "../exec/atomic_file.ts";

/** What is remembered of an exercise. */
export interface ExerciseProgress {
  readonly state: "set up" | "solved";
  /** How many hints were given. */
  readonly hints: number;
  /** How each node's network was set before; see fingerprint(). */
  readonly before: Readonly<Record<string, readonly string[]>>;
}

/** By the exercise's number. */
export type ExerciseBook = ReadonlyMap<number, ExerciseProgress>;

const pathOf = ({ stateDir }: Pick<Cluster, "stateDir">) =>
  `${stateDir}/exercises.json`;

/**
 * Reads it; a file that cannot be understood counts as none, for all that is
 * lost is which exercises were solved.
 */
export async function readExerciseBook(
  cluster: Pick<Cluster, "stateDir">,
): Promise<ExerciseBook> {
  try {
    const value: unknown = JSON.parse(
      await Deno.readTextFile(pathOf(cluster)),
    );
    return isBook(value)
      ? new Map(
        Object.entries(value.exercises).map((
          [number, entry],
        ) => [Number(number), entry]),
      )
      : new Map();
  } catch (error) {
    const none = error instanceof Deno.errors.NotFound ||
      error instanceof SyntaxError;
    if (none) return new Map();
    throw error;
  }
}

/** Writes it in one step. */
export async function writeExerciseBook(
  cluster: Pick<Cluster, "stateDir">,
  book: ExerciseBook,
): Promise<void> {
  const value = { version: 1, exercises: Object.fromEntries(book) };
  await writeWhole(pathOf(cluster), JSON.stringify(value) + "\n");
}

function isBook(
  value: unknown,
): value is { readonly exercises: Readonly<Record<string, ExerciseProgress>> } {
  if (!isObject(value) || value.version !== 1 || !isObject(value.exercises)) {
    return false;
  }
  return Object.entries(value.exercises).every(([number, entry]) =>
    /^\d+$/.test(number) && isEntry(entry)
  );
}

function isEntry(value: unknown): value is ExerciseProgress {
  return isObject(value) &&
    (value.state === "set up" || value.state === "solved") &&
    typeof value.hints === "number" && isObject(value.before) &&
    Object.values(value.before).every((lines) =>
      Array.isArray(lines) && lines.every((line) => typeof line === "string")
    );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
