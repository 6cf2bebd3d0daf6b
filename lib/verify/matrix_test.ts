// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import {
  type Addresses,
  allPaths,
  columnOf,
  expect,
  type Expected,
  expectedSource,
  isAsExpected,
  opener,
  type Path,
  type PathKind,
  pathKinds,
  podsWaitFor,
  type StageProgress,
  type Tried,
  whose,
} from "./matrix.ts";
import { type StageName, stageNames } from "../stage/stage.ts";

const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });
const names = cluster.nodes.map(({ name }) => name);
const workers = new Set(["worker-1", "worker-2"]);
const paths = allPaths(cluster, workers);

/** Every node has these stages, or those that it is given itself. */
function after(
  last: StageName,
  own: Readonly<Record<string, readonly StageName[]>> = {},
  unfiltered: readonly string[] = [],
): StageProgress {
  const upTo = stageNames.slice(0, stageNames.indexOf(last) + 1);
  return {
    complete: new Map(names.map((name) => [name, own[name] ?? upTo])),
    unfiltered: new Set(unfiltered),
  };
}

function words(expected: Expected): string {
  return expected.answer === "no" ? "no" : `yes, as the ${expected.as}`;
}

/** The row of the table of a stage: what is expected of every path of a kind. */
function rowAfter(progress: StageProgress): Record<string, string[]> {
  return Object.fromEntries(pathKinds.map((kind) => {
    const cells = paths.filter((path) => path.kind === kind)
      .map((path) => words(expect(path, progress)));
    return [kind, [...new Set(cells)]];
  }));
}

const rows: readonly [StageName, Record<PathKind, string>][] = [
  ["05-plugin", {
    "pod-to-own-node": "yes, as the pod",
    "pod-to-other-node": "no",
    "pod-to-pod-same-node": "no",
    "pod-to-pod-other-node": "no",
    "pod-to-outside": "no",
    "node-to-own-pod": "yes, as the node",
    "node-to-other-pod": "no",
  }],
  ["06-forwarding", {
    "pod-to-own-node": "yes, as the pod",
    "pod-to-other-node": "no",
    "pod-to-pod-same-node": "yes, as the pod",
    "pod-to-pod-other-node": "no",
    "pod-to-outside": "no",
    "node-to-own-pod": "yes, as the node",
    "node-to-other-pod": "no",
  }],
  ["07-masquerade", {
    "pod-to-own-node": "yes, as the pod",
    "pod-to-other-node": "yes, as the node",
    "pod-to-pod-same-node": "yes, as the pod",
    "pod-to-pod-other-node": "no",
    "pod-to-outside": "yes, as the node",
    "node-to-own-pod": "yes, as the node",
    "node-to-other-pod": "no",
  }],
  ["08-routes", {
    "pod-to-own-node": "yes, as the pod",
    "pod-to-other-node": "yes, as the node",
    "pod-to-pod-same-node": "yes, as the pod",
    "pod-to-pod-other-node": "yes, as the pod",
    "pod-to-outside": "yes, as the node",
    "node-to-own-pod": "yes, as the node",
    "node-to-other-pod": "yes, as the node",
  }],
];

for (const [stage, row] of rows) {
  Deno.test(`after ${stage} the table of the stages is what is expected`, () => {
    const wanted = Object.fromEntries(
      Object.entries(row).map(([kind, cell]) => [kind, [cell]]),
    );
    assertEquals(rowAfter(after(stage)), wanted);
  });
}

Deno.test("with 08 but without 07, other nodes see the pod, and the outside is out of reach", () => {
  const without = stageNames.filter((name) => name !== "07-masquerade");
  const row = rowAfter(
    after(
      "08-routes",
      Object.fromEntries(names.map((name) => [name, without])),
    ),
  );
  assertEquals(row["pod-to-other-node"], ["yes, as the pod"]);
  assertEquals(row["pod-to-outside"], ["no"]);
  assertEquals(row["pod-to-pod-other-node"], ["yes, as the pod"]);
});

