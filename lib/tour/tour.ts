/**
 * The tour: brings a lab up stage by stage, each with what changes and why,
 * its commands, and what can then be seen; makes the classic mistake on the
 * way, and mends it.
 */
import { noLongerWanted } from "../stage/node_run.ts";
import { withCirculatingRule } from "../exercise/wrong_masquerade.ts";
import { CommandError, succeeded } from "../exec/command.ts";
import { plans } from "../stage/plan_stages.ts";
import { workersOf } from "../verify/matrix.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import { caller } from "../verify/namespace_pods.ts";
import { missingOfPod, podSites } from "../verify/start_pods.ts";
import { runStage, worst } from "../stage/run_stage.ts";
import type { Session } from "../cli/session.ts";
import { look } from "../verify/situation.ts";
import type { Stage } from "../stage/stage.ts";
import {
  ended,
  guideOf,
  type Itinerary,
  type Lesson,
  requireHealthy,
  showMatrix,
  type StopResult,
  TourEnd,
  type Voice,
} from "./matrix_stop.ts";
import { announcement, condense, type Shown, transcript } from "./stop_text.ts";
import {
  type Look,
  mendingSentences,
  mistakeSentences,
  type Sentences,
  tourTexts,
} from "./stage_texts.ts";
import { exitCode } from "../cli/exit_code.ts";
import { StepError } from "../stage/errors.ts";

/** What a stop came to; what was seen is told from the first pods on. */
export interface StopReport extends Partial<StopResult> {
  readonly name: string;
  readonly sentences: Sentences;
  readonly shown: readonly {
    readonly on: string;
    readonly alike: readonly string[];
    readonly steps: readonly Pick<Shown["steps"][number], "why" | "run">[];
  }[];
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

/**
 * Goes the whole way.
 *
 * @returns the exit code, and what was seen
 * @throws {UnreachableError | CommandError | StepError | JournalError}
 */
export async function tour(
  session: Session,
  itinerary: Itinerary,
  voice: Voice,
): Promise<{ readonly code: number; readonly report: TourReport }> {
  const { name: cluster } = await session.cluster();
  const stops: StopReport[] = [];
  const report = (finished: boolean): TourReport => (
    { version: 1, cluster, finished, stops }
  );
  try {
    const guide = new Guide(session, itinerary, voice, stops);
    await guide.stages();
    await guide.mistake();
    return { code: exitCode.done, report: report(true) };
  } catch (error) {
    const stopped = session.interrupted() &&
      (error instanceof StepError || error instanceof CommandError);
    if (!stopped && !(error instanceof TourEnd)) throw error;
    if (!stopped) voice.say(error.message);
    const code = error instanceof TourEnd ? error.code : exitCode.interrupted;
    return { code, report: report(false) };
  }
}

/** What one stop is, before anything is done there. */
interface Stop {
  readonly title: string;
  readonly sentences: Sentences;
  readonly shown: readonly Shown[];
}

/** One tour under way. */
class Guide {
  #before: MatrixReport | undefined;

  constructor(
    readonly session: Session,
    readonly itinerary: Itinerary,
    readonly voice: Voice,
    readonly stops: StopReport[],
  ) {}

  /** Stages 01 to 08; the matrix from the first pods on. */
  async stages(): Promise<void> {
    for (const stage of this.itinerary.stages) {
      const { sentences } = tourTexts[stage.name];
      await this.stage(stage, stage.name, sentences(await this.plan()));
      if (stage.name === "05-plugin") await this.firstPods();
    }
  }

  /** The rule that circulates, seen by the receiver; then the real stage again. */
  async mistake(): Promise<void> {
    const { masquerade } = this.itinerary;
    const wrong = withCirculatingRule(masquerade);
    await this.stage(wrong, "The classic mistake", mistakeSentences, {
      mistaken: true,
      goes: "Our rule goes",
    });
    const title = `${masquerade.name}, to mend it`;
    await this.stage(masquerade, title, mendingSentences, {
      mistaken: false,
      goes: "The rule that circulates goes",
    });
  }

