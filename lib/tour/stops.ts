/** The stops of the tour as data, which a terminal and a page go through. Pure. */
import { withWrongMasquerade } from "../exercise/wrong_masquerade.ts";
import type { StageSet } from "../exercise/stage_set.ts";
import type { Plan, Stage } from "../stage/stage.ts";
import type { Cluster } from "../cluster/cluster.ts";
import {
  type Look,
  mendingSentences,
  mistakeSentences,
  type Sentences,
  tourTexts,
} from "./stage_texts.ts";

/** What the tour is made of. */
export interface Itinerary extends StageSet {
  /** The stage that is done wrongly on the way. */
  readonly masquerade: Stage;
}

/** A stop at which a rule is put in place of another. */
export interface Lesson {
  /** Whether the wrong one is put in. */
  readonly mistaken: boolean;
  /** Why the other one is taken out. */
  readonly goes: string;
}

/** A stop, before anything is asked or done there. */
export interface TourStop {
  readonly title: string;
  /** What is run; absent where the first pods are started. */
  readonly stage?: Stage;
  /** Where a rule is put in place of another, and the receivers are asked. */
  readonly lesson?: Lesson;
  readonly sentences: (plan: Plan) => Sentences;
  /** A command that shows what the stage has done. */
  readonly look?: (cluster: Cluster) => Look | undefined;
  /** Whether every path is tried at its end: from the first pods on. */
  readonly triesPaths: boolean;
}

/** All stops in their order: the stages, 09, the classic mistake, and its mending. */
export function tourStops(
  { stages, masquerade }: Itinerary,
): readonly TourStop[] {
  const own = stages.map(({ name }) => name).indexOf("05-plugin");
  return [
    ...stages.slice(0, own + 1).map((stage) => stageStop(stage, false)),
    {
      title: "09-verify, and from here on after every stage",
      sentences: tourTexts["09-verify"].sentences,
      triesPaths: true,
    },
    ...stages.slice(own + 1).map((stage) => stageStop(stage, true)),
    {
      title: "The classic mistake",
      stage: withWrongMasquerade(masquerade),
      lesson: { mistaken: true, goes: "Our rule goes" },
      sentences: () => mistakeSentences,
      triesPaths: true,
    },
    {
      title: `${masquerade.name}, to mend it`,
      stage: masquerade,
      lesson: { mistaken: false, goes: "The rule that circulates goes" },
      sentences: () => mendingSentences,
      triesPaths: true,
    },
  ];
}

function stageStop(stage: Stage, triesPaths: boolean): TourStop {
  const { sentences, look } = tourTexts[stage.name];
  return {
    title: stage.name,
    stage,
    sentences,
    ...(look === undefined ? {} : { look }),
    triesPaths,
  };
}
