/** Causes that no lab can show, or not quickly; the others are taken away by hand in scripts/09-faults_lab_test.ts. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import {
  cmd,
  type Command,
  CommandError,
  type Outcome,
} from "../exec/command.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { remedyLine } from "../diagnosis/remedy.ts";
import type { PathFindings } from "./diagnose_causes.ts";
import { diagnose } from "./diagnose_path.ts";
import { diagnosePods } from "./diagnose_pods.ts";
import type { NodeFacts, ProbeFact } from "../diagnosis/evidence.ts";
import { expect, type StageProgress } from "./expected.ts";
import { type Observed, type Path } from "./matrix.ts";
import type { Survey } from "./node_survey.ts";
import { type Answer, type StageName, stageNames } from "../stage/stage.ts";
import { askTables } from "../diagnosis/kernel_tables/kernel_tables.ts";
import { recordedTables } from "../diagnosis/kernel_tables/tables_testing.ts";
import type { Asked } from "../node/batch.ts";

const linesOf = (cause: Cause) =>
  cause.remedies.map((remedy) => remedyLine(remedy, cluster));

const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });
const all = stageNames.slice(0, 8);

function asked(where: string, command: Command, stdout: string): Asked {
  return { where, command, outcome: { code: 0, stdout, stderr: "" } };
}

const forwardRules = `-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-A FORWARD -d 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT
-A FORWARD -s 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT`;

const link = (ifname: string, address: string, master?: string) => ({
  ifname,
  flags: ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
  operstate: "UP",
  ...(master === undefined ? {} : { master }),
  addr_info: address === ""
    ? []
    : [{ family: "inet", local: address, prefixlen: 24, scope: "global" }],
});

/** What a node without any fault says; `change` replaces what it says otherwise. */
function facts(name: string, change: Partial<NodeFacts> = {}): NodeFacts {
  const node = cluster.nodes.find((node) => node.name === name);
  if (node === undefined) throw new Error(name);
  const third = name === "worker-1" ? "1" : name === "worker-2" ? "2" : "0";
  const pod = (pod: "shell" | "web", last: number) => ({
    pod,
    result: {
      address: `10.244.${third}.${last}`,
      addresses: [`10.244.${third}.${last}`],
      hostLinks: ["cni0", `veth-${pod}`],
      whole: {},
    },
    links: asked(
      `${pod} on ${name}`,
      cmd`ip -j addr show dev eth0`,
      JSON.stringify([link("eth0", `10.244.${third}.${last}`)]),
    ),
    routes: asked(
      `${pod} on ${name}`,
      cmd`ip -j route show`,
      `[{"dst":"default","gateway":"10.244.${third}.1"}]`,
    ),
  });
  return {
    node,
    probes: [],
    links: asked(
      name,
      cmd`ip -j addr show`,
      JSON.stringify([
        link("eth0", node.address),
        link("cni0", `10.244.${third}.1`),
        link("veth-shell", "", "cni0"),
        link("veth-web", "", "cni0"),
      ]),
    ),
    routes: asked(
      name,
      cmd`ip -j route show`,
      '[{"dst":"default","gateway":"10.0.1.1"}]',
    ),
    filter: asked(name, cmd`iptables -w -t filter -S`, forwardRules),
    settings: asked(name, cmd`sysctl -a`, ""),
    tables: asked(name, askTables, ""),
    kernel: [],
    nat: asked(
      name,
      cmd`iptables -w -t nat -S`,
      `-P POSTROUTING ACCEPT\n-A POSTROUTING -s 10.244.${third}.0/24 ! -d 10.244.0.0/16 ! -o cni0 -m comment --comment deno-cni -j MASQUERADE`,
    ),
    pods: name === "master" ? [] : [pod("shell", 3), pod("web", 2)],
    ...change,
  };
}

function probe(
  stage: StageName,
  command: Command,
  answer: Answer,
): ProbeFact {
  const where = "worker-1";
  const outcome: Outcome = { code: 1, stdout: "", stderr: "gone" };
  const asked = { where, command, outcome };
  return { stage, why: "", run: command, asked, answer };
}

