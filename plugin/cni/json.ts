/**
 * Values out of JSON from outside: each is asked for by key and kind, and a
 * value of another kind is an error that names its path. `null`
 * counts as absent, as in the Go types that the field's JSON comes from.
 */

import { CniError, code } from "./protocol.ts";

export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json | undefined;
}

/** A kind of value: what to call it, and whether a value is one. */
interface Kind<T extends Json> {
  readonly what: string;
  is(value: Json): value is T;
}

export const text: Kind<string> = {
  what: "a text",
  is: (value) => typeof value === "string",
};

export const flag: Kind<boolean> = {
  what: "true or false",
  is: (value) => typeof value === "boolean",
};

export const integer: Kind<number> = {
  what: "a whole number",
  is: (value): value is number => Number.isSafeInteger(value),
};

export const object: Kind<JsonObject> = {
  what: "an object",
  is: isObject,
};

/** A list of values of one kind. */
export function listOf<T extends Json>(kind: Kind<T>): Kind<T[]> {
  return {
    what: `a list, each item ${kind.what}`,
    is: (value): value is T[] =>
      Array.isArray(value) && value.every((item) => kind.is(item)),
  };
}

/** Whether it is an object: no list, no null. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The value at `key`.
 * @param path what to call `from` in an error; "" for the outermost object
 * @returns undefined when there is none
 * @throws {CniError} 7 when it is of another kind
 */
export function read<T extends Json>(
  from: JsonObject,
  key: string,
  kind: Kind<T>,
  path = "",
): T | undefined {
  const value = Object.hasOwn(from, key) ? from[key] : undefined;
  if (value === undefined || value === null) return undefined;
  if (kind.is(value)) return value;
  throw new CniError(
    code.configuration,
    `${path === "" ? "" : path + "."}${key} is ${shown(value)}`,
    `${kind.what} is expected there`,
  );
}

/** A value for an error message: its JSON, cut short. */
export function shown(value: Json): string {
  const json = JSON.stringify(value);
  return json.length <= 80 ? json : `${json.slice(0, 79)}…`;
}