Deno.test("without /proc/sys/net/bridge, pods of one node reach each other from 05 on", () => {
  const progress = after("05-plugin", {}, ["worker-1"]);
  const cells = paths.filter(({ kind }) => kind === "pod-to-pod-same-node")
    .map((path) => [path.from, words(expect(path, progress))]);
  assertEquals(cells, [["worker-1", "yes, as the pod"], ["worker-2", "no"]]);
});

Deno.test("a node without 03, 04 or 05 waits for the first of them before it can have pods", () => {
  assertEquals(podsWaitFor(after("02-kubeadm"), "worker-1"), "03-cni-config");
  assertEquals(podsWaitFor(after("04-bridge"), "worker-1"), "05-plugin");
  assertEquals(podsWaitFor(after("05-plugin"), "worker-1"), undefined);
  const undone = stageNames.filter((name) => name !== "04-bridge");
  assertEquals(
    podsWaitFor(after("08-routes", { "worker-1": undone }), "worker-1"),
    "04-bridge",
  );
  assertEquals(
    podsWaitFor(after("05-plugin"), "a node that nobody knows"),
    "03-cni-config",
  );
});

const pathStages = ["06-forwarding", "07-masquerade", "08-routes"] as const;

/** Two workers with every combination of the stages that open paths. */
function* combinations(): Generator<StageProgress> {
  const base = stageNames.slice(0, 5);
  const subset = (bits: number): StageName[] => [
    ...base,
    ...pathStages.filter((_, at) => (bits >> at) & 1),
  ];
  for (let bits = 0; bits < 64; bits++) {
    yield after("05-plugin", {
      "master": subset(bits & 7),
      "worker-1": subset(bits & 7),
      "worker-2": subset(bits >> 3),
    });
  }
}

/** The same with these stages complete as well. */
function plus(
  progress: StageProgress,
  more: readonly (readonly [StageName, string])[],
): StageProgress {
  const complete = new Map(progress.complete);
  for (const [stage, node] of more) {
    complete.set(node, [...complete.get(node) ?? [], stage]);
  }
  return { ...progress, complete };
}

Deno.test("what a path waits for opens it, and nothing less does, whatever has run on either node", () => {
  let closed = 0;
  for (const progress of combinations()) {
    for (const path of paths) {
      const expected = expect(path, progress);
      if (expected.answer === "yes") continue;
      closed += 1;
      const needs = expected.missing.flatMap(({ stage, on }) =>
        on.map((node) => [stage, node] as const)
      );
      assertEquals(expect(path, plus(progress, needs)).answer, "yes");
      for (const left of needs) {
        const rest = needs.filter((need) => need !== left);
        assertEquals(expect(path, plus(progress, rest)).answer, "no");
      }
      // Run in their order, the last of them is the one that opens the path.
      assertEquals(opener(expected).stage, needs.at(-1)?.[0]);
      const stages = expected.missing.map(({ stage }) => stage);
      assertEquals(stages, stages.toSorted());
    }
  }
  assert(closed > 500);
});

Deno.test("a further stage never closes a path", () => {
  for (const progress of combinations()) {
    for (const stage of pathStages) {
      for (const node of names) {
        for (const path of paths) {
          if (expect(path, progress).answer === "no") continue;
          const more = plus(progress, [[stage, node]]);
          assertEquals(expect(path, more).answer, "yes");
        }
      }
    }
  }
});

Deno.test("what has run on a node that is not on the path changes nothing", () => {
  for (const progress of combinations()) {
    for (const path of paths) {
      const away = names.filter((name) =>
        name !== path.from && name !== path.to
      );
      const more = away.flatMap((node) =>
        pathStages.map((stage) => [stage, node] as const)
      );
      assertEquals(expect(path, plus(progress, more)), expect(path, progress));
    }
  }
});

Deno.test("allPaths() has each path once, in the columns of the nodes with pods", () => {
  const keys = paths.map(({ kind, from, to }) => `${kind} ${from} ${to}`);
  assertEquals(new Set(keys).size, keys.length);
  assertEquals(paths.length, 18);
  const one = allPaths(cluster, new Set(["worker-1"]));
  assertEquals(new Set(one.map(columnOf)), new Set(["worker-1"]));
  assert(one.every(({ kind }) => kind !== "pod-to-pod-other-node"));
  assertEquals(allPaths(cluster, new Set()), []);
});

