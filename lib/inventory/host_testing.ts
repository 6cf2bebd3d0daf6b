/** A worker's answers, captured on a lab, for tests that read them. */
// @ts-types="../std/assert.d.ts"
import { assert } from "@std/assert";
import { readParts } from "../node/parts.ts";
import { type Host, readHost } from "./inventory.ts";

const captured = await Deno.readTextFile(
  `${import.meta.dirname}/testdata/worker-1.txt`,
);

/** What the worker said, after replacing. */
export function hostWith(
  ...replacements: readonly (readonly [string | RegExp, string])[]
): Host {
  const text = replacements.reduce((text, [old, by]) => {
    const replaced = text.replaceAll(old, by);
    assert(replaced !== text, `nothing to replace: ${old}`);
    return replaced;
  }, captured);
  const parts = readParts({ stdout: text }, "PART");
  assert(parts !== undefined);
  return readHost(parts, "worker-1");
}
