/**
 * What a value of a file must be, as data: texts, numbers, lists, mappings.
 * A check gives what is right of a value and notes each mistake where it is.
 */
import { nearest } from "../text/nearest.ts";
import type { KeyPath, Reading } from "./yaml.ts";

/**
 * What is left of a value when all that is wrong in it is taken out. A key that
 * was given, and is wrong, is there with nothing as its value.
 */
export type Draft<T> = T extends readonly (infer Element)[]
  ? (Draft<Element> | undefined)[]
  : T extends object ? { [Name in keyof T]?: Draft<T[Name]> | undefined }
  : T;

/** The elements of a draft's list that are there, with their places. */
export function present<T>(
  list: readonly (T | undefined)[] | undefined,
): (readonly [at: number, value: T])[] {
  return (list ?? []).flatMap((value, at) =>
    value === undefined ? [] : [[at, value] as const]
  );
}

/** A schema of JSON Schema, draft 2020-12, in the keywords that are used here. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: "string" | "integer" | "array" | "object";
  readonly default?: unknown;
  readonly enum?: readonly (string | boolean | number)[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: false;
  readonly anyOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
}

/** What a value must be. */
export interface Validator<T> {
  /** In words, for messages: `expected …`. */
  readonly expected: string;
  /** The same for programs, as far as JSON Schema can say it. */
  readonly schema: JsonSchema;
  /** Gives what is right of a value, and notes what is wrong. */
  read(value: unknown, path: KeyPath, reading: Reading): Draft<T> | undefined;
}

/**
 * A value as a message shows it: as in the file where it is plain there, else
 * as JSON, cut short.
 */
