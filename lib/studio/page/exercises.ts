/** The exercises: begun, looked at, checked and taken back, each where it stands in the list. */
import type {
  ExerciseAnswer,
  ExercisesView,
  ShownExercise,
} from "../protocol.ts";
import { post } from "./asking.ts";
import { explanationOf, hintList, problemList } from "./exercise_texts.ts";
import { h, type PagePart, useEffect, useState } from "./ui.ts";

interface ExercisesProps {
  readonly exercises: ExercisesView | undefined;
  readonly trace: (
    from: string,
    to: string,
    more: { readonly family?: string },
  ) => void;
}

/** The word by which an exercise is asked for. */
type Word = number | "surprise";

/** What a button was pressed for, and what came of it. */
interface Pressed {
  readonly word: Word;
  /** Absent while it is under way. */
  readonly answer?: ExerciseAnswer;
}

/** What the parts of the list have in common. */
interface Bench {
  readonly pressed: Pressed | undefined;
  /** Whether something is under way, also from another page. */
  readonly isBusy: boolean;
  readonly press: (word: Word, verb: string) => void;
  readonly trace: ExercisesProps["trace"];
}

/** All exercises; one of them is open. */
export function Exercises({ exercises, trace }: ExercisesProps): PagePart {
  const [open, setOpen] = useState<Word | undefined>(undefined);
  const [pressed, setPressed] = useState<Pressed | undefined>(undefined);
  const all = exercises?.steps.flatMap(({ exercises }) => exercises) ?? [];
  const under = exercises?.surprise !== undefined
    ? "surprise"
    : all.find(({ state }) => state === "open")?.number;
  // One that was begun in a terminal is seen as soon as it is known.
  useEffect(() => {
    if (under !== undefined) setOpen(under);
  }, [under]);
  if (exercises === undefined) {
    return h("p", { class: "quiet" }, "Looking for what was solved …");
  }
  const { steps, surprise, refusal, working } = exercises;
  if (refusal !== undefined) return h("p", {}, refusal);
  const isBusy = working !== undefined ||
    (pressed !== undefined && pressed.answer === undefined);
  const press = async (word: Word, verb: string) => {
    if (isBusy) return;
    setPressed({ word });
    const answer = await ask(word, verb);
    setPressed({ word, answer });
    // Now it is told which one it was.
    if (word === "surprise" && verb === "check" && answer.explanation) {
      setOpen(answer.explanation.number);
      setPressed({ word: answer.explanation.number, answer });
    }
  };
  const bench: Bench = { pressed, isBusy, press, trace };
  const solved = all.filter(({ state }) => state === "solved").length;
  return h(
    "section",
    { id: "exercises", "aria-labelledby": "exercises-heading" },
    h(
      "div",
      { class: "bar" },
      h("h2", { id: "exercises-heading" }, "Exercises"),
      h("span", { id: "progress" }, `${solved} of ${all.length} are solved`),
      button("Surprise me", () => press("surprise", "start"), isBusy),
    ),
    h(
      "p",
      { class: "quiet" },
      "Each breaks something in a lab that works, for you to find and to " +
        "repair. They are those of make exercise.",
    ),
    surpriseOf(surprise, bench),
    workingLine(working),
    ...steps.map(({ title, exercises }) =>
      h(
        "div",
        { key: title },
        h("h3", {}, title),
        h(
          "ul",
          { class: "exercises" },
          ...exercises.map((one) =>
            h(
              "li",
              { key: one.number },
              titleButton(one, one.number === open, setOpen),
              one.number === open ? opened(one, bench) : null,
            )
          ),
        ),
      )
    ),
  );
}

async function ask(word: Word, verb: string): Promise<ExerciseAnswer> {
  try {
    return await post<ExerciseAnswer>("/exercise", {
      exercise: String(word),
      verb,
    });
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error);
    return { says, isWell: false, problems: [] };
  }
}

const stateWords: Readonly<Record<ShownExercise["state"], string>> = {
  "not begun": "",
  "open": "▸ open",
  "solved": "✓ solved",
};

