/** The name that a misspelt one was most likely meant to be. Pure. */

/** The nearest of the known names: at most a third of its letters away. */
export function nearest(
  name: string,
  known: readonly string[],
): string | undefined {
  const [best] = known
    .map((one) => ({ one, away: distance(name, one) }))
    .toSorted((a, b) => a.away - b.away);
  return best !== undefined && best.away <= Math.ceil(best.one.length / 3)
    ? best.one
    : undefined;
}

/** Levenshtein's distance, case aside. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  [...from.toLowerCase()].forEach((letter, i) => {
    const next = [i + 1];
    [...to.toLowerCase()].forEach((other, j) => {
      next.push(Math.min(
        (next[j] ?? 0) + 1,
        (row[j + 1] ?? 0) + 1,
        (row[j] ?? 0) + (letter === other ? 0 : 1),
      ));
    });
    row = next;
  });
  return row.at(-1) ?? 0;
}
