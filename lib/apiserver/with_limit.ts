/** Work that has a time limit. */

/**
 * Waits for work; it goes on where its time is over.
 *
 * @param late what is thrown then
 */
export async function withLimit<Result>(
  work: Promise<Result>,
  limit_ms: number,
  late: () => Error,
): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(late()), limit_ms);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
