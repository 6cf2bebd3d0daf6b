/** Text for a terminal of 80 columns. Pure. */
import { type Command, quote } from "../exec/command.ts";
import { withoutColours } from "./colours.ts";

/** What a line may take: a terminal's 80 columns, the last of which some keep free. */
const width = 79;

/**
 * Breaks text at its spaces; a word that is longer than a line stays whole.
 *
 * @param indent what begins the first line
 * @param hanging what begins the others (default: as many spaces)
 * @param most what a line may take
 */
export function wrap(
  text: string,
  indent = "",
  hanging = " ".repeat(indent.length),
  most = width,
): string {
  const lines: string[] = [];
  let line = indent;
  let empty = true;
  for (const word of text.split(" ")) {
    if (!empty && shownLength(line) + 1 + shownLength(word) > most) {
      lines.push(line);
      line = hanging;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line].join("\n");
}

/** Two columns, indented; below each other where they would not fit side by side. */
export function columns(
  rows: readonly (readonly [left: string, right: string])[],
): string {
  const left = Math.max(0, ...rows.map(([left]) => left.length));
  const right = Math.max(0, ...rows.map(([, right]) => right.length));
  return rows.map(([one, other]) =>
    2 + left + 2 + right <= width
      ? `  ${one.padEnd(left)}  ${other}`
      : `  ${one}\n${wrap(other, "      ")}`
  ).join("\n");
}

/**
 * Breaks the lines that are too long, under their own indentation; one to paste
 * stays whole.
 *
 * @param most what a line may take before it is broken
 */
export function wrapLines(text: string, most = width): string {
  return text.split("\n").map((line) => {
    if (shownLength(line) <= most || /^ *(mend|look): /.test(line)) return line;
    const [, indent = "", rest = ""] = /^( *)(.*)$/s.exec(line) ?? [];
    return wrap(rest, indent, `${indent}  `);
  }).join("\n");
}

/** Columns that a terminal takes for it: what sets a colour takes none. */
function shownLength(text: string): number {
  return [...withoutColours(text)].length;
}

/** A command without its input, for a POSIX shell, over as many lines as it needs. */
export function wrapCommand(command: Command, indent = ""): string {
  const lines: string[] = [];
  let line = indent;
  let empty = true;
  for (const part of parts(command)) {
    // Room for the " \" that goes on in the next line.
    if (!empty && line.length + 1 + part.length > width - 2) {
      lines.push(`${line} \\`);
      line = `${indent}    `;
      empty = true;
    }
    line += empty ? part : ` ${part}`;
    empty = false;
  }
  return [...lines, line].join("\n");
}

/**
 * The arguments, quoted: an option stays with its value, and "!" with both; the
 * first two stay together.
 */
function parts({ argv }: Command): string[] {
  const [program, ...args] = argv;
  const found = [quote(program)];
  let open = true; // A program is never left alone on its line.
  for (const argument of args) {
    const text = quote(argument);
    const isOption = argument.startsWith("-") || argument === "!";
    const joins = open &&
      (!isOption || found.at(-1) === "!" || found.length === 1);
    if (joins) found.push(`${found.pop()} ${text}`);
    else found.push(text);
    open = isOption;
  }
  return found;
}

/** A title that can be found again when one scrolls back. */
export function rule(title: string): string {
  return `── ${title} ${"─".repeat(Math.max(2, 75 - title.length))}`;
}
