/**
 * Stage 09 by kubectl: the lab's real paths between pods that a stand-in for
 * Kubernetes starts (kubectl_testing.ts says what it is and is not).
 */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../../lib/cluster/cluster.ts";
import { cmd } from "../../lib/exec/command.ts";
import { outsideNode } from "../../lib/lab/node.ts";
import { runVerify } from "../../lib/verify/run_verify.ts";
import {
  endServer,
  readServerLog,
  serverLog,
  startServer,
} from "../../lib/verify/node_server.ts";
import type { StageRun } from "../../lib/stage/context.ts";
import { verification } from "../09-verify.ts";
import { serveNode } from "../../lib/verify/namespace_pods.ts";
import { stepRunnerFor } from "../../lib/verify/step_runner.ts";
import { cleanUp, cleanupSteps } from "../../lib/verify/cleanup.ts";
import { look } from "../../lib/verify/situation.ts";
import { verify } from "../../lib/verify/verify.ts";
import { planVerify } from "../../lib/verify/dry_run.ts";
import { reachOf } from "../../lib/cli/connect.ts";
import { probedStages } from "../stages.ts";
import { type StandIn, standIn } from "./kubectl_testing.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import {
  clusterOf,
  needsRoot,
  row,
  runAll,
  type Seen,
} from "./verify_testing.ts";
import { matrixTable } from "../../lib/verify/matrix_table.ts";
import type { RunContext } from "../../lib/stage/context.ts";

const told: string[] = [];
const context: RunContext = {
  timeout_ms: 20_000,
  signal: new AbortController().signal,
  stopping: () => false,
  tell: ({ node, command }) => told.push(`${node}: ${command}`),
};

async function verified(cluster: Cluster, there: StandIn): Promise<Seen> {
  const situation = await look(cluster, there.reach, context);
  const selected = cluster.nodes.map(({ name }) => name);
  const order = {
    ...{ selected, stages: probedStages, context },
    ...{ limit_ms: 500, translated: true },
  };
  const { report, known } = await verify(situation, order);
  const text = matrixTable(report, { cluster, addresses: known, width: 80 });
  return { report, text };
}

async function undo(
  cluster: Cluster,
  there: StandIn,
  nodes = cluster.nodes.map(({ name }) => name),
): Promise<void> {
  const situation = await look(cluster, there.reach, context, nodes);
  const all = nodes.length === cluster.nodes.length;
  const placed = cleanupSteps(situation, nodes, all);
  assert(
    await cleanUp(placed, stepRunnerFor(context, cluster), context.tell),
  );
}

/** Answers for the one name with 10.96.0.1 (RFC 1035, 4.1), and says that no other exists. */
const dnsServer = `
import { createSocket } from "node:dgram";
const socket = createSocket("udp4");
socket.on("message", (query, { port, address }) => {
  const end = query.indexOf(0, 12) + 5;
  const name = query.subarray(12, end - 5).toString("latin1")
    .replace(/[^a-z]/g, ".");
  const known = name === ".kubernetes.default.svc.cluster.local";
  const hasAddress = known && query[end - 3] === 1;
  const head = [...query.subarray(0, 2), 0x81, known ? 0x80 : 0x83];
  const counts = [0, 1, 0, hasAddress ? 1 : 0, 0, 0, 0, 0];
  const answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 96, 0, 1];
  socket.send(
    Uint8Array.from([
      ...head,
      ...counts,
      ...query.subarray(12, end),
      ...(hasAddress ? answer : []),
    ]),
    port,
    address,
  );
});
socket.bind(53, "0.0.0.0", () => console.log("ready"));
`;

/** Starts it in a network namespace of a node; it ends with the lab. */
async function startDns(
  lab: TestLab,
  node: string,
  sandbox: string,
): Promise<void> {
  const script = 'printf "%s" "$1" >/run/dns.mjs; ' +
    'setsid nsenter --net="$2" "$3" run -A --no-config /run/dns.mjs ' +
    "</dev/null >/run/dns.log 2>&1 & " +
    "until grep -q ready /run/dns.log; do sleep 0.05; done";
  await lab.on(
    node,
    cmd`sh -c ${script} dns ${dnsServer} ${sandbox} ${Deno.execPath()}`,
  );
}

/** Nothing of a server is left on a node. */
async function assertNoServer(lab: TestLab, node: string): Promise<void> {
  const look =
    "ss -Hltn 'sport = :18080'; ls -d /run/deno-cni-verify 2>/dev/null || :";
  assertEquals(await lab.on(node, cmd`sh -c ${look}`), "");
}

/** A run of stage 09 on the stand-in's machines. */
function runOn(cluster: Cluster, { reach }: StandIn): StageRun {
  return {
    context,
    undo: false,
    nodes: [],
    form: undefined,
    results: [],
    cluster: () => Promise.resolve(cluster),
    selected: ({ nodes }) => nodes.map(({ name }) => name),
    reach: () => reach,
  };
}

/** What kubectl was asked to change since the last time. */
function changes({ asked }: StandIn): string[] {
  return asked.splice(0).filter((line) => /^(apply|delete)/.test(line));
}

