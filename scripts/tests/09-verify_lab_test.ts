/** Stage 09 on a lab: after each stage, on all nodes or some, and what becomes of its pods. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, succeeded, withInput } from "../../lib/exec/command.ts";
import { labId } from "../../lib/lab/names.ts";
import { outsideNode } from "../../lib/lab/node.ts";
import { endMachines } from "../../lib/lab/lab.ts";
import { sharedLab, type TestLab, testLab } from "./lab_testing.ts";
import { needs } from "./runtimes_testing.ts";
import type { Cluster } from "../../lib/cluster/cluster.ts";
import {
  clusterOf,
  needsRoot,
  row,
  runAll,
  type Seen,
  verified,
  verifiedWell,
} from "./verify_testing.ts";
import { run } from "../../lib/exec/run.ts";

const labels = [
  "pod → own node",
  "pod → other node",
  "pod → pod, same node",
  "pod → pod, other node",
  "pod → outside",
  "node → its pod",
  "other node → pod",
];

const wholeLab = sharedLab("verify-whole");

/** Both workers show these cells, in the order of the labels, and 09 passes. */
function assertRows(seen: Seen, cells: readonly string[]): void {
  assert(seen.report.passed, seen.text);
  assertEquals(
    labels.map((label) => row(seen, label)),
    cells.map((cell) => [cell, cell]),
    seen.text,
  );
}

Deno.test({
  ...needsRoot,
  name:
    "after each stage, on all nodes or on some, 09 expects what the lab then does (needs root)",
  async fn() {
    await using lab = await testLab("verify-stages");
    await runAll(lab, ["01-provision"], ["02-kubeadm"], ["03-cni-config"]);
    await runAll(lab, ["04-bridge"]);
    const cluster = await clusterOf(lab);

    const before = await lab.script("09-verify");
    assertEquals(before.code, 1);
    assertStringIncludes(before.stdout, "no pods, until 05");
    assertStringIncludes(before.stdout, "Next: make 05-plugin");

    await runAll(lab, ["05-plugin", "--node", "worker-1"]);
    const one = await verifiedWell(cluster);
    assert(one.report.passed, one.text);
    assertEquals(row(one, "test pods"), ["yes", "no pods, until 05"]);
    assertEquals(row(one, "pod → own node"), ["yes", "-"]);

    await runAll(lab, ["05-plugin"]);
    assertRows(await verified(cluster), [
      "yes",
      "no, until 07",
      "no, until 06",
      "no, until 08",
      "no, until 07",
      "yes",
      "no, until 08",
    ]);

    // A node that forwards though its journal does not say so is not passed over.
    await lab.on("worker-1", cmd`iptables -w -P FORWARD ACCEPT`);
    const early = await verified(cluster);
    assert(!early.report.passed, early.text);
    assertEquals(early.report.causes.map(({ kind }) => kind), [
      "not-yet-complete",
    ]);
    assertEquals(
      row(early, "pod → pod, same node")[0],
      "✗ yes, as the pod [1]",
    );
    await lab.on("worker-1", cmd`iptables -w -P FORWARD DROP`);

    await runAll(lab, ["06-forwarding", "--node", "worker-1"]);
    const half = await verifiedWell(cluster);
    assert(half.report.passed, half.text);
    assertEquals(row(half, "pod → pod, same node"), [
      "yes",
      "no, until 06 on worker-2",
    ]);

    await runAll(lab, ["06-forwarding"]);
    assertRows(await verified(cluster), [
      "yes",
      "no, until 07",
      "yes",
      "no, until 08",
      "no, until 07",
      "yes",
      "no, until 08",
    ]);

    await runAll(lab, ["07-masquerade"]);
    assertRows(await verified(cluster), [
      "yes",
      "yes, as the node",
      "yes",
      "no, until 08",
      "yes, as the node",
      "yes",
      "no, until 08",
    ]);

    await runAll(lab, ["08-routes", "--node", "worker-1"]);
    const routed = await verifiedWell(cluster);
    assert(routed.report.passed, routed.text);
    assertEquals(row(routed, "worker-1 → pod"), ["-", "yes, as that node"]);
    assertEquals(row(routed, "master → pod"), [
      "no, until 08 on master",
      "no, until 08 on master",
    ]);

    await runAll(lab, ["08-routes"]);
    const whole = [
      "yes",
      "yes, as the node",
      "yes",
      "yes, as the pod",
      "yes, as the node",
      "yes",
      "yes, as that node",
    ];
    assertRows(await verified(cluster), whole);

    await runAll(lab, ["07-masquerade", "--undo"]);
    assertRows(
      await verified(cluster),
      whole.with(1, "yes, as the pod").with(4, "no, until 07"),
    );

    await runAll(lab, ["06-forwarding", "--undo", "--node", "worker-2"]);
    const undone = await verifiedWell(cluster);
    assert(undone.report.passed, undone.text);
    assertEquals(row(undone, "pod → pod, other node"), [
      "no, until 06 on worker-2",
      "no, until 06 on worker-2",
    ]);
  },
});

