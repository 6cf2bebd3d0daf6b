/** What is remembered of a lab's exercises, in its state folder; it goes with the lab. */
import type { Cluster } from "../cluster/cluster.ts";
import { writeWhole } from "../exec/atomic_file.ts";

/** How every node's network is set, by the node's name; see fingerprint(). */
export type Fingerprints = Readonly<Record<string, readonly string[]>>;

/** What an exercise did to a lab, and how far it is. */
export interface OpenExercise {
  /** How many hints were given. */
  readonly hints: number;
  /** How each node's network was set before. */
  readonly before: Fingerprints;
  /** How it was once broken; absent where that was cut off. */
  readonly broken?: Fingerprints;
  /** Whether the check has found it solved. */
  readonly solved?: true;
}

/** What is remembered. */
export interface ExerciseBook {
  /** The ids of those that were solved once. */
  readonly solved: readonly string[];
  /** By id, those that were set up and not taken back. */
  readonly begun: Readonly<Record<string, OpenExercise>>;
  /** The id of the one that nothing is told of. */
  readonly surprise?: string;
}

const none: ExerciseBook = { solved: [], begun: {} };

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
    return isBook(value) ? value.book : none;
  } catch (error) {
    const isNone = error instanceof Deno.errors.NotFound ||
      error instanceof SyntaxError;
    if (isNone) return none;
    throw error;
  }
}

/** Writes it in one step. */
export async function writeExerciseBook(
  cluster: Pick<Cluster, "stateDir">,
  book: ExerciseBook,
): Promise<void> {
  await writeWhole(
    pathOf(cluster),
    JSON.stringify({ version: 2, book }) + "\n",
  );
}

function isBook(value: unknown): value is { readonly book: ExerciseBook } {
  if (!isObject(value) || value.version !== 2 || !isObject(value.book)) {
    return false;
  }
  const { solved, begun, surprise } = value.book;
  return isTexts(solved) && isObject(begun) &&
    Object.values(begun).every(isOpen) &&
    (surprise === undefined || typeof surprise === "string");
}

function isOpen(value: unknown): boolean {
  return isObject(value) && typeof value.hints === "number" &&
    isFingerprints(value.before) &&
    (value.broken === undefined || isFingerprints(value.broken)) &&
    (value.solved === undefined || value.solved === true);
}

function isFingerprints(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isTexts);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) &&
    value.every((text) => typeof text === "string");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
