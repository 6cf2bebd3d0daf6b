/** The part that matters of what a command printed; what is left out is marked. Pure. */

/** A line that begins so, and the indented ones that belong to it. */
export function blockOf(
  text: string | undefined,
  begins: RegExp,
): readonly string[] {
  const lines = (text ?? "").split("\n");
  const begin = lines.findIndex((line) => begins.test(line));
  if (begin < 0) return [];
  const length = lines.slice(begin + 1).findIndex((line) => !/^\s/.test(line));
  return lines.slice(begin, length < 0 ? undefined : begin + 1 + length)
    .map((line) => line.trimEnd()).filter((line) => line !== "");
}

/** What of a line is not wanted, as a text. */
const gap = "…";

/** The wanted lines, with a mark for each stretch of others. */
export function wantedLines(
  lines: readonly string[],
  wanted: (line: string) => boolean,
): string {
  const shown = lines.map((line) => wanted(line) ? line : gap);
  return shown.filter((line, at) => line !== gap || shown[at - 1] !== gap)
    .join("\n");
}

/** The wanted words of a line, with a mark for what stands around them. */
export function wantedWords(line: string, words: RegExp): string {
  const found = words.exec(line);
  if (found === null) return line;
  const [word] = found;
  const before = line.slice(0, found.index);
  const after = line.slice(found.index + word.length);
  return (before.trim() === "" ? before : `${gap} `) + word +
    (after.trim() === "" ? "" : ` ${gap}`);
}

/** A text as a regular expression that finds it. */
export function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
