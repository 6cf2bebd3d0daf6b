/** The tour as the page shows it: the stops and the text of the command line. Pure. */
import { type Marked, outcomeWords, scoreWords } from "../predict/compare.ts";
import { type MarkRow, markWords } from "../predict/mark.ts";
import type { StopReport } from "../tour/report.ts";
import { stepsText, whereText } from "../tour/stop_text.ts";
import { changeLine } from "../verify/matrix_diff.ts";
import { markSign } from "../verify/matrix_cells.ts";
import { toneOf } from "./matrix_state.ts";
import type {
  MarkedView,
  MarkRowView,
  StopTable,
  StopView,
} from "./tour_protocol.ts";

/** A stop, made or not. */
export function stopView(stop: StopReport, at: number): StopView {
  const { name, sentences, shown, changes, prediction, table } = stop;
  const { effect, pings, listening = [], frames } = stop;
  const said = [effect, pings, ...listening.map(({ text }) => text), frames];
  return {
    title: name,
    number: at + 1,
    text: sentences.join(" "),
    commands: shown.map((one) => ({
      where: whereText(one),
      script: unindented(stepsText(one)),
    })),
    said: said.flatMap((text) => text === undefined ? [] : [unindented(text)]),
    ...(table === undefined ? {} : { table: tableView(table) }),
    ...(changes === undefined ? {} : { changes: changes.map(changeLine) }),
    ...(prediction === undefined
      ? {}
      : { marked: markedView(name, prediction) }),
  };
}

function unindented(text: string): string {
  return text.replaceAll(/^ {2}/gm, "");
}

function tableView(
  { columns, rows, notes }: NonNullable<StopReport["table"]>,
): StopTable {
  return {
    columns,
    rows: rows.map(({ label, cells }) => ({
      label,
      cells: cells.map((cell) => ({
        text: cell.trim(),
        tone: toneOf(cell.replace(markSign, "").trim()),
      })),
    })),
    notes,
  };
}

/** The kinds of path that can be marked. */
export function markRowViews(rows: readonly MarkRow[]): MarkRowView[] {
  return rows.map(({ kind, label, choices, now }) => ({
    kind,
    label,
    now: outcomeWords(now),
    nowMark: now,
    choices: choices.map((mark) => ({ mark, words: markWords[mark] })),
  }));
}

/** What came of marks. */
export function markedView(title: string, marked: Marked): MarkedView {
  const { wrong } = marked;
  return {
    title,
    score: scoreWords(marked),
    wrong: wrong.map(({ label, said, is, why }) => ({ label, said, is, why })),
  };
}
