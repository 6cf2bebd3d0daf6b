/** Many names in one sentence. Pure. */

/** As many names stand in a sentence. */
const few = 4;

/** Some of them, and how many more there are: "a, b, c and 57 more". */
export function someNames(names: readonly string[]): string {
  if (names.length <= few) return names.join(", ");
  const shown = names.slice(0, few - 1);
  return `${shown.join(", ")} and ${names.length - shown.length} more`;
}
