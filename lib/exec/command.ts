/**
 * Commands as data: built from a template into argv, shown as a line that can
 * be pasted into a POSIX shell, and run without one.
 */
import type { Readable } from "node:stream";

/** A command: what to execute and, where it reads one, its standard input. */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly stdin?: string;
  /** What it does, in a few words, where its argv does not say that well. */
  readonly label?: string;
  /** The path of the file that its standard input becomes. */
  readonly writes?: string;
}

/** What came of a command that was started, or could not be. */
export interface Outcome {
  /** The exit code; undefined when the command was killed or never started. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Why there is no exit code. */
  readonly ended?:
    | "no such command"
    | "not executable"
    | "timed out"
    | "interrupted"
    | "killed";
}

/** How to run a command. */
export interface RunOptions {
  /** Kill it, and all that it started, after this many milliseconds (default 30,000). */
  readonly timeout_ms?: number;
  /** Kill it when this fires. */
  readonly signal?: AbortSignal;
  /** Its whole environment; by default this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** How to run a command that reads more than a text. */
export interface StreamOptions extends RunOptions {
  /** Bytes for its standard input, in place of the command's own text. */
  readonly input?: Readable;
}

/** A command that did not do what it was run for. */
export class CommandError extends Error {
  override readonly name = "CommandError";

  /**
   * @param where the node's name
   * @param command what was run there
   * @param outcome what came of it
   * @param why what it was run for
   */
  constructor(
    readonly where: string,
    readonly command: Command,
    readonly outcome: Outcome,
    readonly why: string,
  ) {
    super(
      `${where}: ${show(command)}: ${ending(outcome)}` +
        (outcome.stderr.trim() ? `: ${outcome.stderr.trim()}` : ""),
    );
  }
}

type Value = string | number | readonly (string | number)[];

/**
 * Builds a command from a template. White space in the template separates
 * arguments; an interpolated value never does, whatever it holds. A list that
 * stands alone becomes as many arguments as it has elements.
 *
 * @example cmd`ip addr add ${"10.244.1.1/24"} dev ${"cni0"}`
 * @throws {TypeError} when the template is empty or glues a list to text
 */
export function cmd(
  pieces: TemplateStringsArray,
  ...values: readonly Value[]
): Command {
  const argv: string[] = [];
  const parts = partsOf(pieces);
  let current: string | undefined;
  for (let at = 0; at < pieces.length; at++) {
    for (const part of parts[at] ?? []) {
      if (part !== " ") current = (current ?? "") + part;
      else if (current !== undefined) {
        argv.push(current);
        current = undefined;
      }
    }
    const value = values[at];
    if (value === undefined) continue;
    if (typeof value === "string" || typeof value === "number") {
      current = (current ?? "") + value;
      continue;
    }
    const next = parts[at + 1]?.[0] ?? " ";
    if (current !== undefined || next !== " ") {
      throw new TypeError(
        `Cannot glue a list to text in the command "${pieces.join("…")}": ` +
          "put white space around it",
      );
    }
    argv.push(...value.map(String));
  }
  if (current !== undefined) argv.push(current);
  const [program] = argv;
  if (program === undefined) throw new TypeError("A command needs a program");
  return { argv: argv as [string, ...string[]] };
}

const partsByTemplate = new WeakMap<TemplateStringsArray, string[][]>();

/**
 * Each piece of a template as words, and " " where white space parts them;
 * worked out once a template.
 */
function partsOf(pieces: TemplateStringsArray): string[][] {
  const known = partsByTemplate.get(pieces);
  if (known !== undefined) return known;
  const parts = pieces.map((piece) =>
    piece.split(/(\s+)/).filter((part) => part !== "")
      .map((part) => /^\s/.test(part) ? " " : part)
  );
  partsByTemplate.set(pieces, parts);
  return parts;
}

/** The same command, reading the text as its standard input. */
export function withInput(command: Command, stdin: string): Command {
  return { ...command, stdin };
}

/** Quotes an argument for a POSIX shell; one that needs no quotes stays bare. */
export function quote(argument: string): string {
  if (/^([A-Za-z0-9_@%+=:,./-]+|!)$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}

const lineByCommand = new WeakMap<Command, string>();

/** The command as one line for a POSIX shell, without its input; worked out once a command. */
export function show(command: Command): string {
  const known = lineByCommand.get(command);
  if (known !== undefined) return known;
  const line = command.argv.map(quote).join(" ");
  lineByCommand.set(command, line);
  return line;
}

/** The command as it can be pasted into a POSIX shell, its input as a here-document. */
export function paste(command: Command): string {
  const { stdin } = command;
  if (stdin === undefined) return show(command);
  const text = stdin.endsWith("\n") ? stdin : `${stdin}\n`;
  return hereDocument(command, [text]).join("").slice(0, -1);
}

/**
 * The command with a here-document, as whole lines.
 *
 * @param input whole lines, in as many pieces as there are
 * @returns pieces, which may be too much for one text
 */
export function hereDocument(
  command: Command,
  input: readonly string[],
): readonly string[] {
  let mark = "END";
  while (input.some((lines) => hasLine(lines, mark))) mark += "_";
  return [`${show(command)} <<'${mark}'\n`, ...input, `${mark}\n`];
}

function hasLine(lines: string, line: string): boolean {
  return lines.startsWith(`${line}\n`) || lines.includes(`\n${line}\n`);
}

/** How a command ended, in words: "exit code 2", "no such command", … */
export function ending(outcome: Outcome): string {
  return outcome.ended ?? `exit code ${outcome.code}`;
}

/** Whether the command ran to its end and said all is well. */
export function succeeded(outcome: Outcome): boolean {
  return outcome.code === 0;
}
