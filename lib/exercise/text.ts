/** What an exercise says. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { ExerciseBook } from "./progress_file.ts";
import type { Exercise } from "./catalog.ts";
import { makeLine } from "../cluster/make_line.ts";
import { columns, rule, wrap } from "../text/wrap.ts";

/** An exercise's title, to be found again when one scrolls back. */
export function heading({ number, title }: Exercise): string {
  return rule(`Exercise ${number} · ${title}`);
}

/** What users complain of, and how to go on. */
export function storyText(exercise: Exercise, cluster: Cluster): string {
  const { number, from, to, symptom } = exercise;
  const make = (target: string) => makeLine(target, cluster);
  return [
    heading(exercise),
    wrap(symptom),
    wrap(
      "Find the cause, and repair it with one stage: nothing has to be done " +
        "by hand.",
    ),
    columns([
      [make(`trace FROM=${from} TO=${to}`), "where the packet goes"],
      [make(`exercise ${number}-hint`), "where to look"],
      [make(`exercise ${number}-check`), "whether it is repaired"],
      [make(`exercise ${number}-reset`), "the lab as it was before"],
    ]),
  ].join("\n\n");
}

/** The first hints of an exercise, and how to get more. */
export function hintText(
  { hints, number }: Exercise,
  given: number,
  cluster: Cluster,
): string {
  const shown = hints.slice(0, given).map(({ says, run }, at) =>
    `${wrap(says, `Hint ${at + 1} of ${hints.length}: `, "  ")}\n\n  ${run}`
  );
  const more = given < hints.length
    ? `${makeLine(`exercise ${number}-hint`, cluster)} says more.`
    : "There are no more hints.";
  return [...shown, more].join("\n\n");
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

/** All exercises, with what became of each. */
export function listText(
  exercises: readonly Exercise[],
  book: ExerciseBook,
  cluster: Cluster,
): string {
  const make = (target: string) => makeLine(target, cluster);
  return [
    ...exercises.map(({ number, title }) => {
      const state = book.get(number)?.state ?? "not begun";
      return wrap(title, `  ${number}  ${state.padEnd(9)}  `);
    }),
    "",
    "Each breaks something in the lab, for you to find and to repair.",
    `  ${make("exercise 1")}, ${make("exercise 1-hint")}, ${
      make("exercise 1-check")
    }`,
  ].join("\n");
}
