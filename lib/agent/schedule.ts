/**
 * When the agent works: what comes together is one run, there is one run at a
 * time, and what fails or has to be mended over and over is done less and less
 * often. A run that had to change something is followed by one that looks whether
 * it holds: that it does is what ends the waiting. What is heard when nothing has
 * been done for a while does not wait: what is refused in one place keeps nothing from
 * being repaired in another. Pure but for timers.
 */
import { backOff } from "../apiserver/back_off.ts";

/** What came of a run. */
export type RunOutcome = "clean" | "changed" | "failed";

/** Milliseconds. */
export interface Pace {
  /** From the first of what comes together to the run. */
  readonly gather_ms: number;
  /** Between runs when nothing happens. */
  readonly regular_ms: number;
  /** The first and longest wait after a failure, and after what a run had to change. */
  readonly first_ms: number;
  readonly longest_ms: number;
  /** What comes so long after a run is not of the run's own doing, and need not wait. */
  readonly quiet_ms: number;
}

export const usualPace: Pace = {
  gather_ms: 200,
  regular_ms: 300_000,
  first_ms: 500,
  longest_ms: 60_000,
  quiet_ms: 2000,
};

/** Why a run follows one that changed something. */
const afterChange = "whether what was done holds";

/** Runs under way or to come. */
interface Schedule {
  /**
   * Asks for a run.
   *
   * @param why in a few words; told to the run with all that came together
   * @param urgent it never waits until what failed may be tried again
   */
  readonly request: (why: string, urgent?: boolean) => void;
  /** Ends; resolves when no run is under way. */
  readonly stop: () => Promise<void>;
  /** When the run under way began, in milliseconds since 1970; undefined between runs. */
  readonly since: () => number | undefined;
}

/**
 * Begins to run when it is asked to.
 *
 * @param run given why; it may not throw
 */
export function schedule(
  run: (why: readonly string[]) => Promise<RunOutcome>,
  pace: Pace = usualPace,
  random: () => number = Math.random,
): Schedule {
  const { gather_ms, regular_ms, first_ms, longest_ms, quiet_ms } = pace;
  const wait = backOff(first_ms, longest_ms, random);
  const why = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due_ms = Infinity;
  let notBefore_ms = 0;
  let ended_ms = 0;
  let running: Promise<void> | undefined;
  let since_ms: number | undefined;
  let stopped = false;

  const plan = (at_ms: number) => {
    if (stopped || running !== undefined || at_ms >= due_ms) return;
    clearTimeout(timer);
    due_ms = at_ms;
    timer = setTimeout(begin, Math.max(0, at_ms - Date.now()));
  };
  const begin = () => {
    due_ms = Infinity;
    const reasons = why.size === 0 ? ["it was time"] : [...why];
    why.clear();
    since_ms = Date.now();
    running = run(reasons).then(after);
  };
  const after = (outcome: RunOutcome) => {
    running = undefined;
    since_ms = undefined;
    const now_ms = Date.now();
    ended_ms = now_ms;
    if (outcome === "clean") wait.reset();
    const wait_ms = outcome === "clean" ? 0 : wait.next_ms();
    notBefore_ms = now_ms + wait_ms;
    const regular = now_ms + regular_ms * (0.9 + random() / 5);
    if (outcome === "clean") plan(why.size > 0 ? next() : regular);
    else {
      if (outcome === "changed" && why.size === 0) why.add(afterChange);
      plan(notBefore_ms);
    }
  };
  const next = () => Math.max(Date.now() + gather_ms, notBefore_ms);
  return {
    request(reason, urgent = false) {
      why.add(reason);
      const now_ms = Date.now();
      if (urgent) notBefore_ms = Math.min(notBefore_ms, now_ms + first_ms);
      if (now_ms >= ended_ms + quiet_ms) notBefore_ms = 0;
      plan(next());
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
    since: () => since_ms,
  };
}
