/**
 * The doors by which a script's text gets out. What nodes said may be in any
 * of it, so a terminal never gets what it would obey.
 */
import { printableJSON, printableLines } from "../text/printable.ts";

/** Prints a result. */
export function printText(text: string): void {
  console.log(printableLines(text));
}

/** How much is written at one time, as far as there is that much. */
const chunk_length = 1 << 16;

/**
 * Prints a result that is very long: whole lines, in pieces. It takes a fraction
 * of console.log()'s time.
 */
export function printLines(pieces: Iterable<string>): void {
  let chunk = "";
  for (const lines of pieces) {
    chunk += lines;
    if (chunk.length < chunk_length) continue;
    writeOut(chunk);
    chunk = "";
  }
  writeOut(chunk);
}

function writeOut(lines: string): void {
  const bytes = new TextEncoder().encode(printableLines(lines));
  try {
    for (let at = 0; at < bytes.length;) {
      at += Deno.stdout.writeSync(bytes.subarray(at));
    }
  } catch (error) {
    // `| head` has seen enough; console.log() says nothing of it, either.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Prints a result in colours, of which nothing else is obeyed. */
export function printColoured(text: string): void {
  // deno-lint-ignore no-control-regex
  const parts = text.split(/(\x1b\[[0-9;]*m)/);
  console.log(
    parts.map((part, at) => at % 2 === 1 ? part : printableLines(part)).join(
      "",
    ),
  );
}

/** Prints a list as data, an element at a time: whole, it may be too long for one text. */
export function printList(elements: Iterable<unknown>): void {
  printLines(listLines(elements));
}

function* listLines(elements: Iterable<unknown>): Generator<string> {
  let before = "[\n";
  for (const element of elements) {
    yield `${before}${printableJSON(element)}`;
    before = ",\n";
  }
  yield before === ",\n" ? "\n]\n" : "[]\n";
}

/** Prints what is not the result: progress, failures, what a question is about. */
export function printNote(text: string): void {
  console.error(printableLines(text));
}

/** Prints a result as data. */
export function printData(value: unknown): void {
  console.log(printableJSON(value));
}