Deno.test({
  ...needsRoot,
  name:
    "09 by kubectl starts pods on the workers, tries every path, names what is broken, and takes them away (needs root)",
  async fn() {
    await using lab = await testLab("verify-kubectl");
    await runAll(lab, ["up", "-q"], ["09-verify", "--undo"]);
    const inLab = await clusterOf(lab);
    // As a cluster of machines that ssh reaches, with a page beyond.
    const cluster: Cluster = {
      ...inLab,
      provider: "ssh",
      outside: {
        ...inLab.outside,
        urls: [`http://${inLab.outside.address}:18080/source.cgi`],
      },
    };
    const beyond = outsideNode(inLab);
    await beyond.run(serveNode().run);
    const names = cluster.nodes.map(({ name }) => name);
    const there = standIn({ ...reachOf(inLab), outside: undefined }, names);

    const plan = planVerify(
      await look(cluster, there.reach, context),
      names,
    );
    const dry = [...plan.script()].join("");
    assertStringIncludes(
      dry,
      "kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f - <<",
    );
    assertStringIncludes(dry, "name: shell-worker-2");
    assertStringIncludes(dry, "wait pod --all --for=condition=Ready");
    assertStringIncludes(dry, "exec shell-worker-1 -- ");
    assertStringIncludes(dry, "get nodes");
    assertEquals(changes(there), []);

    const first = await verified(cluster, there);
    assert(first.report.passed, first.text);
    for (const name of names) await assertNoServer(lab, name);
    assertEquals(changes(there), ["apply -f -"]);
    assertEquals(row(first, "node Ready"), ["yes", "yes"]);
    assertEquals(row(first, "pod → pod, other node"), [
      "yes, as the pod",
      "yes, as the pod",
    ]);
    assertEquals(row(first, "pod → outside"), [
      "yes, as the node",
      "yes, as the node",
    ]);
    assertStringIncludes(first.text, "no DNS (no service kube-dns)");
    assertEquals(first.report.paths.length, 18);

    assertEquals(row(first, "hostPort → pod"), ["no portmap", "no portmap"]);

    // A Node that joined anew, with another podCIDR than 02 found out.
    there.podCIDRs.set("worker-1", "10.244.1.0/24");
    there.podCIDRs.set("worker-2", "10.244.9.0/24");
    const second = await verified(cluster, there);
    assert(second.report.passed, second.text);
    const [moved = "", ...others] = second.report.remarks.filter((line) =>
      line.includes("podCIDR")
    );
    assertEquals(others, []);
    assertStringIncludes(
      moved,
      "worker-2 has the podCIDR 10.244.9.0/24 in Kubernetes, and the stages go by 10.244.2.0/24",
    );
    assertStringIncludes(moved, `make up CLUSTER=${cluster.file}`);
    there.podCIDRs.clear();
    assertEquals(changes(there), []);

    // A fault on a node is found from the node, one in a pod in the pod's own namespace.
    await lab.on("worker-1", cmd`ip route del 10.244.2.0/24`);
    const routeless = await verified(cluster, there);
    assertEquals(routeless.report.causes.map(({ kind, on }) => [kind, on]), [
      ["route", "worker-1"],
    ], routeless.text);
    await lab.script("08-routes");
    await lab.on(
      "worker-2",
      cmd`nsenter --net=${
        there.sandbox("shell-worker-2")
      } ip route del default`,
    );
    const lost = await verified(cluster, there);
    assertEquals(
      lost.report.causes.map(({ kind, on, mend }) => [kind, on, mend[0]]),
      [
        [
          "pod-route",
          "worker-2",
          `make 09-verify CLUSTER=${cluster.file} ARGS="--undo --node worker-2"`,
        ],
      ],
      lost.text,
    );
    changes(there);
    await undo(cluster, there, ["worker-2"]);
    assertEquals(changes(there), [
      "delete pod shell-worker-2 web-worker-2 --ignore-not-found --timeout=120s",
    ]);

    // Names are resolved by a server in a pod, as the cluster's own would be.
    await verified(cluster, there);
    await startDns(lab, "worker-2", there.sandbox("web-worker-2"));
    const found = await look(cluster, there.reach, context);
    const web = found.kubernetes?.seen.pods.get("web-worker-2");
    there.resolvConf =
      "search x.svc.cluster.local svc.cluster.local cluster.local\n" +
      `nameserver ${web?.addresses[0]}`;
    const named = await verified(cluster, there);
    assert(named.report.passed, named.text);
    assertEquals(row(named, "pod → DNS"), ["yes", "yes"]);
    there.resolvConf = there.resolvConf.replace(
      /nameserver .*/,
      "nameserver 10.0.1.10",
    );
    const nameless = await verified(cluster, there);
    assertEquals(row(nameless, "pod → DNS"), ["✗ no [1]", "✗ no [2]"]);
    assertEquals(nameless.report.causes.map(({ kind }) => kind), [
      "dns",
      "dns",
    ]);
    there.resolvConf = undefined;

    // A kubelet that has died: the node is told, and what could not be tried in its pods.
    there.silent.add("worker-1");
    const silent = await verified(cluster, there);
    assertEquals(row(silent, "node Ready"), ["✗ no [1]", "yes"], silent.text);
    assertEquals(silent.report.causes.map(({ kind, on }) => [kind, on]), [
      ["node", "worker-1"],
    ], silent.text);
    assertStringIncludes(silent.text, "Ready of worker-1 and 6 of 18 paths");
    there.silent.clear();

    changes(there);
    await undo(cluster, there);
    assertEquals(changes(there), [
      "delete pod --all --ignore-not-found --timeout=120s",
      "delete namespace deno-cni-verify --ignore-not-found --timeout=120s",
    ]);
    for (const name of ["worker-1", "worker-2"]) {
      assertEquals(await lab.on(name, cmd`ip netns list`), "");
    }
    await undo(cluster, there);
    assertEquals(changes(there), []);
  },
});

