/** What the page asks of an exercise, and what is made of the script's answer. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { makeLine } from "../cluster/make_line.ts";
import {
  exerciseName,
  type ExerciseWord,
  solvedWords,
  takenBackText,
} from "../exercise/text.ts";
import { textIn } from "./orders.ts";
import type { ExerciseAnswer, ShownExplanation } from "./protocol.ts";
import { RefusedError } from "./server.ts";

/** What the buttons of an exercise do. */
type Verb = "start" | "hint" | "check" | "explain" | "reset";

const verbs: readonly Verb[] = ["start", "hint", "check", "explain", "reset"];

/** Something to be done with an exercise, by its script. */
export interface ExerciseOrder {
  readonly word: ExerciseWord;
  readonly verb: Verb;
  readonly title: string;
  readonly args: readonly string[];
}

/**
 * Reads an order.
 *
 * @param given `exercise`: a number or "surprise"; `verb`
 * @throws {RefusedError}
 */
export function readExerciseOrder(
  given: unknown,
  cluster: Cluster,
): ExerciseOrder {
  const text = textIn(given, "exercise") ?? "";
  const verb = verbs.find((one) => one === textIn(given, "verb"));
  const isWord = /^\d{1,3}$/.test(text) || text === "surprise";
  if (!isWord || verb === undefined) {
    throw new RefusedError(
      400,
      "expected an exercise's number or surprise, and start, hint, check, " +
        "explain or reset",
    );
  }
  const word = text === "surprise" ? text : Number(text);
  const asked = verb === "start" ? String(word) : `${word}-${verb}`;
  return {
    ...{ word, verb },
    title: makeLine(`exercise ${asked}`, cluster),
    args: [asked, "-o", "json"],
  };
}

/**
 * What came of an order, of what its script printed.
 *
 * @param printed its standard output, which is JSON where it did what was asked
 * @param said what it wrote for a person: why it did not
 */
export function exerciseAnswer(
  { word, verb }: ExerciseOrder,
  printed: string,
  said: string,
): ExerciseAnswer {
  const data = dataOf(printed);
  if (data === undefined) {
    const says = said.trim() || "It was interrupted";
    return { says, isWell: false, problems: [] };
  }
  const problems = texts(data.problems);
  const explanation = explanationOf(data);
  const isWell = problems.length === 0;
  return {
    says: words(word, verb, isWell) || said.trim(),
    ...{ isWell, problems },
    ...(explanation === undefined ? {} : { explanation }),
  };
}

function words(word: ExerciseWord, verb: Verb, isWell: boolean): string {
  const name = exerciseName(word);
  switch (verb) {
    case "start":
      return `${name} is set up: something in the lab is broken now`;
    case "hint":
      return "There is a hint";
    case "check":
      return isWell ? solvedWords : `${name} is not solved yet`;
    case "explain":
      return "This is all of it";
    case "reset":
      return isWell
        ? takenBackText(word)
        : "The lab is not whole, which an exercise wants";
  }
}

function dataOf(
  printed: string,
): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(printed);
    return typeof value === "object" && value !== null
      ? { ...value }
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function explanationOf(
  { number, says, shows, mends }: Readonly<Record<string, unknown>>,
): ShownExplanation | undefined {
  const isThere = typeof number === "number" && typeof says === "string" &&
    typeof shows === "string";
  return isThere ? { number, says, shows, mends: texts(mends) } : undefined;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value)
    ? value.filter((one) => typeof one === "string")
    : [];
}
