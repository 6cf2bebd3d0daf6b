/** Waiting for what the kernel does soon after it was asked. */

/**
 * Asks every millisecond until the answer is yes, the thread asleep in between.
 * @returns false where the time was over first
 */
export function waitFor(limit_ms: number, done: () => boolean): boolean {
  for (let waited_ms = 0; !done(); waited_ms++) {
    if (waited_ms >= limit_ms) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
  return true;
}
