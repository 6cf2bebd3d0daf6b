/** Text of a node's own making, made fit for a terminal and for a shell. Pure. */

/**
 * What a terminal obeys instead of showing it: control characters of ASCII and
 * of ISO 8859-1, line and paragraph separators, surrogates without a partner,
 * and format characters, those among them that turn the direction of writing
 * (Unicode, general categories Cc, Cf, Cs, Zl, Zp).
 */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Whether a terminal shows all of it as it is, in one line. */
export function isPrintable(text: string): boolean {
  return text.search(unprintable) < 0;
}

/** The text as it is shown: in one line, with `\u{1b}` for what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(
    unprintable,
    (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`,
  );
}

/** The same without line ends and tabs. */
const unprintableInLines = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\n\t]]/v;

/** Text of several lines as it is shown: only line ends and tabs stay as they are. */
export function printableLines(text: string): string {
  // Most often, nothing is to be done.
  if (!unprintableInLines.test(text)) return text;
  return text.split(/([\n\t])/).map((part) =>
    part === "\n" || part === "\t" ? part : printable(part)
  ).join("");
}

/** A value as JSON that a terminal can show; parsed, it is the same value. */
export function printableJSON(value: unknown): string {
  return JSON.stringify(value, null, 2).split("\n").map((line) =>
    line.replace(
      unprintable,
      (found) =>
        Array.from({ length: found.length }, (_, at) =>
          `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
    )
  ).join("\n");
}
