// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { lab } from "../verify/matrix_report_testing.ts";
import {
  marksAsNow,
  marksOf,
  marksText,
  readMarks,
  readRows,
} from "./answer.ts";
import { type MarkRow, markRows } from "./mark.ts";

const rows = markRows(lab, undefined);
const numbered = new Map(rows.map((row, at) => [at + 1, row]));

function kindsIn(text: string): readonly string[] | string {
  const answer = readRows(text, numbered);
  return answer.is === "rows"
    ? answer.rows.map(({ kind }) => kind)
    : answer.is === "wrong"
    ? answer.why
    : answer.is;
}

Deno.test("rows are named by their numbers, in any order and with any gap, or by one word", () => {
  const two = ["pod-to-own-node", "node-to-own-pod"];
  for (const text of ["1 6", " 1,6 ", "1, 6 6", "1;6"]) {
    assertEquals(kindsIn(text), two);
  }
  assertEquals(kindsIn("all").length, rows.length);
  assertEquals(kindsIn("0"), []);
  assertEquals(kindsIn("None"), []);
  assertEquals(kindsIn("same"), "same");
  assertEquals(kindsIn("  "), "skip");
});

Deno.test("what is none of the rows is named, with what was expected", () => {
  const expected =
    " is none of them: expected some of 1, 2, 3, 4, 5, 6, 7, or 0";
  for (
    const [text, word] of [
      ["8", "8"],
      ["1 0", "0"],
      ["-1", "-1"],
      ["yes", "yes"],
      ["1 same", "same"],
      ["1.5", "1.5"],
      ["x".repeat(300), "x".repeat(20)],
    ] as const
  ) assertStringIncludes(kindsIn(text) as string, `"${word}"${expected}`);
});

Deno.test("the two answers make a mark for every row", () => {
  const of = (...numbers: number[]): MarkRow[] =>
    numbers.flatMap((number) => numbered.get(number) ?? []);
  assertEquals(marksOf(rows, of(1, 2, 4, 6), of(2)), {
    "pod-to-own-node": "yes",
    "pod-to-other-node": "node",
    "pod-to-pod-same-node": "no",
    "pod-to-pod-other-node": "pod",
    "pod-to-outside": "no",
    "node-to-own-pod": "yes",
    "node-to-other-pod": "no",
  });
  const now = marksAsNow(rows);
  assert(Object.values(now).every((mark) => mark === "no"));
});

Deno.test("marks survive their way through a flag, and what is none is refused", () => {
  const marks = { "pod-to-outside": "node", "node-to-own-pod": "yes" } as const;
  const text = "pod-to-outside=node,node-to-own-pod=yes";
  assertEquals(marksText(marks), text);
  assertEquals(readMarks(text), marks);
  for (
    const wrong of [
      "",
      "pod-to-outside",
      "pod-to-outside=yes",
      "pod-to-own-node=pod",
      "pod-to-outside=toString",
      "pod-to-mars=no",
      "pod-to-outside=no=no",
      "pod-to-outside=no,pod-to-outside=no",
    ]
  ) assertEquals(readMarks(wrong), undefined, wrong);
});
