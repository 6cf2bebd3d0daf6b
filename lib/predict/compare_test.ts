// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { PathKind } from "../verify/matrix.ts";
import { pathKinds } from "../verify/matrix.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import {
  type Change,
  lab,
  report as reportOf,
} from "../verify/matrix_report_testing.ts";
import { compareMarks, scoreWords } from "./compare.ts";
import { markRows, outcomeOf, type Prediction } from "./mark.ts";

/** A report in which the pods that call have addresses. */
function after(change: Change): MatrixReport {
  const [report, { callers }] = reportOf(change);
  const pods = report.pods.map((pod) => ({
    ...pod,
    addresses: { shell: [callers.get(pod.node) ?? ""] },
  }));
  return { ...report, pods };
}

function outcomes(report: MatrixReport): Record<string, string> {
  return Object.fromEntries(
    pathKinds.map((kind) => [kind, outcomeOf(kind, report, lab)]),
  );
}

/** Why a kind of path is not as it was said. */
function whyNot(
  kind: PathKind,
  said: Prediction[PathKind],
  report: MatrixReport,
): string {
  const marks: Prediction = said === undefined ? {} : { [kind]: said };
  const { wrong } = compareMarks(marks, report, lab);
  return wrong.flatMap(({ why }) => why).join("\n");
}

Deno.test("a kind of path is no, yes, or yes as the pod or the node, as the matrix has it after each stage", () => {
  const none = {
    "pod-to-own-node": "yes",
    "pod-to-other-node": "no",
    "pod-to-pod-same-node": "no",
    "pod-to-pod-other-node": "no",
    "pod-to-outside": "no",
    "node-to-own-pod": "yes",
    "node-to-other-pod": "no",
  };
  assertEquals(outcomes(after({ last: "05-plugin" })), none);
  const forwarding = { ...none, "pod-to-pod-same-node": "yes" };
  assertEquals(outcomes(after({ last: "06-forwarding" })), forwarding);
  const masquerade = {
    ...forwarding,
    "pod-to-other-node": "node",
    "pod-to-outside": "node",
  };
  assertEquals(outcomes(after({ last: "07-masquerade" })), masquerade);
  assertEquals(outcomes(after({ last: "08-routes" })), {
    ...masquerade,
    "pod-to-pod-other-node": "pod",
    "node-to-other-pod": "yes",
  });
});

Deno.test("before there are pods every kind of path that the cluster will have can be marked, and is a no", () => {
  const rows = markRows(lab, undefined);
  assertEquals(rows.map(({ kind }) => kind), [...pathKinds]);
  assert(rows.every(({ now }) => now === "no"));
  assertEquals(rows[0]?.choices, ["no", "yes", "some"]);
  assertEquals(rows[4]?.choices, ["no", "pod", "node", "some"]);
  const [master, worker] = lab.nodes;
  assert(master && worker);
  const alone = markRows({ ...lab, nodes: [master, worker] }, undefined);
  assert(!alone.some(({ kind }) => kind === "pod-to-pod-other-node"));
  assertEquals(alone[0]?.choices, ["no", "yes"]);
});

Deno.test("what was right is counted, and what was not marked is no fault", () => {
  const report = after({ last: "06-forwarding" });
  const marks: Prediction = {
    "pod-to-own-node": "yes",
    "pod-to-outside": "no",
  };
  assertEquals(compareMarks(marks, report, lab), {
    ...{ right: 2, of: 2, wrong: [] },
  });
  const { right, of, wrong } = compareMarks(
    { ...marks, "pod-to-outside": "node" },
    report,
    lab,
  );
  assertEquals([right, of, wrong.length], [1, 2, 1]);
  assertEquals(wrong[0]?.said, "yes, as the node");
  assertEquals(wrong[0]?.is, "no");
  assertEquals(scoreWords({ right, of }), "1 of 2 right");
  assertEquals(scoreWords({ right: 2, of: 2 }), "all 2 right");
});

