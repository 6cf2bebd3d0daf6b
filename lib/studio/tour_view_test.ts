/** A stop of the tour on the page. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import type { StopReport } from "../tour/report.ts";
import { stopView } from "./tour_view.ts";

const stop: StopReport = {
  name: "08-routes",
  sentences: ["Why.", "What.", "Then."],
  shown: [{
    on: "worker-1",
    alike: ["master"],
    exactly: false,
    steps: [{ why: "Pods are there", run: cmd`ip route replace a via b` }],
  }],
};

Deno.test("a stop that was not run has the terminal's sentences and commands, and nothing that was seen", () => {
  assertEquals(stopView(stop, 8), {
    title: "08-routes",
    number: 9,
    text: "Why. What. Then.",
    commands: [{
      where:
        "On worker-1, and on master with names and addresses of their own:",
      script: "# Pods are there\nip route replace a via b",
    }],
    said: [],
  });
});

Deno.test("a stop that was run has the cells with their signs, what changed, and what the marks came to", () => {
  const { table, changes, said, marked } = stopView({
    ...stop,
    effect: "  worker-1$ ip route\n  a via b",
    pings: "Pings:\n  ping a  answers",
    table: {
      columns: ["worker-1", "worker-2"],
      rows: [{
        label: "pod → pod, other node",
        cells: ["▸ ✗ yes, as the node [1]", "  yes, as the pod"],
      }],
      notes: ["[1] a rule rewrites", "Not as expected: 1 of 18 paths"],
    },
    changes: [{
      label: "pod → pod, other node",
      columns: ["worker-1"],
      was: "yes, as the pod",
      is: "yes, as the node",
    }],
    prediction: {
      marks: { "pod-to-pod-other-node": "pod" },
      right: 0,
      of: 1,
      wrong: [{
        kind: "pod-to-pod-other-node",
        label: "pod → pod, other node",
        said: "yes, as the pod",
        is: "in part",
        why: ["It is not as it should be [1]"],
      }],
    },
  }, 8);
  assertEquals(table?.rows[0]?.cells, [
    { text: "▸ ✗ yes, as the node [1]", tone: "bad" },
    { text: "yes, as the pod", tone: "good" },
  ]);
  assertStringIncludes(changes?.[0] ?? "", 'was "yes, as the pod", is "yes,');
  assertEquals(said[0], "worker-1$ ip route\na via b");
  assertEquals([marked?.score, marked?.wrong.length], ["0 of 1 right", 1]);
});
