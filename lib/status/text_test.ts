/** Status as text. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { StatusReport } from "./status.ts";
import type { StageOn, StageState } from "./stage_state.ts";
import { isUnmade, statusText } from "./text.ts";
import type { StageName } from "../stage/stage.ts";
import type { NodeStatus } from "./node_status.ts";

const cluster = { file: "config/lab.yaml", provider: "lab" } as const;

function node(name: string, at: number): NodeStatus {
  return {
    name,
    role: "worker",
    addresses: [`10.0.1.${at}`],
    podCIDRs: [`10.244.${at}.0/24`],
    has: {
      pods: [{ name: "web", addresses: [`10.244.${at}.2`] }],
      leases: [{ podCIDR: `10.244.${at}.0/24`, held: 1, capacity: 253 }],
      stale: [],
      broken: [],
    },
  };
}

/** A node that does not answer. */
function bareOf(name: string): NodeStatus {
  const { has: _, ...bare } = node(name, 1);
  return bare;
}

const nodes = [node("worker-1", 1), node("worker-2", 2)];

function on(where: string, is: StageState, commands = 0): StageOn {
  const change = { why: "because", command: "ip link set cni0 up" };
  return { where, is, changes: Array(commands).fill(change), problems: [] };
}

function stage(name: StageName, ...on: StageOn[]) {
  return { name, summary: "", on };
}

function reportOf(...stages: StatusReport["stages"]): StatusReport {
  return { version: 1, cluster: "lab", at: "", nodes, stages };
}

Deno.test("all is told on one screen: nodes, stages, what to do next, pods", () => {
  const report = reportOf(
    stage(
      "03-cni-config",
      on("worker-1", "applied"),
      on("worker-2", "applied"),
    ),
    stage("04-bridge", on("worker-1", "not", 1), on("worker-2", "not", 1)),
  );
  assertEquals(
    statusText(report, { cluster }),
    `node      address   podCIDR        pods  leases
worker-1  10.0.1.1  10.244.1.0/24  1     1 of 253
worker-2  10.0.1.2  10.244.2.0/24  1     1 of 253

03-cni-config  applied
04-bridge      not applied

Pods:
  worker-1/web 10.244.1.2
  worker-2/web 10.244.2.2

Next: make 04-bridge`,
  );
});

Deno.test("drift is told with its node, its number of steps and what mends it; its commands on demand", () => {
  const report = reportOf(
    stage("04-bridge", on("worker-1", "drifted", 2), on("worker-2", "applied")),
  );
  const text = statusText(report, { cluster });
  assertStringIncludes(
    text,
    `04-bridge      drifted on worker-1; applied on worker-2`,
  );
  assertStringIncludes(
    text,
    `What a stage would change now:
  worker-1, 04-bridge (drifted): 2 steps to do
    make 04-bridge ARGS="--node worker-1"
`,
  );
  assert(!text.includes("ip link set"));
  const verbose = statusText(report, { cluster, verbose: true });
  assertStringIncludes(verbose, "# because\n    $ ip link set cni0 up\n");
});

Deno.test("the plugin's daemon is told with its version, a dead one as such", () => {
  const [first, second] = reportOf().nodes;
  assert(first?.has !== undefined && second?.has !== undefined);
  const nodes = [
    {
      ...first,
      has: {
        ...first.has,
        daemon: { installed: "12ab", serving: [{ version: "12ab", pid: 7 }] },
      },
    },
    {
      ...second,
      has: { ...second.has, daemon: { installed: "12ab", serving: [] } },
    },
  ];
  assertStringIncludes(
    statusText({ ...reportOf(), nodes }, { cluster }),
    `The plugin's daemon:
  worker-1: of version 12ab, the installed one
  worker-2: does not run
`,
  );
});

Deno.test("BGP sessions are counted, and those that are down told in bird's words", () => {
  const [first, second] = reportOf().nodes;
  assert(first?.has && second?.has);
  const up = { name: "to-master", state: "Established" };
  const down = { name: "to-worker-2", state: "Active", error: "Socket: Lost" };
  const text = statusText({
    ...reportOf(),
    nodes: [
      { ...first, has: { ...first.has, sessions: [up] } },
      { ...second, has: { ...second.has, sessions: [up, down] } },
    ],
  }, { cluster });
  assertStringIncludes(text, `BGP sessions:\n  ${first.name}: 1 of 1 up\n`);
  assertStringIncludes(
    text,
    `  ${second.name}: 1 of 2 up, to-worker-2 Active (Socket: Lost)`,
  );
});

Deno.test("agents are told with their last run, what they repaired and their API server", () => {
  const [first, second] = reportOf().nodes;
  assert(first?.has !== undefined && second?.has !== undefined);
  const agent = {
    version: "0.1.0",
    age_s: 12,
    outcome: "clean",
    repaired: 3,
    follows: true,
    problems: [],
  } as const;
  const dead = { ...agent, age_s: 3600, unreachable: "refused" };
  const nodes = [
    { ...first, has: { ...first.has, agent } },
    { ...second, has: { ...second.has, agent: dead } },
  ];
  assertStringIncludes(
    statusText({ ...reportOf(), nodes }, { cluster }),
    `Agents:
  worker-1: version 0.1.0, last run clean, 12 s ago, repaired 3, API server
  answers
  worker-2: version 0.1.0, nothing heard of it for 60 minutes, repaired 3, no
  API server
`,
  );
});