Deno.test("a path that waits for stages says which, on which nodes, and what is so before the last of them", () => {
  const after06 = after({ last: "06-forwarding" });
  assertEquals(
    whyNot("pod-to-outside", "node", after06),
    "It waits for 07-masquerade on worker-1, worker-2. Before it a packet " +
      "leaves with the pod's address, and nobody out there knows a way back " +
      "to that.",
  );
  const after05 = after({ last: "05-plugin" });
  assertStringIncludes(
    whyNot("pod-to-pod-same-node", "yes", after05),
    "drops also the frames that only cross the bridge",
  );
  assertStringIncludes(
    whyNot("pod-to-pod-other-node", "pod", after05),
    "It waits for 06-forwarding on worker-1, worker-2, and for 08-routes on " +
      "worker-1, worker-2. Before it a node has no route",
  );
});

Deno.test("a path that is answered says what it needs and has, and why the receiver sees whom it sees", () => {
  const whole = after({ last: "08-routes" });
  assertStringIncludes(
    whyNot("pod-to-own-node", "no", whole),
    "it needs no stage but the pods' own",
  );
  assertEquals(
    whyNot("pod-to-other-node", "pod", whole),
    "All that it needs is complete: 06-forwarding on worker-1, worker-2, " +
      "07-masquerade on worker-1, worker-2. 07-masquerade puts the node's " +
      "address in place of the pod's on what leaves the pod network.",
  );
  assertStringIncludes(
    whyNot("pod-to-pod-other-node", "node", whole),
    "is not rewritten, so the receiver sees the pod",
  );
});

Deno.test("where nodes differ, each reason names its paths", () => {
  const report = after({
    last: "05-plugin",
    complete: {
      "worker-1": ["03-cni-config", "04-bridge", "05-plugin", "06-forwarding"],
    },
  });
  assertEquals(outcomeOf("pod-to-pod-same-node", report, lab), "some");
  const why = whyNot("pod-to-pod-same-node", "yes", report);
  assertStringIncludes(
    why,
    "worker-1 → worker-1: All that it needs is complete: 06-forwarding on worker-1.",
  );
  assertStringIncludes(why, "worker-2 → worker-2: It waits for 06-forwarding");
});

Deno.test("a path that is not as it should be says the cause that stage 09 found, and what shows it", () => {
  const rule = "-A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE";
  const report = after({
    last: "08-routes",
    seen: ({ kind, from }) =>
      kind === "pod-to-pod-other-node" && from === "worker-1"
        ? { answer: "yes", source: "10.0.1.11" }
        : undefined,
    causes: [{
      kind: "masquerade",
      on: "worker-1",
      what: "a rule of worker-1 also rewrites what pods send to pods",
      evidence: [{
        where: "worker-1",
        command: "iptables -w -t nat -S",
        printed: rule,
      }],
      mend: [],
    }],
  });
  assertEquals(outcomeOf("pod-to-pod-other-node", report, lab), "some");
  const why = whyNot("pod-to-pod-other-node", "pod", report);
  assertStringIncludes(
    why,
    "worker-1 → worker-2: It is not as it should be [1]: a rule of worker-1 " +
      "also rewrites what pods send to pods.\nworker-1$ iptables -w -t nat -S\n" +
      `  ${rule}`,
  );
  assertStringIncludes(why, "worker-2 → worker-1: All that it needs");
});

Deno.test("an address that is neither the pod's nor a node's is told as a third", () => {
  const report = after({
    last: "08-routes",
    seen: ({ kind }) =>
      kind === "pod-to-outside"
        ? { answer: "yes", source: "192.0.2.1" }
        : undefined,
  });
  const { wrong } = compareMarks({ "pod-to-outside": "node" }, report, lab);
  assertEquals(wrong[0]?.is, "yes, as another address");
  const gone: MatrixReport = { ...report, paths: [] };
  assertStringIncludes(
    whyNot("pod-to-outside", "node", gone),
    "no pods to try it with",
  );
});
