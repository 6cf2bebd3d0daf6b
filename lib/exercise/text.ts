/** What an exercise says. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Explanation } from "./actions.ts";
import type { ListedExercise } from "./list.ts";
import { difficulties, type Exercise } from "./exercise.ts";
import { traceLine } from "./catalog.ts";
import { makeLine } from "../cluster/make_line.ts";
import { columns, rule, wrap } from "../text/wrap.ts";

/** The word by which an exercise is asked for: its number, or "surprise" while it is one. */
export type ExerciseWord = number | "surprise";

/** What is told of a surprise. */
export const surpriseWords =
  "Something in the lab is broken. What it is, and " +
  "who would complain, is for you to find.";

/** What is said of an exercise that the check finds solved. */
export const solvedWords =
  "Solved: everything works, and nothing else is changed.";

/** An exercise as a sentence begins with it. */
export function exerciseName(word: ExerciseWord): string {
  return word === "surprise" ? "The surprise" : `Exercise ${word}`;
}

/** What is said of an exercise that was taken back. */
export function takenBackText(word: ExerciseWord): string {
  return `${exerciseName(word)} is taken back: the lab is as it was before it`;
}

/** An exercise's title, to be found again when one scrolls back. */
export function heading({ number, title }: Exercise): string {
  return rule(`Exercise ${number} · ${title}`);
}

/** What users complain of, and how to go on; of a surprise, how to go on alone. */
export function storyText(
  exercise: Exercise,
  word: ExerciseWord,
  cluster: Cluster,
): string {
  const { story, goal } = exercise;
  const make = (target: string) => makeLine(target, cluster);
  const isHidden = word === "surprise";
  const told = isHidden
    ? [
      rule("A surprise"),
      wrap(surpriseWords),
    ]
    : [
      heading(exercise),
      wrap(story),
      wrap(
        `Solved when: ${goal} And nothing of the fault is left, nor anything ` +
          "that only hides it.",
      ),
    ];
  const looks: readonly [string, string][] = isHidden
    ? [
      [make("09-verify"), "what works, and what does not"],
      [make("doctor"), "every node, looked over"],
    ]
    : [[traceLine(exercise, cluster), "where the packet goes"]];
  return [
    ...told,
    columns([
      ...looks,
      [make(`exercise ${word}-hint`), "where to look"],
      [make(`exercise ${word}-check`), "whether it is repaired"],
      [make(`exercise ${word}-explain`), "all of it, if you give up"],
      [make(`exercise ${word}-reset`), "the lab as it was before"],
    ]),
  ].join("\n\n");
}

/** The first hints of an exercise, and how to get more. */
export function hintText(
  { hints }: Pick<Exercise, "hints">,
  given: number,
  word: ExerciseWord,
  cluster: Cluster,
): string {
  const shown = hints.slice(0, given).map(({ says, run }, at) =>
    `${wrap(says, `Hint ${at + 1} of ${hints.length}: `, "  ")}\n\n  ${run}`
  );
  const more = given < hints.length
    ? `${makeLine(`exercise ${word}-hint`, cluster)} says more.`
    : "There are no more hints; " +
      `${makeLine(`exercise ${word}-explain`, cluster)} tells all.`;
  return [...shown, more].join("\n\n");
}

/** What it was about, what shows it, and what repairs it. */
export function explanationText(
  exercise: Exercise,
  { says, shows, mends }: Explanation,
): string {
  return [
    heading(exercise),
    wrap(says),
    `What shows it while it is there:\n  ${shows}`,
    `What repairs it:\n${mends.map((line) => `  ${line}`).join("\n")}`,
  ].join("\n\n");
}

/** A list of what is wrong. */
export function problemsText(
  title: string,
  problems: readonly string[],
): string {
  return [
    wrap(title),
    ...problems.flatMap((problem) => {
      // A line to paste stays whole.
      const [what = "", ...lines] = problem.split("\n");
      return [
        wrap(what, "  - ", "    "),
        ...lines.map((line) => `    ${line}`),
      ];
    }),
  ].join("\n");
}

/** All exercises by their difficulty, with what became of each. */
export function listText(
  listed: readonly ListedExercise[],
  surprise: boolean,
  cluster: Cluster,
): string {
  const make = (target: string) => makeLine(target, cluster);
  const groups = Map.groupBy(listed, ({ exercise }) => exercise.difficulty);
  const solved = listed.filter(({ state }) => state === "solved").length;
  return [
    ...[...groups].flatMap(([difficulty, own]) => [
      wrap(`Step ${difficulty}: ${difficulties[difficulty]}`),
      ...own.map(({ exercise: { number, title }, state }) => {
        const shown = state === "not begun" ? "" : state;
        const head = `  ${String(number).padStart(2)}  ${shown.padEnd(6)}  `;
        return wrap(title, head, " ".repeat(head.length));
      }),
      "",
    ]),
    ...(surprise ? ["A surprise is open.", ""] : []),
    `${solved} of ${listed.length} are solved. Each breaks something in the ` +
    "lab, for you to find",
    "and to repair.",
    `  ${make("exercise 1")}, ${make("exercise 1-hint")}, ${
      make("exercise 1-check")
    }`,
    `  ${make("exercise surprise")}: one at random, and nothing is told of it`,
  ].join("\n");
}
