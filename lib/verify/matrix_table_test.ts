// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { expect, type StageProgress } from "./expected.ts";
import {
  type Addresses,
  allPaths,
  type Observed,
  type Path,
  sourcesOf,
} from "./matrix.ts";
import type { MatrixReport, PathReport } from "./matrix_report.ts";
import { matrixTable, summary } from "./matrix_table.ts";
import { type StageName, stageNames } from "../stage/stage.ts";
import type { CauseReport } from "../diagnosis/cause.ts";

const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });

function addressesIn({ nodes }: Cluster): Addresses {
  const of = (last: number) =>
    new Map(nodes.map(({ name }, at) => [name, `10.244.${at}.${last}`]));
  return {
    nodes: new Map(nodes.map(({ name, address }) => [name, address])),
    gateways: of(1),
    callers: of(3),
  };
}

interface Change {
  readonly cluster?: Cluster;
  readonly last: StageName;
  /** Stages complete on some nodes, other than up to `last`. */
  readonly complete?: Readonly<Record<string, readonly StageName[]>>;
  /** What was seen of a path, where it was not what is expected. */
  readonly seen?: (path: Path) => Observed | undefined;
  readonly causes?: readonly CauseReport[];
}

/** A report as reportOf() makes it; what was not expected is put down to the first cause. */
function report(change: Change): [MatrixReport, Addresses] {
  const { last, seen = () => undefined, causes = [] } = change;
  const whole = change.cluster ?? cluster;
  const addresses = addressesIn(whole);
  const upTo = stageNames.slice(0, stageNames.indexOf(last) + 1);
  const complete = Object.fromEntries(
    whole.nodes.map(({ name }) => [name, change.complete?.[name] ?? upTo]),
  );
  const progress: StageProgress = {
    complete: new Map(Object.entries(complete)),
    unfiltered: new Set(),
  };
  const workers = whole.nodes.filter(({ role }) => role === "worker");
  const paths = allPaths(whole, new Set(workers.map(({ name }) => name)))
    .map((path): PathReport => {
      const expected = expect(path, progress);
      const [source] = sourcesOf(path, expected, addresses);
      const other = seen(path);
      return {
        ...path,
        family: 4,
        expected,
        ...(source === undefined ? {} : { expectedSource: source }),
        observed: other ??
          (source === undefined
            ? { answer: "no", said: "no answer" }
            : { answer: "yes", source }),
        asExpected: other === undefined,
        ...(other === undefined ? {} : { cause: 1 }),
      };
    });
  return [{
    version: 1,
    cluster: whole.name,
    passed: causes.length === 0,
    complete,
    pods: workers.map(({ name }) => ({
      node: name,
      addresses: {},
      asExpected: true,
    })),
    paths,
    causes: causes.map((cause, at) => ({ number: at + 1, ...cause })),
    remarks: [],
    ...(last === "08-routes" ? {} : {
      next: stageNames[stageNames.indexOf(last) + 1] as StageName,
    }),
  }, addresses];
}

function text(change: Change, width = 80): string {
  const [made, addresses] = report(change);
  return matrixTable(made, {
    cluster: change.cluster ?? cluster,
    addresses: new Map([[4, addresses]]),
    width,
  });
}

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
  const [master, worker] = cluster.nodes;
  assert(master && worker);
  const many: Cluster = {
    ...cluster,
    nodes: [
      master,
      ...Array.from({ length: 7 }, (_, at) => ({
        ...worker,
        name: `worker-${at + 1}`,
        address: `10.0.1.${at + 11}`,
      })),
    ],
  };
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
