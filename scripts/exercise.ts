#!/usr/bin/env -S deno run -A
/** Something broken, to be found and repaired: `make exercise 1`, `make exercise 1-check`. */
import { printData, printNote, printText } from "../lib/cli/print.ts";
import type { FlagsOf } from "../lib/cli/flags.ts";
import { exerciseCommand } from "../lib/exercise/command_line.ts";
import { type Cluster } from "../lib/cluster/cluster.ts";
import {
  checkExercise,
  explainExercise,
  giveHint,
  resetExercise,
  startExercise,
} from "../lib/exercise/actions.ts";
import {
  listExercises,
  pickSurprise,
  surpriseOf,
} from "../lib/exercise/list.ts";
import {
  exerciseName,
  type ExerciseWord,
  explanationText,
  heading,
  hintText,
  listText,
  problemsText,
  solvedWords,
  storyText,
  takenBackText,
} from "../lib/exercise/text.ts";
import type { Exercise } from "../lib/exercise/exercise.ts";
import { exercises } from "../lib/exercise/catalog.ts";
import { runScript } from "../lib/cli/script.ts";
import { makeLine } from "../lib/cluster/make_line.ts";
import { requireLab } from "../lib/cli/whole_lab.ts";
import { failure } from "../lib/cli/report.ts";
import { openSession, type Session } from "../lib/cli/session.ts";
import { isRunning } from "../lib/lab/lab.ts";
import { wrap } from "../lib/text/wrap.ts";
import { probedStages, stages } from "./stages.ts";
import { exitCode } from "../lib/cli/exit_code.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { StepError } from "../lib/stage/errors.ts";
import { loadCluster } from "../lib/cluster/load.ts";

type Flags = FlagsOf<typeof exerciseCommand.flags>;

const stageSet = { stages, probed: probedStages };

/** An exercise that something is to be done with, within a run. */
interface Work {
  readonly session: Session;
  readonly cluster: Cluster;
  readonly exercise: Exercise;
  /** How it was asked for. */
  readonly word: ExerciseWord;
  readonly say: (text: string) => void;
  readonly data: (value: Record<string, unknown>) => void;
}

const verbs: Readonly<Record<string, (work: Work) => Promise<number>>> = {
  "": setUp,
  "hint": hint,
  "check": check,
  "explain": explain,
  "reset": putBack,
};

async function run(flags: Flags, words: readonly string[]): Promise<number> {
  const cluster = await loadCluster(flags.cluster, { ignoreFound: true });
  requireLab(cluster, "an exercise");
  const all = exercises(cluster);
  const [word, ...more] = words;
  if (more.length > 0) {
    throw new UsageError(`${more.join(" ")}: give one exercise at a time`);
  }
  if (word === undefined) return await list(flags, cluster);
  const [, which, verb = ""] = /^(\d+|surprise)(?:-(\w+))?$/.exec(word) ?? [];
  const isHidden = which === "surprise";
  const exercise = all.find((one) => String(one.number) === which);
  const work = verbs[verb];
  if ((exercise === undefined && !isHidden) || work === undefined) {
    const make = (word: string) => makeLine(`exercise ${word}`, cluster);
    throw new UsageError(
      `${word}: no such exercise; there are 1 to ${all.length} and surprise, ` +
        "each with -hint, -check, -explain and -reset: " +
        `${make("1")}, ${make("1-check")}`,
    );
  }
  if (!isRunning(cluster)) {
    printNote(
      `The lab "${cluster.name}" does not run\nwhat to do: ` +
        `${makeLine("up", cluster)}, or ${makeLine("tour", cluster)}`,
    );
    return exitCode.failed;
  }
  return await within(flags, exercise, work);
}

/**
 * Under the cluster's lock.
 *
 * @param asked undefined: the surprise
 */
async function within(
  flags: Flags,
  asked: Exercise | undefined,
  work: (work: Work) => Promise<number>,
): Promise<number> {
  const json = flags.output === "json";
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) printNote(failure(result));
  });
  const cluster = await session.cluster();
  const hidden = await surpriseOf(cluster);
  const word = asked?.number ?? "surprise";
  const isNext = work === setUp && hidden === undefined;
  const exercise = asked ??
    (isNext ? await pickSurprise(cluster) : hidden);
  // That a number is the surprise's is not told.
  const isSecret = asked !== undefined && asked.id === hidden?.id;
  if (
    exercise === undefined || (isSecret && work !== setUp && work !== explain)
  ) {
    return notSetUp(word, cluster);
  }
  try {
    return await work({
      ...{ session, cluster, exercise, word },
      say(text) {
        if (!json && !flags.quiet) printText(text);
      },
      data(value) {
        if (!json) return;
        printData({ version: 1, exercise: word, ...value });
      },
    });
  } catch (error) {
    if (!(error instanceof StepError && session.interrupted())) throw error;
    return exitCode.interrupted;
  }
}

