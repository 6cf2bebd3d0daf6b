/** What doctor, status and 09 say of pods that live, on a lab with pods beside the test pods. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { examine } from "../../lib/doctor/doctor.ts";
import type { FindingReport } from "../../lib/doctor/check.ts";
import { reachOf } from "../../lib/cli/connect.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  runAll,
  verified,
  verifiedWell,
} from "./verify_testing.ts";

/** Starts a pod on worker-1 as a runtime would, under a container's ID. */
async function startPod(lab: TestLab, name: string): Promise<void> {
  const script = `ip netns add "$1"
CNI_COMMAND=ADD CNI_CONTAINERID="$1-id" CNI_NETNS="/run/netns/$1" CNI_IFNAME=eth0 \\
CNI_PATH=/opt/cni/bin /opt/cni/bin/deno-cni <<END
{"cniVersion":"1.0.0","name":"deno-cni","type":"deno-cni","network":"10.244.0.0/16",
"subnet":"10.244.1.0/24","bridge":"cni0"}
END`;
  await lab.on("worker-1", cmd`sh -euc ${script} start ${name}`);
}

async function vethOf(lab: TestLab, name: string): Promise<string> {
  const script = `ip -o link show | grep "alias deno-cni deno-cni $1-id " |
sed 's/^[0-9]*: \\([^@:]*\\).*/\\1/'`;
  return (await lab.on("worker-1", cmd`sh -c ${script} veth ${name}`)).trim();
}

/** What the doctor has to say of worker-1. */
async function told(lab: TestLab): Promise<readonly FindingReport[]> {
  const cluster = await clusterOf(lab);
  const { nodes: [node] } = await examine(
    cluster,
    reachOf(cluster),
    ["worker-1"],
    { timeout_ms: 20_000 },
  );
  assert(node?.is === "examined");
  return node.checks.flatMap(({ findings }) => findings)
    .filter(({ is }) => is !== "does not apply");
}

const ways = [
  { name: "plugged in nowhere", line: "ip link set dev $1 nomaster" },
  {
    name: "plugged in elsewhere",
    line: "ip link add br9 type bridge; ip link set dev $1 master br9",
  },
  { name: "down", line: "ip link set dev $1 down" },
];

Deno.test({
  ...needsRoot,
  name:
    "a pod that lives and is cut off is told by doctor, status and 09, whose own pods are well (needs root)",
  async fn(t) {
    await using lab = await testLab("doctor-pods");
    await runAll(lab, ["up", "-q"]);
    const cluster = await clusterOf(lab);
    await startPod(lab, "guest");
    const veth = await vethOf(lab, "guest");
    assertEquals(await told(lab), []);
    for (const { name, line } of ways) {
      await t.step(name, async () => {
        await lab.on("worker-1", cmd`sh -euc ${line} cut ${veth}`);
        const { report, text } = await verified(cluster);
        assert(!report.passed, text);
        assertEquals(report.causes.map(({ kind }) => kind), ["pod-link"], text);
        assertStringIncludes(text, "a pod is cut off on worker-1");
        assertStringIncludes(text, "guest-id");
        assertStringIncludes(
          text,
          "Not as expected: the other pods on worker-1",
        );
        const status = await lab.script("status");
        assertStringIncludes(status.stdout, "Pods that are cut off:");
        assertStringIncludes(status.stdout, "worker-1/guest (");
        assert(!status.stdout.includes("All stages are applied"));
        const [finding, ...more] = await told(lab);
        assertEquals(more, []);
        assert(finding?.is === "fault");
        assertStringIncludes(
          finding.what,
          `${veth}, the host veth of pod guest on worker-1, is `,
        );
        for (const advice of finding.mend) await follow(lab, advice);
        assertEquals(await told(lab), []);
        const after = await verifiedWell(cluster);
        assert(after.report.passed, after.text);
      });
    }
    await t.step("without its lease", async () => {
      const script =
        'cd /run/deno-cni/networks/deno-cni; rm "$(grep -l guest-id *.*)"';
      await lab.on("worker-1", cmd`sh -euc ${script}`);
      const { report, text } = await verified(cluster);
      assertEquals(report.causes.map(({ kind }) => kind), ["lease"], text);
      assertStringIncludes(text, "a pod has no lease on worker-1");
      assertStringIncludes(text, "expected a lease each, saw 1 without");
    });
  },
});

Deno.test({
  ...needsRoot,
  name:
    "two pods of a node that hold one address are told, and parted as advised (needs root)",
  async fn() {
    await using lab = await testLab("doctor-twins");
    await runAll(lab, ["up", "-q"]);
    const script = "address=$(nsenter --net=/run/netns/web ip -br -4 addr " +
      "show dev eth0 | awk '{print $3}'); nsenter --net=/run/netns/shell sh -euc " +
      '"ip addr flush dev eth0; ip addr add $address dev eth0"';
    await lab.on("worker-1", cmd`sh -euc ${script}`);
    const findings = await told(lab);
    const found = findings.find(({ is }) => is === "fault");
    assert(found?.is === "fault");
    assertStringIncludes(
      found.what,
      "is held by 2 pods of the node: shell, web",
    );
    const { report, text } = await verified(await clusterOf(lab));
    const kinds = report.causes.map(({ kind }) => kind);
    assert(kinds.includes("duplicate-address"), text);
    assertStringIncludes(text, "expected an address each, saw 1 held twice");
    for (const advice of found.mend) await follow(lab, advice);
    assertEquals(await told(lab), []);
  },
});