/** Lays over /proc/sys/net a folder that has all of it but bridge/. */
const withoutBridgeSettings = `mkdir /run/settings
mount --bind /proc/sys/net /run/settings
mount -t tmpfs none /proc/sys/net
for path in /run/settings/*; do
  name=\${path##*/}
  [ -d "$path" ] && [ "$name" != bridge ] || continue
  mkdir "/proc/sys/net/$name"
  mount --bind "$path" "/proc/sys/net/$name"
done`;

Deno.test({
  ...needsRoot,
  name:
    "without /proc/sys/net/bridge, pods of one node reach each other from 05 on, and 09 says why (needs root)",
  async fn() {
    await using lab = await testLab("verify-bridge");
    await runAll(lab, ["01-provision"], ["02-kubeadm"], ["03-cni-config"]);
    await runAll(lab, ["04-bridge"]);
    // What a node without the module is like: no setting to be seen, and frames that pass unseen.
    for (const name of ["worker-1", "worker-2"]) {
      await lab.on(name, cmd`sysctl -w net.bridge.bridge-nf-call-iptables=0`);
      await lab.on(name, cmd`sh -euc ${withoutBridgeSettings}`);
    }
    await runAll(lab, ["05-plugin"]);
    const seen = await verifiedWell(await clusterOf(lab));
    assert(seen.report.passed, seen.text);
    assertEquals(row(seen, "pod → pod, same node"), ["yes", "yes"]);
    assertStringIncludes(seen.text, "br_netfilter is not loaded");
  },
});

Deno.test({
  ...needsRoot,
  name:
    "pods that a reboot ended are started anew, and the host outside is missed (needs root)",
  async fn() {
    await using lab = await testLab("verify-rest");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    const again = await verified(cluster);
    assertEquals(again.report.remarks, []);

    // A pod's sandbox that went, as with a reboot, while its files stayed.
    await lab.on("worker-2", cmd`ip netns del web`);
    const anew = await verifiedWell(cluster);
    assert(anew.report.passed, anew.text);
    assertStringIncludes(anew.text, "Pod web on worker-2 was started anew");

    // --node keeps the paths of one node only.
    const one = await verified(cluster, ["worker-1"]);
    assert(one.report.passed, one.text);
    assert(
      one.report.paths.every(({ from, to }) =>
        from === "worker-1" || to === "worker-1"
      ),
    );

    await outsideNode(cluster).run(
      cmd`ip addr del ${cluster.outside.address}/32 dev lo`,
    );
    const silent = await verified(cluster);
    assertEquals(
      silent.report.causes.map(({ kind }) => kind),
      ["outside"],
      silent.text,
    );
    assertStringIncludes(
      silent.text,
      "does not answer the nodes themselves either",
    );

    await endMachines(labId(cluster), "outside");
    const gone = await verified(cluster);
    assertEquals(
      gone.report.causes.map(({ kind }) => kind),
      ["outside"],
      gone.text,
    );
    assertStringIncludes(gone.text, "the segment with it");

    await endMachines(labId(cluster), "worker-2");
    const unreachable = await lab.script("09-verify");
    assertEquals(unreachable.code, 4);
    const { stdout } = unreachable;
    assertStringIncludes(stdout, "worker-2 cannot be reached: not running");
    // It costs its own column; the other nodes' paths are tried.
    assert(/^node → its pod +yes +-$/m.test(stdout), stdout);
  },
});