async function list(flags: Flags, cluster: Cluster): Promise<number> {
  const listed = await listExercises(cluster);
  const surprise = await surpriseOf(cluster) !== undefined;
  if (flags.output === "json") {
    const all = listed.map(({ exercise, state }) => {
      const { number, id, title, difficulty, layers } = exercise;
      return { number, id, title, difficulty, layers, state };
    });
    printData({ version: 1, exercises: all, surprise });
  } else {
    printText(listText(listed, surprise, cluster));
  }
  return exitCode.done;
}

async function setUp(work: Work): Promise<number> {
  const { session, cluster, exercise, word, say, data } = work;
  const isHidden = word === "surprise";
  const lab = { run: session, stageSet };
  const came = await startExercise(lab, exercise, isHidden);
  const name = exerciseName(word);
  switch (came.is) {
    case "open":
      if (came.already) say(`${name} is set up already.\n`);
      say(storyText(exercise, word, cluster));
      data({ state: "open", ...(isHidden ? {} : { story: exercise.story }) });
      return exitCode.done;
    case "busy": {
      const other = came.hidden ? "surprise" : came.other.number;
      const named = came.hidden ? "A surprise" : `Exercise ${other}`;
      printNote(
        `${named} is set up and not solved yet\nwhat to do: solve it, or give ` +
          `it up by ${makeLine(`exercise ${other}-reset`, cluster)}`,
      );
      return exitCode.failed;
    }
    case "lacking":
      printNote(
        `this kernel has no ${came.what} (CONFIG_NET_SCH_NETEM), and nothing ` +
          `else delays packets as ${name.toLowerCase()} does\nwhat to do: ` +
          "take another one; or load the module sch_netem",
      );
      return exitCode.failed;
    case "not whole":
      return notWhole(work, came.missing);
    case "interrupted":
      printNote("The exercise was not set up; the lab is as it was");
      return exitCode.interrupted;
    case "failed":
    case "no effect":
      printNote(
        (came.is === "failed"
          ? "The exercise could not be set up in this lab"
          : "The exercise does not show in this lab: something lets through " +
            "what it should break") +
          `\nwhat to do: ${makeLine("down", cluster)}, then ` +
          makeLine("up", cluster),
      );
      return exitCode.failed;
  }
}

function notWhole({ cluster }: Work, missing: readonly string[]): number {
  printNote(
    `${
      problemsText("The lab is not whole, which an exercise wants:", missing)
    }\nwhat to do: ${makeLine("up", cluster)}; where that does not mend it, ` +
      `${makeLine("down", cluster)} first`,
  );
  return exitCode.failed;
}

async function hint(work: Work): Promise<number> {
  const { cluster, exercise, word, say, data } = work;
  const given = await giveHint(cluster, exercise);
  if (given === undefined) return notSetUp(word, cluster);
  say(hintText(exercise, given, word, cluster));
  data({ hints: exercise.hints.slice(0, given) });
  return exitCode.done;
}

async function check(work: Work): Promise<number> {
  const { session, cluster, exercise, word, say, data } = work;
  const problems = await checkExercise({ run: session, stageSet }, exercise);
  if (problems === undefined) return notSetUp(word, cluster);
  if (session.interrupted()) return exitCode.interrupted;
  const isSolved = problems.length === 0;
  data({
    ...{ solved: isSolved, problems },
    ...(isSolved
      ? { number: exercise.number, ...explainExercise(exercise) }
      : {}),
  });
  if (!isSolved) {
    say(problemsText(`${exerciseName(word)} is not solved yet:`, problems));
    say(`\n${makeLine(`exercise ${word}-hint`, cluster)} says where to look`);
    return exitCode.failed;
  }
  say(
    `${heading(exercise)}\n\n${solvedWords}\n\n${wrap(exercise.explanation)}`,
  );
  const next = (await listExercises(cluster))
    .find(({ state }) => state === "not begun")?.exercise;
  if (next !== undefined) {
    say(`\nNext: ${makeLine(`exercise ${next.number}`, cluster)}`);
  }
  return exitCode.done;
}

function explain({ exercise, say, data }: Work): Promise<number> {
  const explanation = explainExercise(exercise);
  say(explanationText(exercise, explanation));
  data({ number: exercise.number, ...explanation });
  return Promise.resolve(exitCode.done);
}

async function putBack(work: Work): Promise<number> {
  const { session, cluster, exercise, word, say, data } = work;
  const left = await resetExercise({ run: session, stageSet }, exercise);
  if (left === undefined) return notSetUp(word, cluster);
  data({ reset: left.length === 0, problems: left });
  if (left.length > 0) return notWhole(work, left);
  say(
    `${takenBackText(word)}\nAgain: ${makeLine(`exercise ${word}`, cluster)}`,
  );
  return exitCode.done;
}

function notSetUp(word: ExerciseWord, cluster: Cluster): number {
  const name = word === "surprise" ? "A surprise" : `Exercise ${word}`;
  printNote(
    `${name} is not set up\nwhat to do: ${
      makeLine(`exercise ${word}`, cluster)
    }`,
  );
  return exitCode.failed;
}

await runScript(exerciseCommand, run);
