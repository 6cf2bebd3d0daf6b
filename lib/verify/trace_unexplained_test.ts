// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import type { Cause } from "../diagnosis/cause.ts";
import { outside, type Path } from "./matrix.ts";
import { type PathToTrace, traceUnexplained } from "./trace_unexplained.ts";

const cause = (on: string): Cause => ({
  ...{ kind: "packet-path", on, what: `${on} loses it` },
  ...{ evidence: [], remedies: [] },
});

const unexplained = (...paths: readonly Path[]) =>
  paths.map((path) => (
    { path, family: 4 as const, pods: { caller: "shell", server: "web" } }
  ));

/** Traces what nothing explains, and tells which ways were gone. */
async function traced(
  paths: readonly Path[],
  causeOf: (path: PathToTrace) => Cause | undefined,
) {
  const asked: string[] = [];
  const found = await traceUnexplained(unexplained(...paths), (path) => {
    const name = (end: PathToTrace["to"]) =>
      end.is === "outside"
        ? end.is
        : end.node + (end.is === "pod" ? `/${end.pod}` : "");
    asked.push(`${name(path.from)} → ${name(path.to)}`);
    return Promise.resolve(causeOf(path));
  }, {});
  return { asked, causes: paths.map((path) => found.get(path)?.what) };
}

Deno.test("one trace explains all paths that the faulty machine has a part in", async () => {
  const { asked, causes } = await traced([
    { kind: "pod-to-pod-other-node", from: "worker-1", to: "worker-2" },
    { kind: "pod-to-pod-other-node", from: "worker-2", to: "worker-1" },
    { kind: "node-to-own-pod", from: "worker-2", to: "worker-2" },
  ], () => cause("worker-2"));
  assertEquals(asked, ["worker-2 → worker-2/web"]);
  assertEquals(causes, Array(3).fill("worker-2 loses it"));
});

Deno.test("the first path of each kind is traced, three at most", async () => {
  const { asked, causes } = await traced([
    { kind: "pod-to-outside", from: "worker-1", to: outside },
    { kind: "pod-to-pod-other-node", from: "worker-1", to: "worker-2" },
    { kind: "pod-to-pod-other-node", from: "worker-2", to: "worker-1" },
    { kind: "pod-to-other-node", from: "worker-1", to: "master" },
    { kind: "pod-to-own-node", from: "worker-1", to: "worker-1" },
  ], () => undefined);
  assertEquals(asked, [
    "worker-1/shell → worker-1",
    "worker-1/shell → master",
    "worker-1/shell → worker-2/web",
  ]);
  assertEquals(causes, Array(5).fill(undefined));
});

Deno.test("a path that another machine has no part in is traced by itself", async () => {
  const { asked, causes } = await traced([
    { kind: "pod-to-own-node", from: "worker-1", to: "worker-1" },
    { kind: "pod-to-outside", from: "worker-2", to: outside },
  ], ({ from }) => cause(from.is === "outside" ? "" : from.node));
  assertEquals(asked, [
    "worker-1/shell → worker-1",
    "worker-2/shell → outside",
  ]);
  assertEquals(causes, ["worker-1 loses it", "worker-2 loses it"]);
});
