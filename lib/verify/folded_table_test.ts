// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CauseReport } from "../diagnosis/cause.ts";
import { wrapLines } from "../text/wrap.ts";
import { stageNames } from "../stage/stage.ts";
import type { Path } from "./matrix.ts";
import { type Change, labOf, text } from "./matrix_report_testing.ts";

const no = { answer: "no", said: "no answer" } as const;

const down = (on: string): CauseReport => ({
  kind: "packet-path",
  on,
  what: `the uplink of ${on} is down`,
  evidence: [],
  mend: [`make shell NODE=${on} ARGS="-- ip link set eth0 up"`],
});

const touches = (path: Path, name: string) =>
  path.from === name || path.to === name;

/** A node of so many is dead. */
const dead = (workers: number, name: string): Change => ({
  cluster: labOf(workers),
  last: "08-routes",
  causes: [down(name)],
  seen: (path) => touches(path, name) ? no : undefined,
});

/** The table alone. */
const tableOf = (shown: string) => shown.split("\n\n")[0] ?? "";

const isFolded = (shown: string) => shown.includes("ARGS=--all");

Deno.test("three nodes have every cell, whatever is wrong", () => {
  for (
    const change of [dead(2, "worker-2"), {
      ...dead(2, ""),
      seen: () => no,
    }]
  ) {
    const shown = text(change);
    assert(!isFolded(shown), shown);
    assertStringIncludes(
      shown,
      "pod → pod, other node, worker-1 → worker-2: expected",
    );
  }
});

Deno.test("many nodes that are well have a line a kind of path", () => {
  assertEquals(
    text({ cluster: labOf(30), last: "08-routes" }),
    `\
test pods              yes: all 30
pod → own node         yes: all 30
pod → other node       yes, as the node: all 900
pod → pod, same node   yes: all 30
pod → pod, other node  yes, as the pod: all 870
pod → outside          yes, as the node: all 30
node → its pod         yes: all 30
other node → pod       yes, as that node: all 900

A row a kind of path; every cell: make 09-verify ARGS=--all

All 2790 paths are as expected`,
  );
});

Deno.test("a dead node of many is named in each row, and in its cause by row", () => {
  const shown = text(dead(30, "worker-2"));
  assertStringIncludes(
    shown,
    `
pod → own node         yes: 29 of 30
                       ✗ no [1]: 1 of 30, worker-2
pod → other node       yes, as the node: 841 of 900
                       ✗ no [1]: 59 of 900
                         worker-2 → all 30 others
                         all 29 others → worker-2
`,
  );
  assertStringIncludes(
    shown,
    `
[1] the uplink of worker-2 is down
    pod → own node, worker-2: expected yes, as the pod; saw no (no answer)
    pod → other node, worker-2 → all 30 others; all 29 others → worker-2: expected`,
  );
  assertStringIncludes(shown, "180 of 2790 paths; 1 cause above");
});

Deno.test("two dead nodes are told apart by their causes", () => {
  const shown = text({
    ...dead(30, "worker-2"),
    causes: [down("worker-2"), down("worker-9")],
    seen: (path) =>
      touches(path, "worker-2") || touches(path, "worker-9") ? no : undefined,
    causeOf: (path) => touches(path, "worker-2") ? 1 : 2,
  }, 120);
  assertStringIncludes(
    shown,
    "✗ no [2]: 56 of 870, worker-9 → all others but worker-2; " +
      "all others but worker-2 → worker-9\n",
  );
  assertStringIncludes(shown, "\n[2] the uplink of worker-9 is down\n");
});

Deno.test("one direction that is dead has its arrow", () => {
  assertStringIncludes(
    text({
      ...dead(30, "worker-7"),
      seen: ({ kind, to }) =>
        kind === "pod-to-pod-other-node" && to === "worker-7" ? no : undefined,
    }),
    "✗ no [1]: 29 of 870, all 29 others → worker-7\n",
  );
});

