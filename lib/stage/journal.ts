/**
 * What this tool changed on a node, kept on that node: the ground on which
 * `--undo` works and stage 09 knows what to expect. Every record is written
 * before its command runs (as "running") and again after it (as "done"), so
 * that a run which was cut off anywhere leaves a journal that is true.
 */
import {
  type Node,
  readNodeFile,
  removeNodeFile,
  saveNodeFile,
} from "../node/node.ts";
import { oncePer } from "../cluster/once.ts";
import type { Command, RunOptions } from "../exec/command.ts";
import { type StageName, stageNames } from "./stage.ts";
import { JournalError } from "./errors.ts";

/** One step of a stage, on this node. */
export interface JournalRecord {
  readonly stage: StageName;
  /** Names the step within its stage; see stepKey() in node_run.ts. */
  readonly step: string;
  readonly state: "running" | "done";
  /** Whether the step changed the node, in this run or an earlier one. */
  readonly changed: boolean;
  /** The one node that a step on the operator's machine is about. */
  readonly node?: string;
  /** What was there before, where undo needs it. */
  readonly previous?: string;
  /** What takes the step back; absent where there is nothing to take back. */
  readonly undo?: Command;
  /** Milliseconds that taking it back may take, where that is not as usual. */
  readonly timeout_ms?: number;
  /** What a person has to agree to before it is taken back. */
  readonly consent?: string;
  /** It may have left parts, whatever became of it. */
  readonly partial?: true;
  /** Taking it back does not depend on the records next to it that say the same. */
  readonly independent?: true;
}

/** A node's journal. */
export interface Journal {
  /** The stages whose steps are all done, in their order. */
  readonly complete: readonly StageName[];
  readonly records: readonly JournalRecord[];
}

/** The journal of a node on which nothing was done. */
export const emptyJournal: Journal = { complete: [], records: [] };

/**
 * Reads a node's journal.
 *
 * @throws {JournalError} when the file is there and is no journal
 * @throws {UnreachableError | CommandError} as readNodeFile() does
 */
export async function readJournal(
  node: Node,
  options?: RunOptions,
): Promise<Journal> {
  const text = await readNodeFile(node, node.journalPath, options);
  if (text === undefined) return emptyJournal;
  return parseJournal(text, `${node.name}:${node.journalPath}`);
}

/** Writes a node's journal, in one step; one that says nothing is taken away. */
export async function writeJournal(
  node: Node,
  journal: Journal,
  options?: RunOptions,
): Promise<void> {
  if (journal.complete.length + journal.records.length === 0) {
    await removeNodeFile(node, node.journalPath, options);
  } else {await saveNodeFile(
      node,
      node.journalPath,
      formatJournal(journal),
      options,
    );}
}

/** The journal as text, one record a line, so that it can be read and compared. */
function formatJournal(journal: Journal): string {
  const records = journal.records.map((record) => JSON.stringify(record));
  return `{"version":1,"complete":${JSON.stringify(journal.complete)},` +
    `"records":[${records.map((record) => `\n${record}`).join(",")}\n]}\n`;
}

/**
 * Reads a journal's text.
 *
 * @param from where it came from, for the message
 * @throws {JournalError}
 */
export function parseJournal(text: string, from: string): Journal {
  const wrong = (what: string) =>
    new JournalError(
      `${from} is no journal of this tool's (${what}). It says what --undo ` +
        "has to take back: look at it, mend it, or remove it to start anew",
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    // It quotes the text, and is told in one line.
    throw wrong(what.replaceAll(/\s+/g, " "));
  }
  if (!isObject(value) || value.version !== 1) {
    throw wrong(`expected "version": 1`);
  }
  const { complete } = value;
  const records = Array.isArray(value.records)
    ? value.records.map(withTodaysNames)
    : undefined;
  if (!Array.isArray(complete) || !complete.every(isStageName)) {
    throw wrong(`expected "complete" to list stages`);
  }
  if (!records?.every(isRecord)) {
    throw wrong(`expected "records" to list steps`);
  }
  return { complete, records };
}

/** A record of an older version of this tool, with the names that its fields have now. */
function withTodaysNames(record: unknown): unknown {
  if (!isObject(record)) return record;
  const { about, parts, ...rest } = record;
  return {
    ...rest,
    ...(about === undefined ? {} : { node: about }),
    ...(parts === undefined ? {} : { partial: parts }),
  };
}

/**
 * The journal with these records in their places, or added at the end. While a
 * step is running, its stage is not complete.
 */
export function withRecords(
  journal: Journal,
  records: readonly JournalRecord[],
): Journal {
  // A Map keeps a key's place, and has thousands of records at once.
  const byStep = new Map(
    [...journal.records, ...records].map((record) => [stepOf(record), record]),
  );
  const { complete } = records.filter(({ state }) => state === "running")
    .reduce((now, { stage }) => withComplete(now, stage, false), journal);
  return { complete, records: [...byStep.values()] };
}

/** The journal without these records; their stages are then not complete. */
export function withoutRecords(
  journal: Journal,
  records: readonly JournalRecord[],
): Journal {
  const gone = new Set(records.map(stepOf));
  return {
    ...records.reduce(
      (now, { stage }) => withComplete(now, stage, false),
      journal,
    ),
    records: journal.records.filter((record) => !gone.has(stepOf(record))),
  };
}

/** A stage's record of a step, by the name that the step has within its stage. */
export function recordNamed(
  journal: Journal,
  stage: StageName,
  step: string,
): JournalRecord | undefined {
  return recordsByStep(journal.records).get(stepOf({ stage, step }));
}

const recordsByStep = oncePer((records: readonly JournalRecord[]) =>
  new Map(records.map((record) => [stepOf(record), record]))
);

/** The journal with the stage called complete, or no longer. */
export function withComplete(
  journal: Journal,
  stage: StageName,
  complete: boolean,
): Journal {
  if (journal.complete.includes(stage) === complete) return journal;
  return {
    ...journal,
    complete: stageNames.filter((name) =>
      name === stage ? complete : journal.complete.includes(name)
    ),
  };
}

/** Names a step among those of all stages. */
function stepOf(
  { stage, step }: Pick<JournalRecord, "stage" | "step">,
): string {
  return `${stage} ${step}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStageName(value: unknown): value is StageName {
  return stageNames.some((name) => name === value);
}

function isCommand(value: unknown): value is Command {
  return isObject(value) && Array.isArray(value.argv) &&
    value.argv.length > 0 &&
    value.argv.every((argument) => typeof argument === "string") &&
    (value.stdin === undefined || typeof value.stdin === "string");
}

function isRecord(value: unknown): value is JournalRecord {
  return isObject(value) && isStageName(value.stage) &&
    typeof value.step === "string" &&
    (value.state === "running" || value.state === "done") &&
    typeof value.changed === "boolean" &&
    (value.node === undefined || typeof value.node === "string") &&
    (value.previous === undefined || typeof value.previous === "string") &&
    (value.timeout_ms === undefined || typeof value.timeout_ms === "number") &&
    (value.consent === undefined || typeof value.consent === "string") &&
    (value.partial === undefined || value.partial === true) &&
    (value.independent === undefined || value.independent === true) &&
    (value.undo === undefined || isCommand(value.undo));
}
