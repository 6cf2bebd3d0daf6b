/** A sign of life of work that takes long. */

/** Milliseconds between two lines. */
const interval_ms = 10_000;

/** Milliseconds after which a person wants to know what is waited for. */
const patience_ms = 2000;

/**
 * Waits for work, and tells once what it is where it is not quick.
 *
 * @param tell left out, nothing is told
 */
export async function tellingIfSlow<Result>(
  what: string,
  tell: ((line: string) => void) | undefined,
  work: Promise<Result>,
  after_ms = patience_ms,
): Promise<Result> {
  if (tell === undefined) return await work;
  const timer = setTimeout(() => tell(`${what} …`), after_ms);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for work, and tells every ten seconds that it goes on.
 *
 * @param what it is, in a few words without any secret
 * @param tell told a line at a time; left out, nothing is told
 */
export async function whileTelling<Result>(
  what: string,
  tell: ((line: string) => void) | undefined,
  work: Promise<Result>,
  every_ms = interval_ms,
): Promise<Result> {
  if (tell === undefined) return await work;
  const began_ms = Date.now();
  const timer = setInterval(() => {
    const passed_s = Math.round((Date.now() - began_ms) / 1000);
    tell(`${what}: ${passed_s} s so far`);
  }, every_ms);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