const addresses: Addresses = {
  nodes: new Map([["master", "10.0.1.10"], ["worker-1", "10.0.1.11"], [
    "worker-2",
    "10.0.1.12",
  ]]),
  gateways: new Map([["worker-1", "10.244.1.1"], ["worker-2", "10.244.2.1"]]),
  callers: new Map([["worker-1", "10.244.1.3"], ["worker-2", "10.244.2.3"]]),
};

function path(kind: PathKind, from: string, to: string): Path {
  return { kind, from, to };
}

function tried(path: Path, source: string): Tried {
  const expected = expect(path, after("08-routes"));
  return {
    path,
    expected,
    expectedSource: expectedSource(path, expected, addresses),
    observed: { answer: "yes", source },
  };
}

Deno.test("an answer is as expected only when the receiver saw the right address", () => {
  const between = path("pod-to-pod-other-node", "worker-1", "worker-2");
  assert(isAsExpected(tried(between, "10.244.1.3")));
  assert(!isAsExpected(tried(between, "10.0.1.11"))); // The circulating rule.
  const out = path("pod-to-outside", "worker-1", "outside");
  assert(isAsExpected(tried(out, "10.0.1.11")));
  assert(!isAsExpected(tried(out, "10.244.1.3")));
  const own = path("node-to-own-pod", "worker-1", "worker-1");
  assert(isAsExpected(tried(own, "10.244.1.1")));
  const other = path("node-to-other-pod", "worker-2", "worker-1");
  assert(isAsExpected(tried(other, "10.0.1.12")));
  assert(!isAsExpected(tried(other, "10.244.2.1")));
});

Deno.test("an answer that must not come, and a path that nobody tried, are not as expected", () => {
  const out = path("pod-to-outside", "worker-1", "outside");
  const expected = expect(out, after("06-forwarding"));
  const base = { path: out, expected, expectedSource: undefined };
  assert(isAsExpected({ ...base, observed: { answer: "no", said: "" } }));
  assert(
    !isAsExpected({
      ...base,
      observed: { answer: "yes", source: "10.0.1.11" },
    }),
  );
  const untried = { answer: "untried", why: "no pod" } as const;
  assert(!isAsExpected({ ...base, observed: untried }));
  assert(!isAsExpected({ ...tried(out, ""), observed: untried }));
});

Deno.test("whose() tells pods, nodes and strangers apart", () => {
  const out = path("pod-to-outside", "worker-1", "outside");
  assertEquals(whose(out, "10.244.1.3", addresses), "the pod");
  assertEquals(whose(out, "10.0.1.11", addresses), "the node");
  assertEquals(whose(out, "10.244.1.1", addresses), "the node");
  assertEquals(whose(out, "10.0.1.12", addresses), "node worker-2");
  assertEquals(whose(out, "192.0.2.1", addresses), "192.0.2.1");
  const other = path("node-to-other-pod", "worker-2", "worker-1");
  assertEquals(whose(other, "10.0.1.12", addresses), "that node");
});

Deno.test("beyond further NAT a pod is seen as its node is seen there", () => {
  const path: Path = {
    kind: "pod-to-outside",
    from: "worker-1",
    to: "outside",
  };
  const addresses = {
    nodes: new Map([["worker-1", "10.0.1.11"]]),
    gateways: new Map(),
    callers: new Map([["worker-1", "10.244.1.5"]]),
    beyond: new Map([["worker-1", "198.51.100.7"]]),
  };
  const expected = { answer: "yes", as: "node" } as const;
  assertEquals(expectedSource(path, expected, addresses), "198.51.100.7");
  assertEquals(whose(path, "198.51.100.7", addresses), "the node");
  const { beyond: _, ...known } = addresses;
  assertEquals(expectedSource(path, expected, known), "10.0.1.11");
  // It holds for that path alone.
  const inside: Path = { ...path, kind: "pod-to-other-node", to: "master" };
  assertEquals(expectedSource(inside, expected, addresses), "10.0.1.11");
});
