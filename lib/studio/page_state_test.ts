/** What the page shows of what was read. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import type { Host, Inventory } from "../inventory/inventory.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import type { StageOn, StageState } from "../status/stage_state.ts";
import { pageState, type Sight } from "./page_state.ts";

const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });

const host: Host = {
  is: "read",
  complete: ["04-bridge"],
  links: [],
  routes: [],
  forward: [],
  postrouting: [],
  sysctls: {},
  pods: [],
  leases: [],
  brokenLeases: [],
  plugins: [],
};

const inventory: Inventory = {
  version: 1,
  cluster: "lab",
  at: "2026-01-01T00:00:00.000Z",
  nodes: cluster.nodes.map(({ name, role, address, podCIDRs }) => ({
    name,
    role,
    address,
    podCIDRs,
    host: name === "worker-2" ? { is: "unreachable", why: "it is gone" } : host,
  })),
};

const report: MatrixReport = {
  version: 1,
  cluster: "lab",
  passed: false,
  complete: {},
  pods: [{ node: "worker-1", addresses: {}, asExpected: true }],
  paths: [
    {
      kind: "pod-to-own-node",
      from: "worker-1",
      to: "worker-1",
      family: 4,
      expected: { answer: "yes", as: "pod" },
      observed: { answer: "no", said: "no answer" },
      asExpected: false,
      cause: 1,
    },
  ],
  causes: [{
    number: 1,
    kind: "bridge",
    on: "worker-1",
    what: "the bridge cni0 is down on worker-1",
    evidence: [],
    mend: ["make 04-bridge"],
  }],
  remarks: [],
};

function on(where: string, is: StageState): StageOn {
  return { where, is, changes: [], problems: [] };
}

const sight: Sight = {
  cluster,
  inventory,
  stages: [
    {
      name: "04-bridge",
      summary: "",
      on: [on("master", "applied"), on("worker-1", "drifted")],
    },
    {
      name: "06-forwarding",
      summary: "",
      on: [on("master", "not"), on("worker-1", "unknown")],
    },
    { name: "02-kubeadm", summary: "", on: [on("operator", "applied")] },
    { name: "08-routes", summary: "", on: [] },
  ],
  seen: { is: "tried", report, addresses: new Map() },
  news: [],
};

Deno.test("how a stage stands is told in the words of make status, also for what the operator's machine did", () => {
  const { stages: rows, nodes } = pageState(sight);
  assertEquals(nodes, ["master", "worker-1", "worker-2"]);
  assertEquals(
    rows.map(({ cells }) => cells.map(({ text }) => text)),
    [
      ["✓ applied", "✗ drifted", "?"],
      ["not applied", "unknown", "?"],
      ["✓ applied", "✓ applied", "?"],
      ["nothing to do", "nothing to do", "?"],
    ],
  );
});

Deno.test("a node that does not answer is named with the reason", () => {
  assertEquals(pageState(sight).problem, "worker-2: it is gone");
});

Deno.test("what is not as expected bears its sign, and its cause with what mends it", () => {
  const { matrix } = pageState(sight);
  const row = matrix.rows.find(({ label }) => label === "pod → own node");
  const [{ cause = "", ...cell } = { text: "" }] = row?.cells ?? [];
  const ends = { from: "worker-1/shell", to: "worker-1" };
  assertEquals(cell, { text: "✗ no [1]", tone: "bad", ...ends });
  assertStringIncludes(matrix.summary, "1 of 1 paths");
  assertStringIncludes(cause, "[1] the bridge cni0 is down");
  assertStringIncludes(cause, "mend: make 04-bridge");
});

Deno.test("where nothing could be tried, the reason stands in its place", () => {
  const seen = { is: "untried", why: "No test pods" } as const;
  const { matrix } = pageState({ ...sight, seen });
  assertEquals(matrix, {
    columns: [],
    rows: [],
    summary: "No test pods",
  });
});

Deno.test("news is told a sentence each, and what is too much to be read out is counted", () => {
  const news = ["cni0 is new on worker-1", "worker-2 has gone"];
  assertEquals(
    pageState({ ...sight, news }).said,
    "cni0 is new on worker-1. worker-2 has gone",
  );
  assertEquals(
    pageState({ ...sight, news: [...news, "a", "b"] }).said,
    "cni0 is new on worker-1. worker-2 has gone. 2 more changes",
  );
});

Deno.test("what is wrong with the cluster's file stands beside the nodes that do not answer", () => {
  assertEquals(
    pageState({ ...sight, problem: "lab.yaml:3: bridge" }).problem,
    "worker-2: it is gone; lab.yaml:3: bridge",
  );
});
