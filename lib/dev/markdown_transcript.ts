/**
 * What a page of Markdown says that commands print, and whether they do. Pure.
 *
 * A block fenced as `console` holds commands, each a line that begins with
 * `$ `, and below each what it prints. A line `…` stands for any lines. What a
 * reader need not see is run by a comment of one line: `<!-- run: COMMAND -->`.
 */

/** A command of a page. */
export type PageCommand =
  & {
    readonly command: string;
    /** The line of the page that it stands in, from 1. */
    readonly line: number;
  }
  & (
    | { readonly is: "run" }
    | {
      readonly is: "shown";
      /** What it prints, by the page: without white space and empty lines at the ends. */
      readonly said: readonly string[];
    }
  );

/** A page that cannot be read. */
export class TranscriptError extends Error {
  override readonly name = "TranscriptError";
}

/**
 * Finds the commands of a page, in their order.
 *
 * @throws {TranscriptError} naming the line
 */
export function readPage(text: string): readonly PageCommand[] {
  const entries: PageCommand[] = [];
  let shown: { command: string; line: number; said: string[] } | undefined;
  let fence: "console" | "other" | undefined;
  let opened = 0;
  const close = () => {
    if (shown === undefined) return;
    entries.push({ is: "shown", ...shown, said: trimmed(shown.said) });
    shown = undefined;
  };
  text.split("\n").forEach((content, at) => {
    const line = at + 1;
    const [, run] = /^<!-- run: (.+) -->$/.exec(content) ?? [];
    if (content.startsWith("```")) {
      close();
      if (fence !== undefined) fence = undefined;
      else {
        fence = content === "```console" ? "console" : "other";
        opened = line;
      }
    } else if (fence === undefined) {
      if (run !== undefined) entries.push({ is: "run", command: run, line });
    } else if (fence === "console" && content.startsWith("$ ")) {
      close();
      shown = { command: content.slice(2), line, said: [] };
    } else if (fence === "console") {
      if (shown === undefined) {
        throw new TranscriptError(
          `line ${line}: expected a command, "$ …", ahead of what it prints: ${content}`,
        );
      }
      shown.said.push(content);
    }
  });
  if (fence !== undefined) {
    throw new TranscriptError(
      `line ${opened}: expected a line "\`\`\`" that closes this block`,
    );
  }
  return entries;
}

function trimmed(lines: readonly string[]): string[] {
  const end = lines.findLastIndex((line) => line.trim() !== "");
  return lines.slice(0, end + 1).map((line) => line.trimEnd());
}

/** What differs from run to run, and what stands for it in a comparison. */
const changing: readonly (readonly [RegExp, string])[] = [
  [/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "MAC"],
  [/\bfe80:[0-9a-f:]+/g, "LINK-LOCAL"],
  [/\bveth[0-9a-z]{6,}/g, "VETH"],
  [/@if\d+/g, "@IF"],
  // Two pods of a node start at one time, and either may get the first address.
  [/\b(10\.244\.\d+)\.[2-9]\b/g, "$1.POD"],
  [/\b(fd00:10:244:\d+::)[2-9]\b/g, "$1POD"],
  [/\bMakefile:\d+/g, "MAKEFILE"],
  // A lab is named after its folder, too.
  [/\blab-[0-9a-f]{8}\b/g, "LAB"],
  // The compiled plugin is one file, the portable one four.
  [/^(05-plugin +changed) \d+/g, "$1 SOME"],
  [/\bok=\d+ changed=\d+/g, "SOME"],
  [/\b\d+(?:\.\d+)? ?m?s\b/g, "TIME"],
  [/\s+/g, " "],
];

function masked(line: string): string {
  return changing.reduce(
    (text, [pattern, name]) => text.replace(pattern, name),
    line,
  ).trim();
}

/** Whether what was printed is what the page says, but for what differs from run to run. */
export function agrees(
  said: readonly string[],
  printed: readonly string[],
): boolean {
  return matches(said.map(masked), trimmed(printed).map(masked));
}

/** The lines that differ, without those at both ends that do not. */
export function differingLines(
  said: readonly string[],
  printed: readonly string[],
): { readonly said: readonly string[]; readonly printed: readonly string[] } {
  const now = trimmed(printed);
  const same = (a: string | undefined, b: string | undefined) =>
    a !== undefined && b !== undefined && masked(a) === masked(b);
  let from = 0;
  while (same(said[from], now[from])) from++;
  let back = 0;
  while (
    back < Math.min(said.length, now.length) - from &&
    same(said.at(-1 - back), now.at(-1 - back))
  ) back++;
  return {
    said: said.slice(from, said.length - back),
    printed: now.slice(from, now.length - back),
  };
}

function matches(said: readonly string[], printed: readonly string[]): boolean {
  const [first, ...rest] = said;
  if (first === undefined) return printed.length === 0;
  if (first !== "…") {
    return printed[0] === first && matches(rest, printed.slice(1));
  }
  return printed.some((_, from) => matches(rest, printed.slice(from))) ||
    rest.length === 0;
}

/**
 * The page with what was printed in place of what it said.
 *
 * @param printed by the line of the command; others stay as they are
 */
export function rewrite(
  text: string,
  printed: ReadonlyMap<number, readonly string[]>,
): string {
  const entries = readPage(text);
  const lines = text.split("\n");
  for (const entry of entries.toReversed()) {
    const now = printed.get(entry.line);
    if (entry.is !== "shown" || now === undefined) continue;
    lines.splice(entry.line, entry.said.length, ...trimmed(now));
  }
  return lines.join("\n");
}
