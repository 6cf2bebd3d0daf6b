/**
 * When the agent works: what comes together is one run, there is one run at a
 * time, and what fails or has to be mended over and over is done less and less
 * often. Its clock is one that nobody sets. Pure but for timers.
 */
import { backOff } from "../apiserver/back_off.ts";

/**
 * What came of a run; repeated: it had to change what the run before it had changed,
 * so something else is at work against it, or what it makes does not stay.
 */
export type RunOutcome = "clean" | "changed" | "repeated" | "failed";

/** Milliseconds. */
export interface Pace {
  /** From the first of what comes together to the run. */
  readonly gather_ms: number;
  /** Between runs when nothing happens. */
  readonly regular_ms: number;
  /** The first and longest wait after a failure, and after what had to be changed again. */
  readonly first_ms: number;
  readonly longest_ms: number;
  /**
   * The shortest and longest rest after any run; between them it is four times as
   * long as the run, so that a storm of events does not cost a whole processor.
   */
  readonly rest_ms: readonly [shortest: number, longest: number];
}

export const usualPace: Pace = {
  gather_ms: 200,
  regular_ms: 300_000,
  first_ms: 500,
  longest_ms: 60_000,
  rest_ms: [500, 2000],
};

/** Runs under way or to come. */
interface Schedule {
  /**
   * Asks for a run.
   *
   * @param why in a few words; told to the run with all that came together
   * @param urgent it does not wait until what failed may be tried again
   */
  readonly request: (why: string, urgent?: boolean) => void;
  /** Ends; resolves when no run is under way. */
  readonly stop: () => Promise<void>;
  /** Milliseconds for which the run under way has gone on; 0 between runs. */
  readonly busy_ms: () => number;
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
  const { gather_ms, regular_ms, first_ms, longest_ms, rest_ms } = pace;
  const wait = backOff(first_ms, longest_ms, random);
  const why = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due_ms = Infinity;
  let notBefore_ms = 0;
  let running: Promise<void> | undefined;
  let since_ms: number | undefined;
  let stopped = false;

  const plan = (at_ms: number) => {
    if (stopped || running !== undefined || at_ms >= due_ms) return;
    clearTimeout(timer);
    due_ms = at_ms;
    timer = setTimeout(begin, Math.max(0, at_ms - performance.now()));
  };
  const begin = () => {
    due_ms = Infinity;
    const reasons = why.size === 0 ? ["it was time"] : [...why];
    why.clear();
    since_ms = performance.now();
    running = run(reasons).then(after);
  };
  const after = (outcome: RunOutcome) => {
    const now_ms = performance.now();
    const took_ms = now_ms - (since_ms ?? now_ms);
    running = undefined;
    since_ms = undefined;
    const [shortest_ms, longestRest_ms] = rest_ms;
    const rest = Math.min(longestRest_ms, Math.max(shortest_ms, 4 * took_ms));
    const isWell = outcome === "clean" || outcome === "changed";
    if (isWell) wait.reset();
    const again = Math.max(rest, isWell ? 0 : wait.next_ms());
    // What fails for ever keeps nothing else from being mended at once.
    notBefore_ms = now_ms + (outcome === "repeated" ? again : rest);
    plan(now_ms + (isWell ? regular_ms * (0.9 + random() / 5) : again));
    if (why.size > 0) plan(next());
  };
  const next = () => Math.max(performance.now() + gather_ms, notBefore_ms);
  return {
    request(reason, urgent = false) {
      why.add(reason);
      if (urgent) {
        notBefore_ms = Math.min(notBefore_ms, performance.now() + first_ms);
      }
      plan(next());
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
    busy_ms: () => since_ms === undefined ? 0 : performance.now() - since_ms,
  };
}
