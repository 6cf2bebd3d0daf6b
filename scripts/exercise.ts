#!/usr/bin/env -S deno run -A
/** Something broken, to be found and repaired: `make exercise 1`, `make exercise 1-check`. */
import { printData, printNote, printText } from "../lib/cli/print.ts";
import type { FlagsOf } from "../lib/cli/flags.ts";
import { exerciseCommand } from "../lib/exercise/command_line.ts";
import { type Cluster } from "../lib/cluster/cluster.ts";
import type { StageSet } from "../lib/exercise/stage_set.ts";
import {
  breakIt,
  fingerprints,
  lacks,
  leftInJournal,
  mendIt,
  resetExercise,
  unsolved,
  wrongPaths,
} from "../lib/exercise/run.ts";
import {
  type ExerciseProgress,
  readExerciseBook,
  writeExerciseBook,
} from "../lib/exercise/progress_file.ts";
import {
  heading,
  hintText,
  listText,
  problemsText,
  storyText,
} from "../lib/exercise/text.ts";
import { type Exercise, exercises } from "../lib/exercise/catalog.ts";
import { runScript } from "../lib/cli/script.ts";
import { makeLine } from "../lib/cluster/make_line.ts";
import { requireLab } from "../lib/cli/whole_lab.ts";
import { failure } from "../lib/cli/report.ts";
import { worst } from "../lib/stage/result.ts";
import { openSession, type Session } from "../lib/cli/session.ts";
import { isRunning } from "../lib/lab/lab.ts";
import { wrap } from "../lib/text/wrap.ts";
import { probedStages, stages } from "./stages.ts";
import { exitCode } from "../lib/cli/exit_code.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { StepError } from "../lib/stage/errors.ts";
import { loadCluster } from "../lib/cluster/load.ts";

type Flags = FlagsOf<typeof exerciseCommand.flags>;

const stageSet: StageSet = { stages, probed: probedStages };

/** An exercise that something is to be done with, within a run. */
interface Work {
  readonly session: Session;
  readonly cluster: Cluster;
  readonly exercise: Exercise;
  /** What is remembered of it. */
  readonly entry: ExerciseProgress | undefined;
  readonly remember: (entry: ExerciseProgress) => Promise<void>;
  readonly forget: () => Promise<void>;
  readonly say: (text: string) => void;
  readonly data: (value: Record<string, unknown>) => void;
}

const verbs: Readonly<Record<string, (work: Work) => Promise<number>>> = {
  "": setUp,
  "hint": hint,
  "check": check,
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
  if (word === undefined) return await list(flags, cluster, all);
  const [, number, verb = ""] = /^(\d+)(?:-(\w+))?$/.exec(word) ?? [];
  const exercise = all.find((one) => String(one.number) === number);
  const work = verbs[verb];
  if (exercise === undefined || work === undefined) {
    throw new UsageError(
      `${word}: no such exercise; there are ${
        all.map(({ number }) => number).join(", ")
      }, each with -hint, -check and -reset: ${
        makeLine("exercise 1", cluster)
      }, ${makeLine("exercise 1-check", cluster)}`,
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

/** Under the cluster's lock. */
async function within(
  flags: Flags,
  exercise: Exercise,
  work: (work: Work) => Promise<number>,
): Promise<number> {
  const json = flags.output === "json";
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) printNote(failure(result));
  });
  const cluster = await session.cluster();
  const book = await readExerciseBook(cluster);
  try {
    return await work({
      session,
      cluster,
      exercise,
      entry: book.get(exercise.number),
      remember: (entry) =>
        writeExerciseBook(cluster, new Map(book).set(exercise.number, entry)),
      forget() {
        const others = [...book].filter(([number]) =>
          number !== exercise.number
        );
        return writeExerciseBook(cluster, new Map(others));
      },
      say(text) {
        if (!json && !flags.quiet) printText(text);
      },
      data(value) {
        const { number } = exercise;
        if (!json) return;
        printData({ version: 1, exercise: number, ...value });
      },
    });
  } catch (error) {
    if (!(error instanceof StepError && session.interrupted())) throw error;
    return exitCode.interrupted;
  }
}

async function list(
  flags: Flags,
  cluster: Cluster,
  all: readonly Exercise[],
): Promise<number> {
  const book = await readExerciseBook(cluster);
  if (flags.output === "json") {
    const states = all.map(({ number, title }) => (
      { number, title, state: book.get(number)?.state ?? "not begun" }
    ));
    printData({ version: 1, exercises: states });
  } else {
    printText(listText(all, book, cluster));
  }
  return exitCode.done;
}

