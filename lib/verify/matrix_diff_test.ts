// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import type { Observed, PathKind } from "./matrix.ts";
import { changedPaths, changeLine, matrixChanges } from "./matrix_diff.ts";
import type { MatrixReport, PathReport } from "./matrix_report.ts";

const no: Observed = { answer: "no", said: "no answer" };
const as = (source: string): Observed => ({ answer: "yes", source });

function path(
  kind: PathKind,
  from: string,
  to: string,
  observed: Observed,
): PathReport {
  return {
    kind,
    from,
    to,
    family: 4,
    expected: { answer: "yes", as: "pod" },
    observed,
    asExpected: true,
  };
}

function report(...paths: readonly PathReport[]): MatrixReport {
  const pods = ["one", "two"].map((node) => (
    { node, addresses: {}, asExpected: true }
  ));
  return {
    version: 1,
    cluster: "lab",
    passed: true,
    complete: {},
    pods,
    paths,
    causes: [],
    remarks: [],
  };
}

const addresses = new Map([[4 as const, {
  nodes: new Map([["one", "10.0.1.1"], ["two", "10.0.1.2"]]),
  gateways: new Map<string, string>(),
  callers: new Map([["one", "10.1.1.2"], ["two", "10.1.2.2"]]),
}]]);

function lines(before: MatrixReport, now: MatrixReport): string[] {
  return matrixChanges(before, now, { addresses }).map(changeLine);
}

Deno.test("what was seen the same way has not changed, whatever was said of it", () => {
  const before = report(path("pod-to-pod-same-node", "one", "one", no));
  const now = report(
    path("pod-to-pod-same-node", "one", "one", {
      answer: "no",
      said: "connection refused",
    }),
  );
  assertEquals(changedPaths(before, now), []);
  assertEquals(lines(before, now), []);
});

Deno.test("paths of a kind that changed alike in every column are one line", () => {
  const seen = (one: Observed, two: Observed) =>
    report(
      path("pod-to-outside", "one", "outside", one),
      path("pod-to-outside", "two", "outside", two),
    );
  const now = seen(as("10.0.1.1"), as("10.0.1.2"));
  assertEquals(lines(seen(no, no), now), [
    'pod → outside: was "no", is "yes, as the node"',
  ]);
  assertEquals(lines(seen(no, as("10.0.1.2")), now), [
    'pod → outside, one: was "no", is "yes, as the node"',
  ]);
});

Deno.test("another source address is a change though both answered", () => {
  const seen = (source: string) =>
    report(path("pod-to-pod-other-node", "one", "two", as(source)));
  assertEquals(lines(seen("10.1.1.2"), seen("10.0.1.1")), [
    'pod → pod, other node, one: was "yes, as the pod", is "yes, as the node"',
  ]);
});

Deno.test("a path that was not there before is new, and says only what it is", () => {
  const now = report(path("pod-to-own-node", "two", "two", as("10.1.2.2")));
  assertEquals(lines(report(), now), ['pod → own node, two: "yes"']);
});

Deno.test("changes come in the order of the table", () => {
  const now = report(
    path("node-to-other-pod", "one", "two", as("10.0.1.1")),
    path("pod-to-own-node", "one", "one", as("10.1.1.2")),
  );
  assertEquals(
    matrixChanges(report(), now, { addresses }).map(({ label }) => label),
    ["pod → own node", "other node → pod"],
  );
});