Deno.test({
  ...needsRoot,
  name:
    "on real machines pods go with the check unless they are kept, and 09 says what it left (needs root)",
  async fn() {
    await using lab = await testLab("verify-left");
    await runAll(lab, ["up", "-q"], ["09-verify", "--undo"]);
    const inLab = await clusterOf(lab);
    const cluster: Cluster = { ...inLab, provider: "ssh", file: "my.yaml" };
    const names = cluster.nodes.map(({ name }) => name);
    const there = standIn({ ...reachOf(inLab), outside: undefined }, names);
    const session = runOn(cluster, there);

    const kept = await runVerify(session, verification, {
      whole: true,
      width: 80,
      keep: true,
    });
    assertEquals(kept.status, "passed", kept.text);
    assertStringIncludes(
      kept.text,
      "The test pods stay until make 09-verify ARGS=--undo CLUSTER=my.yaml",
    );
    assertEquals(changes(there), ["apply -f -"]);
    for (const name of names) await assertNoServer(lab, name);
    assertStringIncludes(await lab.on("worker-1", cmd`ip netns list`), "web");

    const gone = await runVerify(session, verification, {
      whole: true,
      width: 80,
      keep: false,
    });
    assertEquals(gone.status, "passed", gone.text);
    assertStringIncludes(gone.text, "Test pods and servers are gone again");
    assertEquals(changes(there), [
      "delete pod --all --ignore-not-found --timeout=120s",
      "delete namespace deno-cni-verify --ignore-not-found --timeout=120s",
    ]);
    assertEquals(await lab.on("worker-1", cmd`ip netns list`), "");
  },
});

Deno.test({
  ...needsRoot,
  name:
    "a node's server is nobody's, listens on the node's own addresses, executes nothing and goes (needs root)",
  async fn() {
    await using lab = await testLab("verify-server");
    await runAll(lab, ["01-provision"], ["02-kubeadm"]);
    const cluster = await clusterOf(lab);
    const [master] = cluster.nodes;
    assert(master);
    const start = startServer(master, cluster).run;
    assertEquals(await lab.on("master", start), "");
    const sockets = await lab.on("master", cmd`ss -Hltnp ${"sport = :18080"}`);
    assertEquals(
      sockets.trim().split("\n").map((line) => line.split(/\s+/)[3]),
      master.addresses.map((address) => `${address}:18080`),
    );
    const user = "ps -o uid= -p $(ss -Hltnp 'sport = :18080' | " +
      "sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p' | head -n 1)";
    assertEquals(
      (await lab.on("master", cmd`sh -c ${user}`)).trim(),
      "65534",
    );
    // A program in its folder is a page like any other, and none beside it is reached.
    await lab.on(
      "master",
      cmd`sh -c ${"cd /run/deno-cni-verify/www && mkdir cgi && echo 'echo ran >/tmp/ran' >x.cgi && chmod 755 x.cgi"}`,
    );
    const fetch = (path: string) =>
      lab.on(
        "worker-1",
        cmd`sh -c ${"timeout 2 busybox wget -qO- $1 2>&1 || :"} get ${`http://${master.address}:18080/${path}`}`,
      );
    assertStringIncludes(await fetch("x.cgi"), "echo ran");
    assertStringIncludes(await fetch("../log"), "server returned error");
    assertEquals(
      await lab.on("master", cmd`sh -c ${"ls /tmp/ran 2>/dev/null || :"}`),
      "",
    );
    assertStringIncludes(await fetch("worker-1.node"), "listens here");
    assertEquals(
      readServerLog(await lab.on("master", serverLog())).get("worker-1.node")
        ?.get(4),
      cluster.nodes[1]?.address,
    );
    // Started again, after a check that was cut off: the old one goes first.
    await lab.on("master", endServer().run);
    await assertNoServer(lab, "master");

    // A port that another program has is said, and no error.
    await lab.on(
      "master",
      cmd`sh -c ${"busybox httpd -p 18080 -h /run/home </dev/null >/dev/null"}`,
    );
    assertStringIncludes(
      await lab.on("master", start),
      "Address already in use",
    );
    await lab.on("master", endServer().run);
    assertStringIncludes(
      await lab.on("master", cmd`ss -Hltn ${"sport = :18080"}`),
      "18080",
    );
  },
});
