// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { nastyNames } from "./nasty_testing.ts";
import { isPrintable, printable, printableJSON } from "./printable.ts";

Deno.test("what a terminal would obey is shown by its number; all else stays", () => {
  assertEquals(printable("two\nlines\x1b[31m"), "two\\u{a}lines\\u{1b}[31m");
  assertEquals(
    printable("right\u202eleft\u2066"),
    "right\\u{202e}left\\u{2066}",
  );
  assertEquals(printable("é → 網 😀"), "é → 網 😀");
});

Deno.test("JSON for a terminal is JSON of the same value", () => {
  const value = { names: nastyNames, tag: "\u{e0041}", "\u202e": 1 };
  const text = printableJSON(value);
  assertEquals(JSON.parse(text), value);
  assert(text.split("\n").every(isPrintable), text);
});
