/** A reading of JSON Schema, in the keywords that a cluster file's has: for tests. */
import type { JsonSchema } from "./validate.ts";

/** What a schema says against a value: where, and by which keyword. */
export function objections(
  schema: JsonSchema,
  value: unknown,
  at = "",
): string[] {
  const wrong = (keyword: string, holds: boolean) =>
    holds ? [] : [`${at}: ${keyword}`];
  const { type, pattern, minimum, maximum, minItems, anyOf, not } = schema;
  return [
    ...wrong("type", type === undefined || isOf(type, value)),
    ...wrong("enum", schema.enum?.some((one) => one === value) ?? true),
    ...(typeof value !== "string" || pattern === undefined
      ? []
      : wrong("pattern", new RegExp(pattern, "u").test(value))),
    ...(typeof value !== "number" ? [] : [
      ...wrong("minimum", minimum === undefined || value >= minimum),
      ...wrong("maximum", maximum === undefined || value <= maximum),
    ]),
    ...(anyOf === undefined ? [] : wrong(
      "anyOf",
      anyOf.some((one) => objections(one, value, at).length === 0),
    )),
    ...(not === undefined
      ? []
      : wrong("not", objections(not, value, at).length > 0)),
    ...(!Array.isArray(value) ? [] : [
      ...wrong("minItems", value.length >= (minItems ?? 0)),
      ...value.flatMap((item, place) =>
        objections(schema.items ?? {}, item, `${at}/${place}`)
      ),
    ]),
    ...(isMapping(value) ? inMapping(schema, value, at) : []),
  ];
}

function inMapping(
  { properties = {}, required = [], additionalProperties }: JsonSchema,
  value: Readonly<Record<string, unknown>>,
  at: string,
): string[] {
  return [
    ...required.filter((name) => !(name in value))
      .map((name) => `${at}/${name}: required`),
    ...Object.entries(value).flatMap(([name, within]) => {
      const own = properties[name];
      if (own !== undefined) return objections(own, within, `${at}/${name}`);
      return additionalProperties === false
        ? [`${at}/${name}: additionalProperties`]
        : [];
    }),
  ];
}

function isOf(type: NonNullable<JsonSchema["type"]>, value: unknown): boolean {
  switch (type) {
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "object":
      return isMapping(value);
    case "string":
      return typeof value === "string";
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
