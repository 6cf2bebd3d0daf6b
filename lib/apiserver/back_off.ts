/** How long to wait after failures. */

/** A wait that grows. */
interface BackOff {
  /** The next wait; each may be twice as long as the one before. */
  readonly next_ms: () => number;
  /** All is well again. */
  readonly reset: () => void;
}

/**
 * Waits that double, up to a limit. The second half of each is left to chance, so
 * that a thousand clients that lost one server do not come back at one time.
 *
 * @param random gives a number from 0 to 1, as Math.random() does
 */
export function backOff(
  first_ms: number,
  longest_ms: number,
  random: () => number = Math.random,
): BackOff {
  let times = 0;
  return {
    next_ms() {
      const whole_ms = Math.min(longest_ms, first_ms * 2 ** times);
      if (whole_ms < longest_ms) times++;
      return whole_ms / 2 + random() * whole_ms / 2;
    },
    reset: () => void (times = 0),
  };
}

/** Waits; ends early where the signal fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
}