function findings(...changed: NodeFacts[]): PathFindings {
  const every = ["master", "worker-1", "worker-2"].map((name) => facts(name));
  return {
    cluster,
    addresses: {
      nodes: new Map(cluster.nodes.map(({ name, address }) => [name, address])),
      gateways: new Map([
        ["worker-1", "10.244.1.1"],
        ["worker-2", "10.244.2.1"],
      ]),
      callers: new Map([
        ["worker-1", "10.244.1.3"],
        ["worker-2", "10.244.2.3"],
      ]),
    },
    servers: new Map([["worker-1", "10.244.1.2"], ["worker-2", "10.244.2.2"]]),
    facts: new Map([...every, ...changed].map((one) => [one.node.name, one])),
    outsideGone: undefined,
    control: new Map(),
    unfiltered: new Set(),
  };
}

const whole: StageProgress = {
  complete: new Map(cluster.nodes.map(({ name }) => [name, all])),
  unfiltered: new Set(),
};

function causeOf(
  path: Path,
  observed: Observed,
  where: PathFindings,
  progress = whole,
) {
  const expected = expect(path, progress);
  return diagnose(
    { path, expected, expectedSource: undefined, observed },
    where,
  );
}

const no: Observed = { answer: "no", said: "no answer" };
const between: Path = {
  kind: "pod-to-pod-other-node",
  from: "worker-1",
  to: "worker-2",
};

Deno.test("where nothing is missing, 09 says so, and what to look at", () => {
  const cause = causeOf(between, no, findings());
  assertEquals(cause.kind, "unknown");
  assertStringIncludes(cause.what, "nothing that the stages did is missing");
  assertStringIncludes(linesOf(cause).join(), "nft list ruleset");
});

Deno.test("of steps that ask the same, the route that is gone names the node that it led to", () => {
  const steps = [[".0", true], [".2", false]] as const;
  const probes = steps.map(([third, isThere]) => ({
    ...probe(
      "08-routes",
      cmd`ip -4 -j route show`,
      isThere ? { is: "present" } : { is: "absent" },
    ),
    run: cmd`ip route replace 10.244${third}.0/24 via 10.0.1.10 proto 244`,
  }));
  const worker = facts("worker-1", { probes });
  const cause = causeOf(between, no, findings(worker));
  assertEquals([cause.kind, cause.on], ["route", "worker-1"]);
  assertStringIncludes(cause.what, "no route to the pods of worker-2");
  const other = facts("worker-1", { probes: probes.slice(0, 1) });
  assertEquals(causeOf(between, no, findings(other)).kind, "unknown");
});

Deno.test("a node that has another's address is named, with the address to take from it", () => {
  const links = asked(
    "worker-2",
    cmd`ip -j addr show`,
    JSON.stringify([
      link("eth0", "10.0.1.12"),
      link("eth0:1", "10.0.1.10"),
      link("cni0", "10.244.2.1"),
      link("veth-shell", "", "cni0"),
      link("veth-web", "", "cni0"),
    ]),
  );
  const worker = facts("worker-2", { links });
  const cause = causeOf(between, no, findings(worker));
  assertEquals([cause.kind, cause.on], ["duplicate-address", "worker-2"]);
  assertStringIncludes(cause.what, "the address of master, 10.0.1.10");
  assertStringIncludes(linesOf(cause).join(), "ip addr del 10.0.1.10/24");
});

Deno.test("a rule in INPUT that keeps pods from their own node is named", () => {
  const rule = "-A INPUT -i cni0 -p tcp -j REJECT";
  const filter = asked(
    "worker-1",
    cmd`iptables -w -t filter -S`,
    `${forwardRules}\n${rule}`,
  );
  const path: Path = {
    kind: "pod-to-own-node",
    from: "worker-1",
    to: "worker-1",
  };
  const cause = causeOf(path, no, findings(facts("worker-1", { filter })));
  assertEquals(cause.kind, "rule");
  assertEquals(cause.evidence.map(({ printed }) => printed), [rule]);
  assertStringIncludes(
    linesOf(cause).join(),
    "-D INPUT -i cni0 -p tcp -j REJECT",
  );
});

Deno.test("a rule that drops only the answers is named, on the node where it does", () => {
  const rule = "-A FORWARD -s 10.244.2.0/24 -d 10.244.1.0/24 -j DROP";
  const filter = asked(
    "worker-2",
    cmd`iptables -w -t filter -S`,
    `-P FORWARD DROP\n${rule}\n${forwardRules}`,
  );
  const cause = causeOf(between, no, findings(facts("worker-2", { filter })));
  assertEquals([cause.kind, cause.on], ["rule", "worker-2"]);
});