Deno.test("scattered paths are listed as far as a screen goes, and the others counted", () => {
  const lost = new Set(
    Array.from(
      { length: 9 },
      (_, at) => `worker-${at + 1} worker-${2 * at + 20}`,
    ),
  );
  const shown = text({
    ...dead(60, ""),
    seen: ({ kind, from, to }) =>
      kind === "pod-to-pod-other-node" && lost.has(`${from} ${to}`)
        ? no
        : undefined,
  });
  assertStringIncludes(
    shown,
    `
                       ✗ no [1]: 9 of 3540
                         worker-1 → worker-20
                         worker-2 → worker-22
                         worker-3 → worker-24
                         worker-4 → worker-26
                         worker-5 → worker-28
                         worker-6 → worker-30
                         … and 3 more
`,
  );
});

Deno.test("what is the same on each of many nodes is one cause to read", () => {
  const cluster = labOf(60);
  const workers = cluster.nodes.slice(1);
  const shown = text({
    cluster,
    last: "08-routes",
    causes: workers.map(({ name }) => down(name)),
    causeOf: ({ from }) => Number(from.split("-")[1]),
    seen: ({ kind, from }) =>
      kind === "pod-to-pod-other-node"
        ? {
          answer: "yes",
          source: workers.find(({ name }) => name === from)?.address ?? "",
        }
        : undefined,
  });
  assertStringIncludes(
    shown,
    "pod → pod, other node  ✗ yes, as the node [1]: all 3540\n",
  );
  assertStringIncludes(
    shown,
    "\n[2], [3], [4] and 56 more: the same as [1], on worker-2, worker-3, " +
      "worker-4 and 56 more\n",
  );
  assert(shown.split("\n").length < 24, shown);
});

Deno.test("nodes that a stage has not reached are named by what works between those it has", () => {
  const upTo8 = stageNames.slice(0, 8);
  assertStringIncludes(
    text({
      cluster: labOf(30),
      last: "07-masquerade",
      complete: Object.fromEntries(
        ["worker-3", "worker-5", "worker-8"].map((name) => [name, upTo8]),
      ),
    }),
    `
pod → pod, other node  no, until 08: 864 of 870
                       yes, as the pod: 6 of 870
                         between worker-3, worker-5, worker-8
`,
  );
});

Deno.test("folded tables are a screenful, no line wider than asked for", () => {
  for (const workers of [10, 31, 60]) {
    for (const width of [80, 120]) {
      const one = dead(workers, "worker-2");
      for (const change of [one, { ...one, seen: () => no }]) {
        const shown = text(change, width);
        assert(isFolded(shown), shown);
        const lines = tableOf(shown).split("\n");
        assert(lines.length <= 24, shown);
        assert(lines.every((line) => line.length <= width), shown);
      }
    }
  }
});

Deno.test("--all shows every cell and every path", () => {
  const shown = text(dead(30, "worker-2"), 80, { whole: true });
  assert(!isFolded(shown));
  assertStringIncludes(
    shown,
    "pod → pod, other node, worker-17 → worker-2: expected yes, as the pod; saw no",
  );
});

Deno.test("marked lines stand out by sign and colour, and stay in their columns", () => {
  const marks = {
    has: ({ kind }: Path) => kind === "pod-to-outside",
    emphasize: (line: string) => `\x1b[1m${line}\x1b[0m`,
  };
  const shown = tableOf(text(dead(30, "worker-2"), 80, { marks }));
  assertStringIncludes(
    shown,
    `
pod → pod, same node     yes: 29 of 30
                         ✗ no [1]: 1 of 30, worker-2
`,
  );
  assertStringIncludes(
    shown,
    "\npod → outside          \x1b[1m▸ yes, as the node: 29 of 30\x1b[0m\n",
  );
  assertEquals(wrapLines(shown, 80), shown);
});
