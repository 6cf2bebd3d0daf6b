/** What a tour came to, as data: for `-o json`, for the next run of the tour, and for the page. */
import type { Marked } from "../predict/compare.ts";
import type { Prediction } from "../predict/mark.ts";
import type { Sentences } from "./stage_texts.ts";
import type { StopEffect } from "./stop.ts";
import type { Announcement, Shown } from "./stop_text.ts";

/** What a stop came to; what was seen is told from the first pods on. */
export interface StopReport extends StopEffect {
  readonly name: string;
  readonly sentences: Sentences;
  readonly shown: readonly Shown[];
  /** What was said of the matrix before, and how much of it was right. */
  readonly prediction?: Marked & { readonly marks: Prediction };
}

/** The data form of the tour (`-o json`). */
export interface TourReport {
  readonly version: 1;
  /** The cluster's name. */
  readonly cluster: string;
  /** Whether it went to its end. */
  readonly finished: boolean;
  readonly stops: readonly StopReport[];
}

/** A stop of which nothing was done yet. */
export function announced(
  { title, sentences, shown }: Announcement,
): StopReport {
  return {
    name: title,
    sentences,
    shown: shown.map(({ on, alike, exactly, steps }) => ({
      ...{ on, alike, exactly },
      steps: steps.map(({ why, run }) => ({ why, run })),
    })),
  };
}