  /** @param lesson where a rule is put in place of another, and the receivers are asked */
  async stage(
    stage: Stage,
    title: string,
    sentences: Sentences,
    lesson?: Lesson,
  ): Promise<void> {
    const { session } = this;
    const cluster = await session.cluster();
    const found = await Array.fromAsync(
      plans(session, [stage], cluster),
    );
    const names = cluster.nodes.map(({ name }) => name);
    const shown = condense(found, guideOf(cluster).name, names)
      .map((one) => lesson === undefined ? one : inWords(one, lesson));
    await this.announce({ title, sentences, shown });
    const results = await runStage(session, stage);
    if (session.interrupted()) throw ended();
    const code = exitCode[worst(results)];
    if (code !== exitCode.done) {
      throw new TourEnd(
        code,
        `${stage.name} failed; what to do stands with the error.`,
      );
    }
    const changed = results.filter(({ status }) => status === "changed").length;
    this.voice.say(`Done: changed ${changed}\n`);
    const { look } = tourTexts[stage.name];
    if (look !== undefined) await this.look(look(await session.cluster()));
    if (this.#before !== undefined) await this.matrix(lesson);
    await this.goOn();
  }

  /** Stage 09 for the first time. */
  async firstPods(): Promise<void> {
    const { session } = this;
    const cluster = await session.cluster();
    const options = {
      timeout_ms: session.context.timeout_ms,
      signal: session.context.signal,
    };
    const situation = await look(cluster, session.reach(cluster), options);
    const [site] = podSites(situation, [guideOf(cluster).name]);
    const shown: Shown[] = site === undefined ? [] : [{
      on: site.node.name,
      alike: workersOf(cluster).map(({ name }) => name)
        .filter((name) => name !== site.node.name),
      exactly: false,
      // What 09 keeps for itself is no part of a pod's birth.
      steps: missingOfPod(site, caller).start
        .filter(({ run }) => run.writes === undefined),
    }];
    const { sentences } = tourTexts["09-verify"];
    const plan = await this.plan();
    await this.announce({
      title: "09-verify, and from here on after every stage",
      sentences: sentences(plan),
      shown,
    });
    await this.matrix();
    await this.goOn();
  }

  /** Shows what can be looked at, as long as there are no pods. */
  async look({ on, command }: Look): Promise<void> {
    const cluster = await this.session.cluster();
    const { operator, nodeOf } = this.session.reach(cluster);
    const node = on === "operator" ? operator : nodeOf(guideOf(cluster).name);
    const outcome = await node.run(command);
    if (!succeeded(outcome)) {
      throw new CommandError(node.name, command, outcome, "look at it");
    }
    const where = on === "operator" ? "" : node.name;
    this.voice.say(`${transcript(where, command, outcome.stdout)}\n`);
  }

  /** Tries every path, and shows what has changed. */
  async matrix(lesson?: Lesson): Promise<void> {
    const { session, itinerary, voice } = this;
    const seen = await showMatrix(session, itinerary, voice, {
      ...(this.#before === undefined ? {} : { before: this.#before }),
      ...(lesson === undefined ? {} : { lesson }),
    });
    this.#before = seen.matrix;
    this.note(seen);
    requireHealthy(seen.matrix, lesson);
  }

  /** Adds to the report of the stop under way. */
  note(more: StopResult): void {
    const last = this.stops.pop();
    if (last !== undefined) this.stops.push({ ...last, ...more });
  }

  async announce({ title, sentences, shown }: Stop): Promise<void> {
    const { stops, itinerary, voice } = this;
    stops.push({
      name: title,
      sentences,
      shown: shown.map(({ on, alike, steps }) => ({
        on,
        alike,
        steps: steps.map(({ why, run }) => ({ why, run })),
      })),
    });
    // The stages, 09, the mistake and its mending.
    const of = itinerary.stages.length + 3;
    const number = stops.length;
    voice.say(`${announcement({ title, number, of, sentences, shown })}\n`);
    await this.wait("Enter runs it, q ends the tour: ");
  }

  async goOn(): Promise<void> {
    if (this.stops.length === this.itinerary.stages.length + 3) return;
    await this.wait("Enter goes on, q ends the tour: ");
  }

  async wait(question: string): Promise<void> {
    const { session } = this;
    if (session.interrupted()) throw ended();
    if (session.flags.yes) return;
    const answer = await session.answer(question);
    if (answer === undefined || /^q/i.test(answer)) throw ended();
    this.voice.say("");
  }

  async plan() {
    const cluster = await this.session.cluster();
    return { cluster, node: guideOf(cluster) };
  }
}

/** What the engine takes back, it knows no reason for; the tour does. */
function inWords(shown: Shown, { goes }: Lesson): Shown {
  return {
    ...shown,
    steps: shown.steps.map((step) =>
      step.why === noLongerWanted ? { ...step, why: goes } : step
    ),
  };
}
