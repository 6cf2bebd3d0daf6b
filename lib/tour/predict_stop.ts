/** Predictions at a terminal: what is asked before a stop runs, and what is told afterwards. */
import { marksAsNow, marksOf, readRows } from "../predict/answer.ts";
import { type Marked, outcomeWords, scoreWords } from "../predict/compare.ts";
import { hasSource, type MarkRow, type Prediction } from "../predict/mark.ts";
import type { Session } from "../cli/session.ts";
import { columns, wrap } from "../text/wrap.ts";
import { ended } from "./matrix_stop.ts";
import type { StopReport } from "./report.ts";

/** As often is a question asked before the stop goes without marks. */
const mostTries = 3;

/**
 * Asks what the matrix will be.
 *
 * @returns the marks; undefined where the user leaves them out
 * @throws {TourEnd} when the user wants no more
 */
export async function askMarks(
  rows: readonly MarkRow[],
  say: (text: string) => void,
  answer: Session["answer"],
): Promise<Prediction | undefined> {
  const numbered = new Map(rows.map((row, at) => [at + 1, row]));
  say(`What will be answered after this stop? Now it is:\n${list(numbered)}\n`);
  const answered = await askRows(
    numbered,
    "Numbers of all that will be answered, 0 for none, same for as it is now\n" +
      "(Enter leaves it out, q ends the tour): ",
    say,
    answer,
  );
  if (answered === "same") return marksAsNow(rows);
  if (answered === undefined) return undefined;
  const told = new Map(
    [...numbered].filter(([, row]) =>
      answered.includes(row) && hasSource(row.kind)
    ),
  );
  if (told.size === 0) return marksOf(rows, answered, []);
  say(
    "\nIn which of these will the receiver see the node's address, in place of " +
      `the\npod's?\n${
        columns([...told].map(([at, row]) => [`${at}`, row.label]))
      }\n`,
  );
  const hidden = await askRows(
    told,
    "Their numbers, 0 for none (Enter leaves all marks out, q ends the tour): ",
    say,
    answer,
  );
  if (hidden === undefined) return undefined;
  return hidden === "same"
    ? marksOf(rows, answered, rows.filter(({ now }) => now === "node"))
    : marksOf(rows, answered, hidden);
}

function list(rows: ReadonlyMap<number, MarkRow>): string {
  const width = Math.max(...rows.values().map(({ label }) => label.length));
  return columns([...rows].map(([at, { label, now }]) => [
    `${at}`,
    `${label.padEnd(width)}  ${outcomeWords(now)}`,
  ]));
}

/** Asks until it is answered, or left out. */
async function askRows(
  rows: ReadonlyMap<number, MarkRow>,
  question: string,
  say: (text: string) => void,
  answer: Session["answer"],
): Promise<readonly MarkRow[] | "same" | undefined> {
  for (let tries = 0; tries < mostTries; tries++) {
    const text = await answer(question);
    if (text === undefined || /^q/i.test(text)) throw ended();
    const read = readRows(text, rows);
    switch (read.is) {
      case "rows":
        return read.rows;
      case "same":
        return "same";
      case "skip":
        say("This stop goes without your marks.\n");
        return undefined;
      case "wrong":
        say(wrap(read.why));
    }
  }
  say("This stop goes without your marks.\n");
  return undefined;
}

/** How many marks were right, and where not, why it is otherwise. */
export function markedText(marked: Marked): string {
  return [
    `Your marks: ${scoreWords(marked)}`,
    ...marked.wrong.flatMap(({ label, said, is, why }) => [
      wrap(`✗ ${label}: you said "${said}", it is "${is}"`, "  ", "    "),
      ...why.map((line) => {
        const [, indent = "", rest = ""] = /^( *)(.*)$/s.exec(line) ?? [];
        return wrap(rest, `    ${indent}`);
      }),
    ]),
  ].join("\n");
}

/** The marks of all stops together; undefined where there were none. */
export function scoreText(stops: readonly StopReport[]): string | undefined {
  const marked = stops.flatMap(({ name, prediction }) =>
    prediction === undefined ? [] : [{ name, ...prediction }]
  );
  if (marked.length === 0) return undefined;
  const sum = (of: "right" | "of") =>
    marked.reduce((all, one) => all + one[of], 0);
  const total = { right: sum("right"), of: sum("of") };
  return [
    `Your marks at all stops: ${scoreWords(total)}`,
    columns(marked.map((one) => [
      one.name.split(",")[0] ?? "",
      scoreWords(one),
    ])),
  ].join("\n");
}