function showValue(value: unknown): string {
  if (typeof value === "number") return String(value);
  const plain = typeof value === "string" && /^[\w.:/+-]+$/.test(value) &&
    Number.isNaN(Number(value)) && !/^(true|false|null)$/.test(value);
  if (plain) return value;
  const json = JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 60)}…` : json;
}

/**
 * A text.
 *
 * @param expected in words
 * @param mistake gives the rest of the sentence that begins with the value, where it is wrong
 * @param form what every right value matches, for editors; it may match more
 */
export function textValue(
  expected: string,
  mistake: (value: string) => string | undefined,
  form?: RegExp,
): Validator<string> {
  return {
    expected,
    schema: {
      type: "string",
      description: expected,
      ...(form === undefined ? {} : { pattern: form.source }),
    },
    read(value, path, reading) {
      const wrong = typeof value === "string"
        ? mistake(value)
        : `is not text; expected ${expected}`;
      if (typeof value === "string" && wrong === undefined) return value;
      reading.wrong(path, `${showValue(value)} ${wrong}`);
      return undefined;
    },
  };
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number): Validator<number> {
  const expected = `a whole number from ${least} to ${most}`;
  return {
    expected,
    schema: {
      type: "integer",
      description: expected,
      minimum: least,
      maximum: most,
    },
    read(value, path, reading) {
      const fits = typeof value === "number" && Number.isInteger(value) &&
        value >= least && value <= most;
      if (fits) return value;
      reading.wrong(path, `${showValue(value)} is not ${expected}`);
      return undefined;
    },
  };
}

/** One of these words, to which true and false belong. */
export function oneOf<Word extends string | boolean>(
  ...words: readonly Word[]
): Validator<Word> {
  const expected = `one of ${words.join(", ")}`;
  return {
    expected,
    schema: { enum: words },
    read(value, path, reading) {
      const word = words.find((word) => word === value);
      if (word === undefined) {
        reading.wrong(path, `${showValue(value)} is not ${expected}`);
      }
      return word as Draft<Word> | undefined;
    },
  };
}

/** A list of at least one element, or a single value as a list of one. */
export function listOrSingle<T>(check: Validator<T>): Validator<T[]> {
  const { schema, expected } = check;
  return {
    expected,
    schema: { anyOf: [schema, { type: "array", items: schema, minItems: 1 }] },
    read(value, path, reading) {
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (list.length > 0) {
        return list.map((element, at) =>
          check.read(element, [...path, at], reading)
        ) as Draft<T[]>;
      }
      reading.wrong(path, `[] is empty; expected at least one: ${expected}`);
      return undefined;
    },
  };
}

/** A list of at least one element. */
export function someOf<T>(check: Validator<T>): Validator<T[]> {
  const expected = `a list of at least one: ${check.expected}`;
  return {
    expected,
    schema: { type: "array", items: check.schema, minItems: 1 },
    read(value, path, reading) {
      if (Array.isArray(value) && value.length > 0) {
        return listOrSingle(check).read(value, path, reading);
      }
      const what = Array.isArray(value) ? "is empty" : "is no list";
      reading.wrong(path, `${showValue(value)} ${what}; expected ${expected}`);
      return undefined;
    },
  };
}

/** A key of a mapping. */
interface Key<T> {
  readonly check: Validator<T>;
  readonly fallback?: T;
  readonly optional?: true;
}

/** A key that must be there. */
export function required<T>(check: Validator<T>): Key<T> {
  return { check };
}

/** A key that may be left out, for this value. */
export function withDefault<T>(check: Validator<T>, fallback: T): Key<T> {
  return { check, fallback };
}

/** A key that may be left out. */
export function optional<T>(check: Validator<T>): Key<T> {
  return { check, optional: true };
}

/** A mapping with these keys and no others. */
export function mapping<T extends object>(
  keys: { readonly [Name in keyof T]-?: Key<NonNullable<T[Name]>> },
): Validator<T> {
  const names = Object.keys(keys) as (keyof T & string)[];
  const expected = `a mapping of ${names.join(", ")}`;
  return {
    expected,
    schema: {
      type: "object",
      additionalProperties: false,
      required: names.filter((name) => {
        const { fallback, optional } = keys[name];
        return fallback === undefined && !optional;
      }),
      properties: Object.fromEntries(names.map((name) => {
        const { check, fallback } = keys[name];
        const usual = fallback === undefined ? {} : { default: fallback };
        return [name, { ...check.schema, ...usual }];
      })),
    },
    read(value, path, reading) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        const what = value === null || value === undefined
          ? "there is nothing here"
          : `${showValue(value)} is no mapping`;
        reading.wrong(path, `${what}; expected ${expected}`);
        return undefined;
      }
      const given = new Map<string, unknown>(Object.entries(value));
      const meant = refuseOthers(given, names, path, reading);
      const result: Record<string, unknown> = {};
      for (const name of names) {
        const key = keys[name];
        const within = given.get(name);
        if (within !== undefined && within !== null) {
          result[name] = key.check.read(within, [...path, name], reading);
        } else if (meant.has(name)) {
          // Told as the name that it bears: what it says is unknown.
          result[name] = undefined;
        } else if (given.has(name)) {
          result[name] = undefined;
          reading.wrong(
            [...path, name],
            `there is no value; expected ${key.check.expected}`,
          );
        } else if (key.fallback !== undefined) result[name] = key.fallback;
        else if (!key.optional) {
          reading.wrong(
            path,
            `the key ${name} is missing; expected ${key.check.expected}`,
          );
        }
      }
      return result as Draft<T>;
    },
  };
}

/** Gives the keys that the misspelt ones were most likely meant to be. */
function refuseOthers(
  given: ReadonlyMap<string, unknown>,
  names: readonly string[],
  path: KeyPath,
  reading: Reading,
): ReadonlySet<string> {
  const meant = new Set<string>();
  for (const name of given.keys()) {
    if (names.includes(name)) continue;
    const close = nearest(name, names);
    if (close !== undefined) meant.add(close);
    reading.wrong(
      [...path, name],
      `no such key; ${
        close ? `did you mean ${close}?` : `expected one of ${names.join(", ")}`
      }`,
    );
  }
  return meant;
}