Deno.test("a stale lease is told with what releases it", () => {
  const path = "/run/deno-cni/networks/deno-cni/10.244.1.9";
  const [first, ...rest] = nodes;
  assert(first?.has !== undefined);
  const lease = {
    path,
    address: "10.244.1.9",
    network: "deno-cni",
    containerID: "c9",
    ifname: "eth0",
  };
  const stale = { ...first, has: { ...first.has, stale: [lease] } };
  const text = statusText({ ...reportOf(), nodes: [stale, ...rest] }, {
    cluster,
  });
  assertStringIncludes(
    text,
    `Stale leases, without a pod:
  worker-1: 10.244.1.9, of c9 eth0
    make shell NODE=worker-1 ARGS="-- flock `,
  );
});

Deno.test("of many stale leases some are told, with how many more there are; all of them on demand", () => {
  const [first, ...rest] = nodes;
  assert(first?.has !== undefined);
  const lease = (at: number) => ({
    path: `/run/deno-cni/networks/deno-cni/10.244.1.${at}`,
    address: `10.244.1.${at}`,
    network: "deno-cni",
    containerID: `c${at}`,
    ifname: "eth0",
  });
  const stale = Array.from({ length: 250 }, (_, at) => lease(at + 2));
  const report = {
    ...reportOf(),
    nodes: [{ ...first, has: { ...first.has, stale } }, ...rest],
  };
  const text = statusText(report, { cluster });
  assertStringIncludes(text, "worker-1: 10.244.1.9, of c9 eth0\n");
  assertStringIncludes(text, "\n  worker-1: and 242 more (-v)\n");
  assert(!text.includes("of c10 eth0"));
  const whole = statusText(report, { cluster, verbose: true });
  assertStringIncludes(whole, "of c251 eth0");
});

Deno.test("before there is a lab, it says how to make one; machines that do not answer are told", () => {
  const bare = bareOf("worker-1");
  const gone = [{ ...bare, unreachable: "no answer" }];
  const unmade = reportOf(stage("01-provision", on("worker-1", "not", 1)));
  assertEquals(
    statusText({ ...unmade, nodes: gone }, { cluster }),
    'No lab "lab": make up',
  );
  const made = reportOf(stage("01-provision", on("worker-1", "drifted", 1)));
  assertStringIncludes(
    statusText({ ...made, nodes: gone }, { cluster }),
    "worker-1 is unreachable: no answer",
  );
});

Deno.test("sixty nodes with a hundred pods each keep to a screen's width, and to some pods a node", () => {
  const pods = Array.from({ length: 100 }, (_, at) => (
    { name: `pod-${at}`, addresses: [`10.244.1.${at}`, `fd00:10:244:1::${at}`] }
  ));
  const many = Array.from({ length: 60 }, (_, at): NodeStatus => {
    const one = node(`worker-${at}`, at);
    assert(one.has !== undefined);
    return { ...one, has: { ...one.has, pods } };
  });
  const states = many.map(({ name }, at) =>
    on(name, at === 7 ? "drifted" : "applied", at === 7 ? 1 : 0)
  );
  const report = { ...reportOf(stage("04-bridge", ...states)), nodes: many };
  const text = statusText(report, { cluster });
  assertStringIncludes(text, "drifted on worker-7; applied on 59 others");
  assertStringIncludes(text, "and 92 more (-v)");
  for (const line of text.split("\n")) assert(line.length < 80, line);
});

Deno.test("why nobody can say how a stage stands is told, of machines that answer", () => {
  const problems = ["cannot tell which routes there are"];
  const text = statusText(
    reportOf(
      stage("04-bridge", on("worker-1", "applied"), on("worker-2", "applied")),
      stage("08-routes", { ...on("operator", "unknown"), problems }),
    ),
    { cluster },
  );
  assertStringIncludes(text, "08-routes      unknown");
  assertStringIncludes(
    text,
    "Nobody can say:\n  08-routes on operator: cannot tell which routes there are",
  );
  const gone = [{ ...bareOf("worker-1"), unreachable: "no answer" }];
  const command = `make 02 CLUSTER=${
    "long/".repeat(20)
  }aws.yaml ARGS=--dry-run`;
  const silent = statusText(
    {
      ...reportOf(stage("02-kubeadm", {
        ...on("operator", "unknown"),
        problems: ["no answer", `the cloud can:\n${command}`],
      })),
      nodes: gone,
    },
    { cluster },
  );
  assert(!silent.includes("on operator: no answer"), silent);
  assertStringIncludes(silent, `    ${command}`);
});

Deno.test("what a stage would be refused is counted beside what it would do", () => {
  const problems = ["refused: cni0 is a bridge of somebody else's"];
  const text = (changes: number, is: StageState) =>
    statusText(
      reportOf(
        stage("04-bridge", { ...on("worker-1", is, changes), problems }),
      ),
      { cluster },
    );
  assertStringIncludes(
    text(0, "not"),
    `  worker-1, 04-bridge (not applied): 1 refused
    refused: cni0 is a bridge of somebody else's
    make 04-bridge ARGS="--node worker-1"`,
  );
  assertStringIncludes(
    text(2, "drifted"),
    "(drifted): 2 steps to do, 1 refused",
  );
});

Deno.test("machines that are the operator's to make, and do not answer, are not called unmade", () => {
  const bare = bareOf("worker-1");
  const report = {
    ...reportOf(stage("01-provision", on("worker-1", "unknown"))),
    nodes: [{ ...bare, unreachable: "no answer" }],
  };
  assert(!isUnmade(report));
  assert(
    isUnmade({
      ...report,
      stages: [stage("01-provision", on("operator", "not", 1))],
    }),
  );
});