Deno.test("one rule of 06 less is no cause of what the other one lets through", () => {
  const filter = asked(
    "worker-1",
    cmd`iptables -w -t filter -S`,
    forwardRules.split("\n").filter((line) => !line.includes("-s ")).join("\n"),
  );
  const probes = [
    probe(
      "06-forwarding",
      cmd`iptables -w -t filter -C FORWARD -s 10.244.0.0/16`,
      { is: "absent" },
    ),
  ];
  const worker = facts("worker-1", { filter, probes });
  assertEquals(causeOf(between, no, findings(worker)).kind, "unknown");
  const out: Path = { kind: "pod-to-outside", from: "worker-1", to: "outside" };
  assertEquals(causeOf(out, no, findings(worker)).kind, "rule");
});

Deno.test("the rule that rewrites is found on the far node, too", () => {
  const rule = "-A POSTROUTING -o cni0 -j MASQUERADE";
  const nat = asked("worker-2", cmd`iptables -w -t nat -S`, rule);
  const seen: Observed = { answer: "yes", source: "10.244.2.1" };
  const cause = causeOf(between, seen, findings(facts("worker-2", { nat })));
  assertEquals([cause.kind, cause.on], ["masquerade", "worker-2"]);
  assertEquals(cause.evidence.map(({ printed }) => printed), [rule]);
});

/** A node's answer about the kernel's tables, with some text in place of another. */
function tablesWith(from: string, to: string): Pick<NodeFacts, "tables"> {
  const boundary = askTables.argv.at(-1) ?? "";
  const text = recordedTables({ boundary, instead: [[from, to]] });
  return { tables: asked("worker-1", askTables, text) };
}

Deno.test("a table of the kernel that is full is the cause where nothing is missing, and only then", () => {
  const full = tablesWith("nf_conntrack_count:0", "nf_conntrack_count:262144");
  const cause = causeOf(between, no, findings(facts("worker-1", full)));
  assertEquals([cause.kind, cause.on], ["kernel-table", "worker-1"]);
  assertStringIncludes(
    cause.what,
    "the table of connections of worker-1 is full",
  );
  const ask = cmd`iptables -w -t filter -S`;
  const filter = asked("worker-1", ask, "-P FORWARD DROP");
  const both = findings(facts("worker-1", { ...full, filter }));
  assertEquals(causeOf(between, no, both).kind, "rule");
});

Deno.test("a pod that cannot start where nothing can be started is put down to that", () => {
  const startError = new CommandError("worker-1", cmd`sh`, {
    ...{ code: 2, stdout: "", stderr: "sh: 0: Cannot fork" },
  }, "ADD");
  const tried = { node: "worker-1", survey, startError, checkErrors: [] };
  const full = facts("worker-1", tablesWith("11/515", "11/32768"));
  const cause = diagnosePods(tried, cluster, full);
  assertEquals(cause?.kind, "kernel-table");
  assertStringIncludes(cause?.what ?? "", "32768 of 32768 (kernel.pid_max)");
});

Deno.test("a rewriting that no rule explains is not put down to one", () => {
  const seen: Observed = { answer: "yes", source: "192.0.2.1" };
  const cause = causeOf(between, seen, findings());
  assertEquals(cause.kind, "unknown");
  assertStringIncludes(cause.what, "192.0.2.1");
});

Deno.test("without 07's rule the other node sees the pod, and that is named", () => {
  const probes = [
    probe(
      "07-masquerade",
      cmd`iptables -w -t nat -C POSTROUTING -s 10.244.1.0/24`,
      { is: "absent" },
    ),
  ];
  const nat = asked("worker-1", cmd`iptables -w -t nat -S`, "");
  const path: Path = {
    kind: "pod-to-other-node",
    from: "worker-1",
    to: "master",
  };
  const seen: Observed = { answer: "yes", source: "10.244.1.3" };
  const worker = facts("worker-1", { probes, nat });
  const cause = causeOf(path, seen, findings(worker));
  assertEquals([cause.kind, cause.on], ["masquerade", "worker-1"]);
});

/** A way that is open though worker-1 is not said to be that far. */
const early = {
  half: {
    ...whole,
    complete: new Map([...whole.complete, ["worker-1", all.slice(0, 5)]]),
  } satisfies StageProgress,
  path: {
    kind: "pod-to-pod-same-node",
    from: "worker-1",
    to: "worker-1",
  } satisfies Path,
  seen: { answer: "yes", source: "10.244.1.3" } satisfies Observed,
} as const;

