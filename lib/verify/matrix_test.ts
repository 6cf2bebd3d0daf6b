// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { expect, type StageProgress } from "./expected.ts";
import {
  type Addresses,
  allPaths,
  columnOf,
  isAsExpected,
  type Path,
  type PathKind,
  pathsFrom,
  sourcesOf,
  type Tried,
  whose,
} from "./matrix.ts";
import { type StageName, stageNames } from "../stage/stage.ts";

const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });
const names = cluster.nodes.map(({ name }) => name);
const paths = allPaths(cluster, new Set(["worker-1", "worker-2"]));

/** Every node has the stages up to this one. */
function after(last: StageName): StageProgress {
  const upTo = stageNames.slice(0, stageNames.indexOf(last) + 1);
  return {
    complete: new Map(names.map((name) => [name, upTo])),
    unfiltered: new Set(),
  };
}

Deno.test("allPaths() has each path once, in the columns of the nodes with pods", () => {
  const keys = paths.map(({ kind, from, to }) => `${kind} ${from} ${to}`);
  assertEquals(new Set(keys).size, keys.length);
  assertEquals(paths.length, 18);
  const one = allPaths(cluster, new Set(["worker-1"]));
  assertEquals(new Set(one.map(columnOf)), new Set(["worker-1"]));
  assert(one.every(({ kind }) => kind !== "pod-to-pod-other-node"));
  assertEquals(allPaths(cluster, new Set()), []);
});

Deno.test("pathsFrom() has the paths of allPaths(), those of one start together", () => {
  const start = ({ kind, from }: Path) => `${kind.slice(0, 4)} ${from}`;
  for (const withPods of [["worker-1", "worker-2"], ["worker-2"], []]) {
    const pods = new Set(withPods);
    const together = Map.groupBy(allPaths(cluster, pods), start);
    assertEquals(
      [...pathsFrom(cluster, pods)].filter(({ length }) => length > 0),
      [...together.values()],
    );
  }
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
    expectedSource: sourcesOf(path, expected, addresses)[0],
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

Deno.test("any address of the node is the node, whichever it sends as", () => {
  const held = {
    ...addresses,
    held: new Map([
      ["worker-1", ["10.0.1.11", "10.0.1.99", "10.244.1.1"]],
      ["worker-2", ["10.0.1.12", "203.0.113.20"]],
    ]),
  };
  const between = (path: Path, source: string): Tried => {
    const expected = expect(path, after("08-routes"));
    const [expectedSource, ...otherSources] = sourcesOf(path, expected, held);
    const observed = { answer: "yes", source } as const;
    return { path, expected, expectedSource, otherSources, observed };
  };
  const out = path("pod-to-outside", "worker-1", "outside");
  assert(isAsExpected(between(out, "10.0.1.11")));
  assert(isAsExpected(between(out, "10.0.1.99")));
  assert(!isAsExpected(between(out, "203.0.113.20")));
  assert(!isAsExpected(between(out, "10.244.1.3")));
  const other = path("node-to-other-pod", "worker-2", "worker-1");
  assert(isAsExpected(between(other, "203.0.113.20")));
  const own = path("node-to-own-pod", "worker-1", "worker-1");
  assertEquals(between(own, "").expectedSource, "10.244.1.1");
  assert(isAsExpected(between(own, "10.0.1.99")));
  // A pod has its own address, and no address of its node will do.
  const pods = path("pod-to-pod-other-node", "worker-1", "worker-2");
  assert(!isAsExpected(between(pods, "10.0.1.99")));
  assertEquals(whose(out, "10.0.1.99", held), "the node");
  assertEquals(whose(out, "203.0.113.20", held), "node worker-2");
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
  assertEquals(sourcesOf(path, expected, addresses), ["198.51.100.7"]);
  assertEquals(whose(path, "198.51.100.7", addresses), "the node");
  const { beyond: _, ...known } = addresses;
  assertEquals(sourcesOf(path, expected, known), ["10.0.1.11"]);
  // It holds for that path alone.
  const inside: Path = { ...path, kind: "pod-to-other-node", to: "master" };
  assertEquals(sourcesOf(inside, expected, addresses), ["10.0.1.11"]);
});