Deno.test({
  ...needsRoot,
  name:
    "a node that sends as another of its addresses is that node, and 09 says as which (needs root)",
  async fn() {
    await using lab = await testLab("verify-addresses");
    await runAll(lab, ["up", "-q"]);
    const cluster = await clusterOf(lab);
    // A virtual address on lo that a route names, a further one on the segment, one of a bridge.
    await lab.on("worker-1", cmd`ip addr add 10.0.1.201/32 dev lo`);
    await lab.on(
      "worker-1",
      cmd`ip route replace 10.244.2.0/24 via 10.0.1.12 proto 244 src 10.0.1.201`,
    );
    await lab.on("worker-2", cmd`ip addr add 10.0.1.202/24 dev eth0`);
    await lab.on(
      "worker-2",
      cmd`ip route replace 10.244.1.0/24 via 10.0.1.11 proto 244 src 10.0.1.202`,
    );
    await lab.on(
      "worker-2",
      cmd`ip route replace 10.244.2.0/24 dev cni0 src 10.0.1.202`,
    );
    const seen = await verifiedWell(cluster);
    assert(seen.report.passed, seen.text);
    assertEquals(row(seen, "other node → pod"), [
      "yes, as that node",
      "yes, as that node",
    ]);
    assertStringIncludes(
      seen.text,
      "worker-1 sends as 10.0.1.201 to worker-2, and not as 10.0.1.11: both are its own",
    );
    assertStringIncludes(
      seen.text,
      "worker-2 sends as 10.0.1.202 to its own pods, and not as 10.244.2.1",
    );

    // The address of another node is that node, whoever else it is given to.
    await lab.on(
      "worker-1",
      cmd`iptables -w -t nat -I POSTROUTING -d 10.244.2.0/24 -j SNAT --to-source 10.0.1.202`,
    );
    const stranger = await verified(cluster);
    assert(!stranger.report.passed, stranger.text);
  },
});

Deno.test({
  ...needsRoot,
  name:
    "a pod that is only slow to answer is told as slow, and blamed on nothing (needs root)",
  async fn() {
    const lab = await wholeLab();
    const slow = 'cp "$1" "$1.kept"; ' +
      'printf "sleep 1.2\\n%s\\n" "$(cat "$1")" >"$1.new"; mv "$1.new" "$1"';
    const file = "/run/deno-cni-pods/web.www/source.cgi";
    await lab.on("worker-2", cmd`sh -c ${slow} slow ${file}`);
    const seen = await verifiedWell(await clusterOf(lab));
    assert(seen.report.passed, seen.text);
    assertStringIncludes(seen.text, "Slow, not broken: 5 of 18 paths");
    await lab.on("worker-2", cmd`mv ${file}.kept ${file}`);
  },
});

/** With the reference portmap on worker-1: from the other nodes and from outside. */
async function tryPort(lab: TestLab, cluster: Cluster): Promise<void> {
  await lab.on(
    "worker-1",
    cmd`ln -s /usr/lib/cni/portmap /opt/cni/bin/portmap`,
  );
  await runAll(lab, ["03-cni-config", "--node", "worker-1"]);
  const mapped = await verifiedWell(cluster);
  assert(mapped.report.passed, mapped.text);
  const untried = "no portmap";
  assertEquals(row(mapped, "hostPort → pod"), ["yes", untried]);

  // A rule ahead of portmap's keeps the port to the node.
  const own = "PREROUTING -p tcp --dport 18081 -j ACCEPT".split(" ");
  await lab.on("worker-1", cmd`iptables -w -t nat -I ${own}`);
  const kept = await verified(cluster);
  assertEquals(
    kept.report.causes.map(({ kind, on }) => [kind, on]),
    [["host-port", "worker-1"]],
    kept.text,
  );
  assertEquals(row(kept, "hostPort → pod"), ["✗ no [1]", untried]);
  assertStringIncludes(kept.text, "though rules of portmap are there");
  assertStringIncludes(kept.text, "Not as expected: hostPort on worker-1");
  await lab.on("worker-1", cmd`iptables -w -t nat -D ${own}`);
  const rules = await lab.on("worker-1", cmd`iptables -w -t nat -S`);
  assert(!rules.includes("18081"), rules);
  await runAll(lab, ["09-verify", "--undo"]);
  await lab.on("worker-1", cmd`rm /opt/cni/bin/portmap`);
  await runAll(lab, ["03-cni-config", "--node", "worker-1"]);
}

