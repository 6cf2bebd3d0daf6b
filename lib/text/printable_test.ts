// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { nastyNames } from "./nasty_testing.ts";
import {
  isPrintable,
  printable,
  printableJSON,
  printableLines,
} from "./printable.ts";

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

Deno.test("of text in several lines, line ends and tabs stay, and nothing else that a terminal obeys", () => {
  assertEquals(
    printableLines("one\n\ttwo\r\x1b[2J\x9b"),
    "one\n\ttwo\\u{d}\\u{1b}[2J\\u{9b}",
  );
  for (const line of printableLines(nastyNames.join("\n")).split("\n")) {
    assert(isPrintable(line), line);
  }
});
