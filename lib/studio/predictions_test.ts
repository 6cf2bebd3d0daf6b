/** What the learner says of the matrix, from the button to the comparison. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { lab, report } from "../verify/matrix_report_testing.ts";
import type { StageName } from "../stage/stage.ts";
import type { MatrixState } from "./matrix_state.ts";
import { marksIn, openPredictions } from "./predictions.ts";
import type { PageEvent } from "./protocol.ts";
import { RefusedError } from "./server.ts";

function seen(last: StageName): MatrixState {
  const [matrix, addresses] = report({ last });
  return { is: "tried", report: matrix, addresses: new Map([[4, addresses]]) };
}

const marks = {
  "pod-to-pod-same-node": "yes",
  "pod-to-outside": "no",
} as const;

function ended(run: number, code: number): PageEvent {
  return { is: "ended", run, code, word: code === 0 ? "done" : "failed" };
}

/** Predictions, and what they told the page. */
function opened() {
  const told: string[] = [];
  const predictions = openPredictions((event) => {
    told.push(event.is === "predicted" ? event.said : event.is);
  });
  return { told, ...predictions };
}

Deno.test("marks wait for the end of their run and the matrix after it, and are compared once", () => {
  const { told, begin, ran, tried, view } = opened();
  tried(seen("05-plugin"), lab);
  begin(3, "make 06-forwarding", marks);
  assertEquals(view(lab).pending, "make 06-forwarding");
  // Of the time before the run, and the end of another one.
  tried(seen("05-plugin"), lab);
  assertEquals(ran(ended(2, 0)), false);
  tried(seen("05-plugin"), lab);
  assertEquals(told, []);
  assertEquals(ran(ended(3, 0)), true);
  tried(seen("06-forwarding"), lab);
  tried(seen("05-plugin"), lab);
  assertEquals(told, ["Your marks: all 2 right"]);
  const { pending, past, total } = view(lab);
  assertEquals([pending, past.length, total], [undefined, 1, "all 2 right"]);
});

Deno.test("a run that failed, and a matrix that cannot be tried, leave marks uncompared, and say so", () => {
  const { told, begin, ran, tried, view } = opened();
  tried(seen("05-plugin"), lab);
  begin(1, "make 06-forwarding", marks);
  assertEquals(ran(ended(1, 1)), false);
  begin(2, "make 06-forwarding", marks);
  ran(ended(2, 0));
  tried({ is: "untried", why: "No test pods" }, lab);
  assertEquals(told, [
    "Your marks: not compared, the run ended: failed (exit code 1)",
    "Your marks: not compared. No test pods",
  ]);
  assertEquals(view(lab).total, undefined);
});

Deno.test("what can be predicted is what changes the matrix that there is", () => {
  const { tried, view } = opened();
  assertEquals(view(lab).stages, ["09-verify"]);
  tried(seen("07-masquerade"), lab);
  const { stages, rows } = view(lab);
  assertEquals(stages, ["06-forwarding", "07-masquerade", "08-routes"]);
  const [, other] = rows;
  assertEquals([other?.now, other?.nowMark], ["yes, as the node", "node"]);
  assertStringIncludes(other?.choices[1]?.words ?? "", "as the pod");
});

Deno.test("marks that are none are refused", () => {
  for (const marks of ["", "pod-to-outside=yes", "--undo", 5, undefined]) {
    assertThrows(() => marksIn({ marks }), RefusedError);
  }
});