Deno.test({
  ...needsRoot,
  name:
    "a pod reaches itself by a service where its port is in hairpin mode, and 09 leaves no rule (needs root)",
  async fn(t) {
    const lab = await wholeLab();
    const cluster = await clusterOf(lab);
    const list = "/etc/cni/net.d/10-deno-cni.conflist";
    const set = (value: boolean) =>
      `s/"hairpinMode": [a-z]*/"hairpinMode": ${value}/`;
    for (const name of ["worker-1", "worker-2"]) {
      await lab.on(name, cmd`cp ${list} ${list}.kept`);
    }
    await lab.on("worker-1", cmd`sed -i ${set(true)} ${list}`);
    await lab.on("worker-2", cmd`sed -i ${set(false)} ${list}`);
    const seen = await verifiedWell(cluster);
    assert(seen.report.passed, seen.text);
    assertEquals(row(seen, "pod → own service"), ["yes", "no, hairpin is off"]);
    assertEquals(seen.report.paths.length, 18);
    const untried = "no portmap";
    assertEquals(row(seen, "hostPort → pod"), [untried, untried]);

    // Switched off behind the plugin's back.
    await lab.on(
      "worker-1",
      cmd`sh -c ${"for port in /sys/class/net/cni0/brif/*; do echo 0 >$port/hairpin_mode; done"}`,
    );
    const off = await verified(cluster);
    assertEquals(
      off.report.causes.map(({ kind, on }) => [kind, on]),
      [["check", "worker-1"]],
      off.text,
    );
    assertEquals(row(off, "pod → own service")[0], "✗ no [1]");
    for (const name of ["worker-1", "worker-2"]) {
      const rules = await lab.on(name, cmd`iptables -w -t nat -S`);
      assert(!rules.includes("09-verify"), rules);
      await lab.on(name, cmd`mv ${list}.kept ${list}`);
    }
    await t.step({
      name: "where portmap is, a port of the node leads to the pod" +
        needs("containernetworking-plugins"),
      ignore: needs("containernetworking-plugins") !== "",
      fn: () => tryPort(lab, cluster),
    });
    await runAll(lab, ["09-verify", "--undo"]);
  },
});

Deno.test({
  ...needsRoot,
  name:
    "--dry-run prints what a run does and changes nothing; --undo takes pods and servers away (needs root)",
  async fn() {
    const lab = await wholeLab();
    await runAll(lab, ["09-verify", "--undo"]);
    const inside =
      "ls /run/netns /run/deno-cni-pods 2>&1; ls /run/deno-cni/networks/*/10.* 2>&1; ss -Hltn | wc -l";
    const empty = await lab.on("worker-1", cmd`sh -c ${inside}`);
    assertStringIncludes(empty.split("\n").at(-2) ?? "", "0");
    assert(!empty.includes("web"), empty);

    const dry = await lab.script("09-verify", "--dry-run");
    assertEquals(dry.code, 0, dry.stderr);
    assertEquals(await lab.on("worker-1", cmd`sh -c ${inside}`), empty);
    const data = await lab.script("09-verify", "--dry-run", "-o", "json");
    const plan: { node: string; steps: { why: string }[] }[] = JSON.parse(
      data.stdout,
    );
    assertEquals(new Set(plan.map(({ node }) => node)).size, 6);
    assert(plan.every(({ steps }) => steps.every(({ why }) => why !== "")));
    const pasted = await run(withInput(cmd`sh -eu`, dry.stdout));
    assert(succeeded(pasted), pasted.stderr);
    const answers = pasted.stdout.trim().split("\n");
    assertEquals(answers.length, 18);
    assert(
      answers.every((line) => line.startsWith("0 http://")),
      pasted.stdout,
    );

    // The pasted commands have made what a run makes: nothing is left to do.
    const report = await lab.script("09-verify", "-v");
    assertEquals(report.code, 0, report.stdout);
    assert(!report.stdout.includes("changed"), report.stdout);

    await runAll(lab, ["09-verify", "--undo", "--node", "worker-2"]);
    assertStringIncludes(await lab.on("worker-1", cmd`ls /run/netns`), "web");
    assertEquals(await lab.on("worker-2", cmd`ls /run/netns`), "");
  },
});

Deno.test({
  ...needsRoot,
  name:
    "what stands in the way of stage 09 itself is said in a line, and touched by nobody (needs root)",
  async fn() {
    const lab = await wholeLab();
    await runAll(lab, ["09-verify", "--undo"]);
    const cluster = await clusterOf(lab);

    await lab.on("worker-2", cmd`ip netns add web`);
    const foreign = await lab.script("09-verify");
    assertEquals(foreign.code, 1);
    assertStringIncludes(
      foreign.stderr,
      'worker-2 has a network namespace "web" that stage 09 did not make',
    );
    await runAll(lab, ["09-verify", "--undo", "--node", "worker-1"]);
    assertStringIncludes(await lab.on("worker-2", cmd`ls /run/netns`), "web");
    await lab.on("worker-2", cmd`ip netns del web`);

    const server = "busybox httpd -p 18080 -h /run/home </dev/null >/dev/null";
    await lab.on("master", cmd`sh -c ${server}`);
    const taken = await verified(cluster);
    assertEquals(
      taken.report.causes.map(({ kind, on }) => [kind, on]),
      [["receiver", "master"]],
      taken.text,
    );

    await lab.on("master", cmd`mount --bind /dev/null /bin/busybox`);
    const without = await lab.script("09-verify");
    assertEquals(without.code, 1);
    assertStringIncludes(without.stderr, "master has no busybox");
    assertStringIncludes(without.stderr, "apt-get install busybox-static");
  },
});
