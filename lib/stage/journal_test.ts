/** What a journal's text means, also one that an older version of this tool wrote. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { JournalError } from "./errors.ts";
import {
  type Journal,
  type JournalRecord,
  parseJournal,
  withoutRecords,
  withRecords,
} from "./journal.ts";

const record: JournalRecord = {
  stage: "04-bridge",
  step: "ip link add cni0 type bridge",
  state: "done",
  changed: true,
};

const journal: Journal = {
  complete: ["04-bridge", "06-forwarding"],
  records: [record],
};

Deno.test("a stage that loses a record is not complete, and no other stage is touched", () => {
  assertEquals(withoutRecords(journal, [record]), {
    complete: ["06-forwarding"],
    records: [],
  });
});

Deno.test("a stage of which a step is running is not complete, and no other stage is touched", () => {
  const running: JournalRecord = { ...record, state: "running" };
  assertEquals(withRecords(journal, [running]), {
    complete: ["06-forwarding"],
    records: [running],
  });
  assertEquals(withRecords(journal, [record]), journal);
});

Deno.test("a journal of an older version is read: about is the node now, parts is partial", () => {
  const old = { ...record, about: "worker-1", parts: true, timeout_ms: 9 };
  const text = JSON.stringify({ version: 1, complete: [], records: [old] });
  assertEquals(parseJournal(text, "master:/journal").records, [
    { ...record, timeout_ms: 9, node: "worker-1", partial: true },
  ]);
});

Deno.test("a record whose field is of another kind is named as no journal's, by old and new names", () => {
  for (const field of [{ about: 7 }, { node: 7 }, { parts: "yes" }]) {
    const records = [{ ...record, ...field }];
    const text = JSON.stringify({ version: 1, complete: [], records });
    assertThrows(
      () => parseJournal(text, "master:/journal"),
      JournalError,
      'master:/journal is no journal of this tool\'s (expected "records"',
    );
  }
});
