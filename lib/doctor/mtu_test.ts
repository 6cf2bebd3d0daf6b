/** What the doctor reads of how much links take. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { InventoryNode } from "../inventory/inventory.ts";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";
import { dualCluster, twoSegmentsCluster } from "../cluster/cluster_testing.ts";

/** The node's own eth0, not its pods'. */
const uplink =
  /("ifname":"eth0","flags":\["BROADCAST","MULTICAST","UP","LOWER_UP"\],"mtu":)1500(?=.*"master")/g;

const narrow = (mtu: number) => hostWith([uplink, `$1${mtu}`]);

/** Another node, whose link takes so much. */
const other = (at: number, mtu: number): InventoryNode => ({
  name: at === 0 ? "master" : "worker-2",
  role: at === 0 ? "control-plane" : "worker",
  address: `10.0.1.1${at}`,
  podCIDRs: [`10.244.${at}.0/24`],
  host: hostWith(
    [/10\.0\.1\.11/g, `10.0.1.1${at}`],
    [uplink, `$1${mtu} `],
  ),
});

Deno.test("pods that are wider than the way out are mended at the configuration, where that says so", () => {
  const host = hostWith([
    /("ifname":"eth0","flags":\["BROADCAST","MULTICAST","UP","LOWER_UP"\],"mtu":)1500(?=.*"master")/g,
    "$11450",
  ]);
  const wide = { cluster: { mtu: 1500 }, host };
  const finding = one(found("mtu", [], wide));
  assertEquals(finding.is, "fault");
  assertStringIncludes(finding.what, "2 pods send packets of up to 1500 bytes");
  assertEquals(mendOf(finding).slice(0, 2), [
    "write mtu: 1450 into config/lab.yaml",
    'make 03-cni-config ARGS="--node worker-1"',
  ]);
});

Deno.test("a link is set to what all others take, and to no more", () => {
  const host = narrow(1400);
  const set = (...others: InventoryNode[]) =>
    mendOf(one(found("mtu", [], { host, others }))).join("\n");
  assertStringIncludes(set(other(0, 1500), other(2, 1450)), "eth0 mtu 1450");
  // Set to what one of them takes, it would lose what the other cannot.
  const some = set(other(0, 1500), other(2, 1400));
  assertEquals(some.includes("ip link set"), false, some);
  assertStringIncludes(some, "make 03-cni-config");
});

Deno.test("segments may take less than others, and a node less than its segment may not", () => {
  const { segments = [] } = twoSegmentsCluster({
    name: "lab",
    stateDir: "/nowhere",
  });
  const [first, second] = segments;
  assert(first && second);
  const far: InventoryNode = { ...other(2, 1500), address: "10.0.2.12" };
  const lower = { segments: [{ ...first, mtu: 1400 }, second] };
  const wide = narrow(1400);
  const host = {
    ...wide,
    pods: wide.pods.map((pod) => ({
      ...pod,
      links: pod.links.map((link) => ({ ...link, mtu: 1380 })),
    })),
  };
  assertEquals(
    found("mtu", [], { cluster: lower, host, others: [far] }),
    [],
  );
  const cluster = { segments };
  const finding = one(found("mtu", [], { cluster, host, others: [far] }));
  assertStringIncludes(finding.what, "eth0 takes 1400 bytes, its segment 1500");
  assertStringIncludes(mendOf(finding).join(), "ip link set dev eth0 mtu 1500");
});

Deno.test("a tunnel that takes less than the default route's device is not widened, the pods are narrowed", () => {
  const tunnel = `{"ifindex":9,"ifname":"wg0","flags":["UP"],"mtu":1420,` +
    `"linkinfo":{"info_kind":"wireguard"},"addr_info":[]}`;
  const host = hostWith(
    ["PART links\n[", `PART links\n[${tunnel},`],
    ["PART routes\n[", 'PART routes\n[{"dst":"10.0.1.12","dev":"wg0"},'],
  );
  const finding = one(found("mtu", [], { host }));
  assertStringIncludes(finding.what, "1500 bytes, and wg0 takes 1420");
  assertEquals(
    mendOf(finding)[0],
    'make 03-cni-config ARGS="--node worker-1"',
  );
});

Deno.test("pods from before there were tunnels send them too much, and are started anew", () => {
  const tunnel = `{"ifindex":9,"ifname":"deno.vxlan","flags":["UP"],` +
    `"mtu":1450,"linkinfo":{"info_kind":"vxlan"},"addr_info":[]}`;
  const host = hostWith(
    ["PART links\n[", `PART links\n[${tunnel},`],
    [
      '"gateway":"10.0.1.12","dev":"eth0"',
      '"gateway":"10.244.2.0","dev":"deno.vxlan"',
    ],
  );
  const finding = one(found("mtu", [], { host }));
  assertStringIncludes(
    finding.what,
    "2 pods send packets of up to 1500 bytes, and deno.vxlan takes 1450",
  );
  assertEquals(
    mendOf(finding)[0],
    'make 03-cni-config ARGS="--node worker-1"',
  );
  assertStringIncludes(mendOf(finding).join("\n"), "09-verify");
});

Deno.test("what a route takes counts as what its device does", () => {
  const host = hostWith([
    '{"dst":"default",',
    '{"dst":"default","metrics":[{"mtu":1380}],',
  ]);
  const finding = one(found("mtu", [], { host }));
  assertStringIncludes(finding.what, "a route by eth0 takes 1380");
});

Deno.test("what a router's advertisement leaves IPv6 of a link counts where pods have IPv6", () => {
  const host = hostWith([
    "PART routes6\n[",
    'PART routes6\n[{"dst":"default","gateway":"fd00:10:0:1::1","dev":"eth0"},',
  ]);
  const { clusterCIDRs, nodes } = dualCluster({
    name: "lab",
    stateDir: "/nowhere",
  });
  const answer = [{ stdout: "lo 65536\neth0 1380\n" }];
  assertEquals(found("mtu", answer, { host }), []);
  const dual = { host, cluster: { clusterCIDRs, nodes } };
  for (const none of [[], [{ code: 2 }]]) {
    assertEquals(one(found("mtu", none, dual)).is, "unknown");
  }
  const finding = one(found("mtu", answer, dual));
  assertStringIncludes(finding.what, "1500 bytes, and IPv6 on eth0 takes 1380");
  assertStringIncludes(
    JSON.stringify(finding),
    "net.ipv6.conf.eth0.mtu = 1380",
  );
  assertEquals(
    mendOf(finding)[0],
    'make 03-cni-config ARGS="--node worker-1"',
  );
});

Deno.test("where only some links of others take more, those are set lower", () => {
  const host = hostWith([/("mtu":)1500/g, "$11400"]);
  const finding = one(
    found("mtu", [], { host, others: [other(0, 1400), other(2, 1500)] }),
  );
  assertEquals(finding.is, "warning");
  assertStringIncludes(mendOf(finding)[0] ?? "", "NODE=worker-2");
  assertStringIncludes(mendOf(finding)[0] ?? "", "eth0 mtu 1400");
});
