/**
 * The exercises on the page: how far each is, read from what the command line
 * remembers; and their buttons, which run the command line's own script.
 */
import { requireLab } from "../cli/whole_lab.ts";
import { UsageError } from "../cli/usage_error.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { ClusterFileError } from "../cluster/yaml.ts";
import type { Command } from "../exec/command.ts";
import { explainExercise } from "../exercise/actions.ts";
import {
  hintsGiven,
  type ListedExercise,
  listExercises,
  surpriseOf,
} from "../exercise/list.ts";
import { difficulties, type Exercise } from "../exercise/exercise.ts";
import { surpriseWords } from "../exercise/text.ts";
import { beginScript, interrupt } from "./child.ts";
import { exerciseAnswer, type ExerciseOrder } from "./exercise_orders.ts";
import type {
  ExerciseAnswer,
  ExercisesView,
  ShownExercise,
} from "./protocol.ts";
import { clusterAsKnown } from "./reading.ts";

/** What they rest on, and who is told. */
interface ExercisesOptions {
  /** The cluster's file. */
  readonly file: string;
  /** The command that runs a script of the project on the cluster. */
  readonly script: (name: string, args: readonly string[]) => Command;
  /** Told each time that they are otherwise. */
  readonly tell: (exercises: ExercisesView) => void;
}

/** The exercises while a page is open. */
export interface PageExercises {
  /** Reads anew what is remembered of them. */
  readonly nudge: () => Promise<void>;
  /** As they were read last. */
  readonly last: () => ExercisesView | undefined;
  /** Does what a button asks; a second one meanwhile meets the lock of the first. */
  readonly run: (order: ExerciseOrder) => Promise<ExerciseAnswer>;
  /** Ends what is under way as Ctrl-C does. */
  readonly stop: () => void;
  /** Ends it so, and waits for it. */
  readonly close: () => Promise<void>;
}

/** Prepares them; nothing is read yet. */
export function openExercises(
  { file, script, tell }: ExercisesOptions,
): PageExercises {
  const children = new Map<Deno.ChildProcess, string>();
  let read: ExercisesView | undefined;
  let last: ExercisesView | undefined;
  const publish = () => {
    if (read === undefined) return;
    const [working] = children.values();
    const now = { ...read, ...(working === undefined ? {} : { working }) };
    if (JSON.stringify(now) === JSON.stringify(last)) return;
    last = now;
    tell(now);
  };
  const nudge = async () => {
    read = await viewOf(file) ?? read;
    publish();
  };
  const stop = () => {
    for (const child of children.keys()) interrupt(child);
  };
  return {
    nudge,
    last: () => last,
    async run(order) {
      const child = beginScript(script("exercise", order.args));
      children.set(child, order.title);
      publish();
      const [printed, said] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.status,
      ]);
      children.delete(child);
      await nudge();
      return exerciseAnswer(order, printed, said);
    },
    stop,
    async close() {
      const all = [...children.keys()];
      stop();
      await Promise.all(all.map(({ status }) => status));
    },
  };
}

/** The exercises as they are remembered; undefined while the cluster's file is wrong. */
async function viewOf(file: string): Promise<ExercisesView | undefined> {
  try {
    const cluster = await clusterAsKnown(file);
    requireLab(cluster, "an exercise");
    return await labView(cluster);
  } catch (error) {
    if (error instanceof UsageError) {
      return { steps: [], refusal: error.message };
    }
    if (error instanceof ClusterFileError) return undefined;
    throw error;
  }
}

async function labView(cluster: Cluster): Promise<ExercisesView> {
  const listed = await listExercises(cluster);
  const shown = await Promise.all(
    listed.map(async (one) => ({
      difficulty: one.exercise.difficulty,
      shown: await shownExercise(cluster, one),
    })),
  );
  const steps = Map.groupBy(shown, ({ difficulty }) => difficulty);
  const surprise = await surpriseOf(cluster);
  return {
    steps: [...steps].map(([difficulty, own]) => ({
      title: `Step ${difficulty}: ${difficulties[difficulty]}`,
      exercises: own.map(({ shown }) => shown),
    })),
    ...(surprise === undefined ? {} : {
      surprise: {
        says: surpriseWords,
        hints: await shownHints(cluster, surprise),
      },
    }),
  };
}

/** Of one that was not solved, nothing that would tell its cause. */
async function shownExercise(
  cluster: Cluster,
  { exercise, state }: ListedExercise,
): Promise<ShownExercise> {
  const { number, title, story, goal, from, to, family } = exercise;
  const { says, shows, mends } = explainExercise(exercise);
  return {
    ...{ number, title, story, goal, state, from, to },
    ...(family === undefined ? {} : { family: String(family) }),
    hints: state === "open" ? await shownHints(cluster, exercise) : [],
    ...(state === "solved"
      ? { explanation: { number, says, shows, mends } }
      : {}),
  };
}

async function shownHints(
  cluster: Cluster,
  exercise: Exercise,
): Promise<ShownExercise["hints"]> {
  return exercise.hints.slice(0, await hintsGiven(cluster, exercise));
}
