/** One question to a machine that has an answer of many parts, each under its name. */
import {
  cmd,
  type Command,
  type Outcome,
  type RunOptions,
} from "../exec/command.ts";
import type { Runner } from "./node.ts";

/** A part of an answer. */
export interface AnswerPart {
  readonly name: string;
  readonly text: string;
}

/** A program that answers in parts. */
export interface PartsProgram {
  readonly name: string;
  /**
   * For `sh`: before the text of a part it says `part NAME`, a name of one
   * line. It sorts by bytes, as container runtimes do.
   */
  readonly program: string;
  readonly args: readonly (string | number)[];
}

/** For `sh`: begins a part, after `boundary` was set. */
export const partFunction =
  `part() { printf '\\n%s %s\\n' "$boundary" "$1"; }\n`;

/** The last part: an answer without it was cut off. */
const last = "end";

/**
 * The question that readParts() reads the answer to.
 *
 * @param boundary a text that no part holds
 */
export function partsCommand(
  { name, program, args }: PartsProgram,
  boundary: string,
): Command {
  const whole = `boundary=$1; shift\n${partFunction}${program}\npart ${last}`;
  return cmd`env LC_ALL=C sh -c ${whole} ${name} ${boundary} ${args}`;
}

/** The parts of an answer, in their order; undefined where it was cut off. */
export function readParts(
  { stdout }: Pick<Outcome, "stdout">,
  boundary: string,
): readonly AnswerPart[] | undefined {
  const parts = splitParts(stdout, boundary);
  return parts.at(-1)?.name === last ? parts.slice(0, -1) : undefined;
}

/** The parts that came, also of an answer that was cut off. */
export function splitParts(
  stdout: string,
  boundary: string,
): readonly AnswerPart[] {
  return stdout.split(`\n${boundary} `).slice(1).map((part) => {
    const end = part.indexOf("\n");
    return end < 0
      ? { name: part, text: "" }
      : { name: part.slice(0, end), text: part.slice(end + 1) };
  });
}

/**
 * Asks a machine.
 *
 * @returns its parts, none where the answer was cut off; what came of the
 *   command, and the command as it is shown
 * @throws {UnreachableError}
 */
export async function askParts(
  runner: Runner,
  program: PartsProgram,
  options?: RunOptions,
): Promise<{
  readonly parts: readonly AnswerPart[] | undefined;
  readonly outcome: Outcome;
  readonly command: Command;
}> {
  const boundary = crypto.randomUUID();
  const outcome = await runner.run(partsCommand(program, boundary), options);
  return {
    parts: readParts(outcome, boundary),
    outcome,
    command: cmd`sh -c … ${program.name}`,
  };
}

/** The text of the first part of this name; undefined where there is none. */
export function partOf(
  parts: readonly AnswerPart[],
  name: string,
): string | undefined {
  return parts.find((part) => part.name === name)?.text;
}

/** The lines of a part, without empty ones. */
export function linesOf(
  parts: readonly AnswerPart[],
  name: string,
): readonly string[] {
  return (partOf(parts, name) ?? "").split("\n").filter(Boolean);
}

/**
 * Groups of parts: each begins with a part of this name, and ends before the
 * next one.
 */
export function groupsOf(
  parts: readonly AnswerPart[],
  name: string,
): readonly (readonly AnswerPart[])[] {
  const begins = parts.flatMap((part, at) => part.name === name ? [at] : []);
  return begins.map((begin, at) => parts.slice(begin, begins[at + 1]));
}
