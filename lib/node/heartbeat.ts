/** A sign of life of work that takes long. */

/** Milliseconds between two lines. */
const interval_ms = 10_000;

/** Milliseconds after which a person wants to know what is waited for. */
const patience_ms = 2000;

/** How work that is not quick is told of. */
interface Telling {
  /** How far it is, in a few words; told as often as that changes. */
  readonly soFar?: () => string;
  readonly every_ms?: number;
}

/**
 * Waits for work, and tells what it is where it is not quick; then how far it
 * is, and every ten seconds that it goes on.
 *
 * @param tell left out, nothing is told
 */
export async function tellingIfSlow<Result>(
  what: string,
  tell: ((line: string) => void) | undefined,
  work: Promise<Result>,
  { soFar = () => "", every_ms = patience_ms }: Telling = {},
): Promise<Result> {
  if (tell === undefined) return await work;
  const began_ms = Date.now();
  let told_ms: number | undefined;
  let last = "";
  const timer = setInterval(() => {
    const now_ms = Date.now();
    const news = soFar();
    if (told_ms === undefined) tell(`${what} …`);
    else if (news !== last) tell(`${what}: ${news}`);
    else if (now_ms - told_ms < interval_ms) return;
    else tell(`${what}: ${Math.round((now_ms - began_ms) / 1000)} s so far`);
    [told_ms, last] = [now_ms, news];
  }, every_ms);
  try {
    return await work;
  } finally {
    clearInterval(timer);
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
