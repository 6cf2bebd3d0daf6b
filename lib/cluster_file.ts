/**
 * Reads a cluster file: YAML to checked values, with the line of each mistake.
 * The only importer of yaml.
 */
import { isNode, LineCounter, parseDocument } from "yaml";

/** A cluster file, or what was found out about its cluster, that makes no sense. */
export class ClusterFileError extends Error {
  override readonly name = "ClusterFileError";

  /** @param mistakes all that were found, a line each */
  constructor(readonly mistakes: readonly string[]) {
    super(mistakes.join("\n"));
  }
}

/** Keys and indices that lead to a value. */
export type Path = readonly (string | number)[];

/** A YAML text while it is checked. */
export interface Reading {
  readonly value: unknown;
  /** Notes a mistake at a place: the key, the value, and what was expected. */
  wrong(path: Path, message: string): void;
  /** All mistakes so far, in the file's order. */
  mistakes(): readonly string[];
}

/** Checks a value: gives it typed, or notes the mistake and gives undefined. */
export type Check<T> = (
  value: unknown,
  path: Path,
  reading: Reading,
) => T | undefined;

/**
 * Parses a YAML text.
 *
 * @param file its name, for the messages
 * @throws {ClusterFileError} when it is no YAML
 */
export function readYaml(text: string, file: string): Reading {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const line = (offset: number) => lineCounter.linePos(offset).line;
  if (document.errors.length > 0) {
    throw new ClusterFileError(
      document.errors.map(({ pos, message }) =>
        `${file}:${line(pos[0])}: not YAML: ${message}`
      ),
    );
  }
  const lineOf = (path: Path): number => {
    for (let length = path.length; length >= 0; length--) {
      const node: unknown = length === 0
        ? document.contents
        : document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return line(node.range[0]);
    }
    return 1;
  };
  const found: { line: number; message: string }[] = [];
  return {
    value: document.toJS(),
    wrong(path, message) {
      const at = lineOf(path);
      const key = path.length === 0 ? "" : `${showPath(path)}: `;
      found.push({ line: at, message: `${file}:${at}: ${key}${message}` });
    },
    mistakes: () =>
      found.toSorted((a, b) => a.line - b.line).map(({ message }) => message),
  };
}

function showPath(path: Path): string {
  return path.map((part, at) =>
    typeof part === "number" ? `[${part}]` : at === 0 ? part : `.${part}`
  ).join("");
}

/** A value as a message shows it. */
export function shown(value: unknown): string {
  return typeof value === "string" ? `"${value}"` : JSON.stringify(value);
}

/** A text for which `test` finds nothing wrong; `test` gives the rest of the sentence that begins with the value. */
export function text(
  test: (value: string) => string | undefined = () => undefined,
): Check<string> {
  return (value, path, reading) => {
    if (typeof value !== "string") {
      reading.wrong(path, `${shown(value)} is not text`);
      return undefined;
    }
    const mistake = test(value);
    if (mistake === undefined) return value;
    reading.wrong(path, `${shown(value)} ${mistake}`);
    return undefined;
  };
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number): Check<number> {
  return (value, path, reading) => {
    const fits = typeof value === "number" && Number.isInteger(value) &&
      value >= least && value <= most;
    if (fits) return value;
    reading.wrong(
      path,
      `${shown(value)} is not a whole number from ${least} to ${most}`,
    );
    return undefined;
  };
}

/** One of these words. */
export function oneOf<Word extends string>(
  ...words: readonly Word[]
): Check<Word> {
  return (value, path, reading) => {
    const word = words.find((word) => word === value);
    if (word === undefined) {
      reading.wrong(path, `${shown(value)} is not one of ${words.join(", ")}`);
    }
    return word;
  };
}

/** A list, or a single value as a list of one. */
export function listOf<T>(check: Check<T>): Check<T[]> {
  return (value, path, reading) => {
    if (!Array.isArray(value)) {
      const one = check(value, path, reading);
      return one === undefined ? undefined : [one];
    }
    const values = value.map((element, at) =>
      check(element, [...path, at], reading)
    );
    return values.every((value) => value !== undefined) ? values : undefined;
  };
}

/** A list of at least one element. */
export function someOf<T>(check: Check<T>): Check<T[]> {
  return (value, path, reading) => {
    if (Array.isArray(value) && value.length > 0) {
      return listOf(check)(value, path, reading);
    }
    reading.wrong(path, `${shown(value)} is not a list of at least one`);
    return undefined;
  };
}

/** A key of a mapping. */
export interface Key<T> {
  readonly check: Check<T>;
  readonly fallback?: T;
  readonly optional?: true;
}

/** A key that must be there. */
export function required<T>(check: Check<T>): Key<T> {
  return { check };
}

/** A key that may be left out, for this value. */
export function withDefault<T>(check: Check<T>, fallback: T): Key<T> {
  return { check, fallback };
}

/** A key that may be left out. */
export function optional<T>(check: Check<T>): Key<T | undefined> {
  return { check, optional: true };
}

/** A mapping with these keys and no others. */
export function mapping<T extends object>(
  keys: { readonly [Name in keyof T]-?: Key<T[Name]> },
): Check<T> {
  const names = Object.keys(keys) as (keyof T & string)[];
  return (value, path, reading) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      reading.wrong(
        path,
        `${shown(value)} is not a mapping; expected the keys ${
          names.join(", ")
        }`,
      );
      return undefined;
    }
    const given = value as Record<string, unknown>;
    for (const name of Object.keys(given)) {
      if (names.some((known) => known === name)) continue;
      const close = nearest(name, names);
      reading.wrong(
        [...path, name],
        `no such key; ${
          close ? `did you mean ${close}?` : `expected ${names.join(", ")}`
        }`,
      );
    }
    let whole = true;
    const result: Partial<T> = {};
    for (const name of names) {
      const key = keys[name];
      if (given[name] === undefined || given[name] === null) {
        if (key.fallback !== undefined) result[name] = key.fallback;
        else if (!key.optional) {
          reading.wrong(path, `the key ${name} is missing`);
          whole = false;
        }
        continue;
      }
      const checked = key.check(given[name], [...path, name], reading);
      if (checked === undefined) whole = false;
      else result[name] = checked;
    }
    return whole ? result as T : undefined;
  };
}

/** The name that was most likely meant: at most two letters away. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const ranked = names
    .map((known) => ({ known, away: distance(name, known) }))
    .toSorted((a, b) => a.away - b.away);
  const [best] = ranked;
  return best !== undefined && best.away <= 2 ? best.known : undefined;
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
