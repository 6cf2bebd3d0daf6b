// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { summary } from "./matrix_table.ts";
import { type Change, labOf, report, text } from "./matrix_report_testing.ts";
import { stageNames } from "../stage/stage.ts";
import type { CauseReport } from "../diagnosis/cause.ts";

Deno.test("a row a kind of path, a column a worker, and each no with its opening stage", () => {
  assertEquals(
    text({ last: "06-forwarding" }),
    `\
                       worker-1      worker-2
test pods              yes           yes
pod → own node         yes           yes
pod → other node       no, until 07  no, until 07
pod → pod, same node   yes           yes
pod → pod, other node  no, until 08  no, until 08
pod → outside          no, until 07  no, until 07
node → its pod         yes           yes
other node → pod       no, until 08  no, until 08

All 18 paths are as expected. Next: make 07-masquerade, which opens "pod → other node" and "pod → outside"`,
  );
});

Deno.test("where some nodes have a stage, a no says which lack it, and rows part by other end", () => {
  const upTo8 = stageNames.slice(0, 8);
  const shown = text({
    last: "07-masquerade",
    complete: { "worker-1": upTo8, "worker-2": upTo8 },
  });
  assertStringIncludes(
    shown,
    `\
master → pod           no, until 08 on master  no, until 08 on master
worker-2 → pod         yes, as that node       -
worker-1 → pod         -                       yes, as that node`,
  );
});

const cause: CauseReport = {
  kind: "masquerade",
  on: "worker-1",
  what: "a rule of worker-1 also rewrites what pods send to pods",
  evidence: [{
    where: "worker-1",
    command: "iptables -w -t nat -S",
    printed: "-A POSTROUTING -j MASQUERADE\nand more",
  }],
  mend: [
    'make shell NODE=worker-1 ARGS="-- iptables -D"',
    'make 07-masquerade ARGS="--node worker-1"',
    "make 09-verify",
  ],
};

const circulating: Change = {
  last: "08-routes",
  causes: [cause],
  seen: ({ kind, from }) =>
    kind === "pod-to-pod-other-node" && from === "worker-1"
      ? { answer: "yes", source: "10.0.1.11" }
      : undefined,
};

Deno.test("what is not as expected is marked without colour, and explained with evidence", () => {
  const shown = text(circulating);
  assertStringIncludes(
    shown,
    "pod → pod, other node  ✗ yes, as the node [1]  yes, as the pod\n",
  );
  assertStringIncludes(
    shown,
    `
[1] a rule of worker-1 also rewrites what pods send to pods
    pod → pod, other node, worker-1 → worker-2: expected yes, as the pod; saw yes, as the node (10.0.1.11)
    worker-1$ iptables -w -t nat -S
      -A POSTROUTING -j MASQUERADE
      and more
    mend: make shell NODE=worker-1 ARGS="-- iptables -D"
    mend: make 07-masquerade ARGS="--node worker-1"
    mend: make 09-verify

Not as expected: 1 of 18 paths; 1 cause above`,
  );
  // deno-lint-ignore no-control-regex
  assert(!/\x1b/.test(shown));
});

Deno.test("more workers than fit stand in blocks, no line wider than asked for", () => {
  const many = labOf(7);
  const lines = text({ cluster: many, last: "08-routes" }).split("\n");
  assert(lines.every((line) => line.length <= 80), lines.join("\n"));
  const heads = lines.filter((line) => line.includes("worker-"));
  assertEquals(heads.length, 3);
  assertEquals(
    heads.flatMap((line) => line.trim().split(/\s+/)),
    many.nodes.slice(1).map(({ name }) => name),
  );
});

Deno.test("paths that could not be tried are counted, not listed", () => {
  const shown = text({
    last: "08-routes",
    causes: [cause],
    seen: ({ from, to }) =>
      from === "worker-1" || to === "worker-1"
        ? { answer: "untried", why: "no pod" }
        : undefined,
  });
  assertStringIncludes(shown, "✗ not tried [1]");
  assertStringIncludes(shown, "paths could not be tried without it");
});

Deno.test("without any pods the summary says which stage comes next", () => {
  const [made] = report({ last: "04-bridge" });
  assertEquals(
    summary({ ...made, paths: [], passed: false, next: "05-plugin" }, {
      file: "config/lab.yaml",
    }),
    "No pods, so no path can be tried. Next: make 05-plugin",
  );
});