function titleButton(
  { number, title, state }: ShownExercise,
  isOpen: boolean,
  setOpen: (word: Word | undefined) => void,
): PagePart {
  return h(
    "button",
    {
      type: "button",
      class: "link",
      "aria-expanded": isOpen,
      onClick: () => setOpen(isOpen ? undefined : number),
    },
    `${number} · ${title}`,
    state === "not begun"
      ? null
      : h("span", { class: `state is-${state}` }, ` ${stateWords[state]}`),
  );
}

/** What is being done, also when it was begun by a page before this one. */
function workingLine(working: string | undefined): PagePart {
  return h(
    "p",
    { role: "status", class: "bar working" },
    working === undefined ? null : h("span", {}, `At work: ${working}`),
    working === undefined
      ? null
      : button("Stop", () => post("/exercise/stop", {}), false),
  );
}

/** The surprise, while there is one or its button has something to say. */
function surpriseOf(
  surprise: ExercisesView["surprise"],
  bench: Bench,
): PagePart {
  return h(
    "div",
    { class: surprise === undefined ? "" : "opened", id: "surprise" },
    ...(surprise === undefined ? [] : [
      h("h3", {}, "A surprise"),
      h("p", {}, surprise.says),
      buttons("surprise", surprise.hints.length, bench),
      hintList(surprise.hints),
    ]),
    answerOf("surprise", bench),
  );
}

function opened(one: ShownExercise, bench: Bench): PagePart {
  const { number, state, story, goal, hints } = one;
  const isOpen = state === "open";
  return h(
    "div",
    { class: "opened", id: "exercise" },
    h("p", {}, story),
    h("p", {}, h("strong", {}, "Solved when: "), goal),
    isOpen ? buttons(number, hints.length, bench, one) : h(
      "div",
      { class: "bar" },
      button(
        state === "solved" ? "Break it again" : "Start",
        () => bench.press(number, "start"),
        bench.isBusy,
      ),
    ),
    hintList(hints),
    answerOf(number, bench),
    one.explanation === undefined ||
      bench.pressed?.answer?.explanation?.number === number
      ? null
      : explanationOf(one.explanation),
  );
}

/** How many hints there are. */
const hintCount = 2;

function buttons(
  word: Word,
  hints: number,
  { press, isBusy, trace }: Bench,
  one?: ShownExercise,
): PagePart {
  const verb = (text: string, verb: string) =>
    button(text, () => press(word, verb), isBusy);
  return h(
    "div",
    { class: "bar" },
    one === undefined ? null : button(
      "Show the trace",
      () =>
        trace(
          one.from,
          one.to,
          one.family === undefined ? {} : { family: one.family },
        ),
      isBusy,
    ),
    hints >= hintCount
      ? null
      : verb(hints === 0 ? "Hint" : "Another hint", "hint"),
    verb("Check", "check"),
    verb("Give up: explain it", "explain"),
    verb("Reset", "reset"),
  );
}

/** It keeps the focus while it cannot be pressed. */
function button(text: string, act: () => void, isBusy: boolean): PagePart {
  return h("button", {
    type: "button",
    "aria-disabled": isBusy,
    onClick: () => isBusy || act(),
  }, text);
}

/** What came of the button that was pressed last; read out as it comes. */
function answerOf(word: Word, { pressed }: Bench): PagePart {
  const isOwn = pressed?.word === word;
  const answer = isOwn ? pressed.answer : undefined;
  const tone = answer === undefined ? "" : answer.isWell ? "is-good" : "is-bad";
  const sign = answer === undefined ? "" : answer.isWell ? "✓ " : "✗ ";
  return h(
    "div",
    { class: "answer" },
    h(
      "p",
      { role: "status", class: tone },
      answer !== undefined
        ? `${sign}${answer.says}`
        : isOwn
        ? "Asking the lab …"
        : "",
    ),
    answer === undefined || answer.problems.length === 0
      ? null
      : problemList(answer.problems),
    answer?.explanation === undefined
      ? null
      : explanationOf(answer.explanation),
  );
}
