// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { benchTable, isOver, type Measured, median } from "./bench_report.ts";

const add: Measured = {
  what: "ADD",
  ours: 18,
  unit: "ms",
  peer: { name: "reference", value: 12 },
  atMost: { of: "ratio", limit: 1.7 },
};

Deno.test("the median is the middle value, or the mean of the two in the middle", () => {
  assertEquals(median([3, 100, 1]), 3);
  assertEquals(median([4, 1, 2, 100]), 3);
  assertThrows(() => median([]), RangeError);
});

Deno.test("a figure is over when it, or its ratio, exceeds the bound", () => {
  assertEquals(isOver(add), false);
  assertEquals(isOver({ ...add, ours: 21 }), true);
  const memory: Measured = { what: "memory", ours: 40, unit: "MB" };
  assertEquals(isOver(memory), false);
  assertEquals(isOver({ ...memory, atMost: { of: "value", limit: 39 } }), true);
  assertEquals(
    isOver({ ...memory, atMost: { of: "value", limit: 40 } }),
    false,
  );
  const { peer: _, ...alone } = add;
  assertEquals(isOver(alone), true, "a ratio to nothing");
});

Deno.test("the table says figures, peers, ratios, bounds and what is over", () => {
  const rows: Measured[] = [
    add,
    { what: "DEL of many", ours: 150, unit: "ms" },
    { ...add, what: "GC", ours: 24.04 },
  ];
  assertEquals(
    benchTable({ title: "The plugin", rows, notes: ["no peer for DEL"] }),
    `The plugin

                ours                 peer  ratio  at most
ADD          18.0 ms  12.0 ms (reference)  1.50×     1.7×
DEL of many   150 ms
GC           24.0 ms  12.0 ms (reference)  2.00×     1.7×  OVER
- no peer for DEL`,
  );
});

Deno.test("what could not be measured is a row, with the reason below, and no success", () => {
  const failed = { what: "60 nodes", failed: "up: node-3 failed" };
  assertEquals(isOver(failed), true);
  assertEquals(
    benchTable({ title: "Labs", rows: [add, failed], notes: ["one run"] }),
    `Labs

             ours                 peer  ratio  at most
ADD       18.0 ms  12.0 ms (reference)  1.50×     1.7×
60 nodes                                                FAILED
- one run
- 60 nodes: up: node-3 failed`,
  );
});