async function setUp(work: Work): Promise<number> {
  const { session, cluster, exercise, entry, say, data, remember } = work;
  const under = await underWay(work);
  const own = under?.number === exercise.number;
  if (under !== undefined && !own) {
    printNote(
      `Exercise ${under.number} is set up and not solved yet\nwhat to do: ` +
        `solve it, or give it up by ${
          makeLine(`exercise ${under.number}-reset`, cluster)
        }`,
    );
    return exitCode.failed;
  }
  if (own && entry?.state === "set up") {
    say(`Exercise ${exercise.number} is set up already.\n`);
  } else {
    // The run that set it up was killed before it could be remembered.
    if (own) await mendIt(session, exercise, stageSet);
    const missing = await lacks(session, stageSet);
    if (missing.length > 0) return notWhole(work, missing);
    const before = await fingerprints(session);
    const code = await broken(work);
    if (code !== exitCode.done) return code;
    await remember({ state: "set up", hints: 0, before });
  }
  say(storyText(exercise, cluster));
  data({ state: "set up", symptom: exercise.symptom });
  return exitCode.done;
}

/** Breaks it and sees to it that this shows; else, nothing stays broken. */
async function broken(work: Work): Promise<number> {
  const { session, cluster, exercise } = work;
  let code: number = exitCode.failed;
  try {
    code = exitCode[worst(await breakIt(session, exercise, stageSet))];
    if (code === exitCode.done && !session.interrupted()) {
      // Nothing is far away in a lab: who does not answer at once, does not.
      const wrong = await wrongPaths(session, stageSet, 500);
      if (wrong.length === 0) {
        code = exitCode.failed;
        printNote(
          "The exercise does not show in this lab: something lets through " +
            `what it should break\nwhat to do: ${makeLine("down", cluster)}, ` +
            `then ${makeLine("up", cluster)}`,
        );
      }
    }
  } catch (error) {
    if (!(error instanceof StepError && session.interrupted())) throw error;
  } finally {
    if (session.interrupted()) code = exitCode.interrupted;
    if (code !== exitCode.done) await mendIt(session, exercise, stageSet);
  }
  if (session.interrupted()) {
    printNote("The exercise was not set up; the lab is as it was");
  }
  return code;
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

/** The exercise whose fault is in the lab now. */
async function underWay({ session, cluster }: Work) {
  for (const one of exercises(cluster)) {
    const left = await leftInJournal(session, one, stageSet);
    if (left.length > 0) return one;
  }
  return undefined;
}

async function hint(work: Work): Promise<number> {
  const { cluster, exercise, entry, remember, say, data } = work;
  if (entry === undefined) return notSetUp(work);
  const hints = Math.min(entry.hints + 1, exercise.hints.length);
  await remember({ ...entry, hints });
  say(hintText(exercise, hints, cluster));
  data({ hints: exercise.hints.slice(0, hints) });
  return exitCode.done;
}

async function check(work: Work): Promise<number> {
  const { session, cluster, exercise, entry, remember, say, data } = work;
  if (entry === undefined) return notSetUp(work);
  const problems = await unsolved(session, exercise, stageSet, entry.before);
  if (session.interrupted()) return exitCode.interrupted;
  data({ solved: problems.length === 0, problems });
  if (problems.length > 0) {
    const { number } = exercise;
    say(problemsText(`Exercise ${number} is not solved yet:`, problems));
    say(`\n${makeLine(`exercise ${number}-hint`, cluster)} says where to look`);
    return exitCode.failed;
  }
  await remember({ ...entry, state: "solved" });
  say(
    `${heading(exercise)}\n\nSolved: every path is right, and nothing else ` +
      `is changed.\n\n${wrap(exercise.moral)}`,
  );
  const next = exercises(cluster)
    .find(({ number }) => number === exercise.number + 1);
  if (next !== undefined) {
    say(`\nNext: ${makeLine(`exercise ${next.number}`, cluster)}`);
  }
  return exitCode.done;
}

async function putBack(work: Work): Promise<number> {
  const { session, cluster, exercise, entry, forget, say, data } = work;
  if (entry === undefined) return notSetUp(work);
  const left = await resetExercise(session, exercise, stageSet, entry.before);
  data({ reset: left.length === 0, problems: left });
  if (left.length > 0) return notWhole(work, left);
  await forget();
  say(
    `Exercise ${exercise.number} is taken back: the lab is as it was before it` +
      `\nAgain: ${makeLine(`exercise ${exercise.number}`, cluster)}`,
  );
  return exitCode.done;
}

function notSetUp({ exercise: { number }, cluster }: Work): number {
  printNote(
    `Exercise ${number} is not set up\nwhat to do: ` +
      makeLine(`exercise ${number}`, cluster),
  );
  return exitCode.failed;
}

await runScript(exerciseCommand, run);