Deno.test("a way that is open before its stage has run is not passed over", () => {
  const { half, path, seen } = early;
  const cause = causeOf(path, seen, findings(), half);
  assertEquals(cause.kind, "not-yet-complete");
  assertStringIncludes(cause.what, "does not call 06-forwarding complete");
  assertEquals(linesOf(cause), ['make 06-forwarding ARGS="--node worker-1"']);
});

Deno.test("what shows that a way was open early is what matters of it: no whole file, no whole program, nothing twice", () => {
  const { half, path, seen } = early;
  const text = "a line of a long file\n".repeat(300);
  const program = cmd`sh -c ${"first\n".repeat(170)} ask ${"/etc/conf"}`;
  const one = asked("worker-1", program, text);
  const other = asked("worker-1", cmd`ip -j route show`, "x".repeat(9000));
  const there = [one, one, one, other].map((asked): ProbeFact => ({
    ...probe("06-forwarding", program, { is: "present" }),
    asked,
  }));
  const cause = causeOf(
    path,
    seen,
    findings(facts("worker-1", { probes: there })),
    half,
  );
  const [first, second, ...more] = cause.evidence;
  assertEquals(more, []);
  assertEquals(first?.command, "sh -c '…' ask /etc/conf");
  assertEquals(first?.printed.split("\n").slice(-2), [
    "a line of a long file",
    "… 288 lines more",
  ]);
  assertEquals(second?.printed, `${"x".repeat(600)}…`);
  const filter = asked(
    "worker-1",
    cmd`iptables -w -t filter -S`,
    `${"-A KUBE-FIREWALL -j DROP\n".repeat(300)}${forwardRules}`,
  );
  const [rules] = causeOf(
    path,
    seen,
    findings(facts("worker-1", { filter })),
    half,
  ).evidence;
  assertEquals(
    rules?.printed,
    forwardRules.split("\n").filter((line) => line.includes("FORWARD"))
      .join("\n"),
  );
});

Deno.test("an address that the cluster's file has and the node has not is named", () => {
  const links = asked(
    "worker-2",
    cmd`ip -j addr show`,
    JSON.stringify([link("eth0", "10.0.1.99"), link("cni0", "10.244.2.1")]),
  );
  const cause = causeOf(between, no, findings(facts("worker-2", { links })));
  assertEquals([cause.kind, cause.on], ["segment", "worker-2"]);
  assertStringIncludes(
    cause.evidence.map(({ printed }) => printed).join(),
    "10.0.1.99",
  );
});

const survey: Survey = {
  links: [],
  addresses: [],
  bridged: true,
  busybox: true,
  plugins: ["deno-cni"],
  list: {
    path: "/etc/cni/net.d/10-deno-cni.conflist",
    text: '{"name":"deno-cni","plugins":[{"type":"deno-cni"}]}',
  },
  serving: true,
  pods: { shell: { is: "none" }, web: { is: "none" } },
};

Deno.test("pods that are as they should be have no cause", () => {
  const tried = { node: "worker-1", survey, checkErrors: [] };
  assertEquals(diagnosePods(tried, cluster, undefined), undefined);
});

Deno.test("what a plugin says when a pod cannot start is shown whole", () => {
  const outcome = { code: 1, stdout: '{"code":103,"msg":"full"}', stderr: "" };
  const startError = new CommandError(
    "worker-1",
    cmd`env CNI_COMMAND=ADD /opt/cni/bin/deno-cni`,
    outcome,
    "ADD",
  );
  const tried = { node: "worker-1", survey, startError, checkErrors: [] };
  const cause = diagnosePods(tried, cluster, facts("worker-1"));
  assertEquals(cause?.kind, "start");
  assertEquals(cause?.evidence.map(({ printed }) => printed), [
    '{"code":103,"msg":"full"} (exit code 1)',
  ]);
});

Deno.test("a configuration that is none is named before anything is tried with it", () => {
  const list = { path: "/etc/cni/net.d/00-theirs.conf", text: "{}" };
  const tried = {
    node: "worker-1",
    survey: { ...survey, list },
    checkErrors: [],
  };
  const cause = diagnosePods(tried, cluster, undefined);
  assertEquals(cause?.kind, "configuration");
  assertStringIncludes(cause?.what ?? "", "00-theirs.conf is no network conf");
});
