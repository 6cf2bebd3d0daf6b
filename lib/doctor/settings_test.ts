/** What the doctor reads of the settings of interfaces. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { found, mendOf, one, settings } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

/** What is found with these values in place of the well ones. */
const withValues = (...values: readonly [string, number][]) => {
  const kept = settings.split("\n").filter((line) =>
    !values.some(([path]) => line.startsWith(`${path}:`))
  );
  const lines = [...kept, ...values.map((pair) => pair.join(":"))];
  return found("interface-settings", [{ stdout: lines.join("\n") }]);
};

Deno.test("an interface that does not forward is a fault though all do", () => {
  for (const device of ["eth0", "cni0"]) {
    const finding = one(withValues([`ipv4/conf/${device}/forwarding`, 0]));
    assertEquals(finding.is, "fault");
    assertStringIncludes(finding.what, `what comes in by ${device}`);
    assertEquals(mendOf(finding), [
      'make 06-forwarding ARGS="--node worker-1"',
    ]);
  }
  assertEquals(withValues(["ipv4/conf/docker0/forwarding", 0]), []);
  // That nothing is forwarded is told by another check.
  assertEquals(
    withValues(["ipv4/conf/all/forwarding", 0], [
      "ipv4/conf/eth0/forwarding",
      0,
    ]),
    [],
  );
});

Deno.test("forwarding of an interface is awaited until its stage has run", () => {
  const host = hostWith([/"complete":\[.*?\]/g, '"complete":[]']);
  const stdout = settings.replace(
    "ipv4/conf/eth0/forwarding:1",
    "ipv4/conf/eth0/forwarding:0",
  );
  const finding = one(found("interface-settings", [{ stdout }], { host }));
  assertEquals(finding.is, "not yet");
});

Deno.test("an interface that answers no ARP request is mended where it is set", () => {
  const finding = one(withValues(["ipv4/conf/eth0/arp_ignore", 8]));
  assertEquals(finding.is, "fault");
  assertStringIncludes(
    mendOf(finding).join(),
    "sysctl -w net.ipv4.conf.eth0.arp_ignore=0",
  );
  const both = withValues(["ipv4/conf/all/arp_ignore", 8]);
  assertEquals(both.length, 2, "the bridge and the link to the others");
  assertStringIncludes(
    mendOf(both[0] ?? one(both)).join(),
    "sysctl -w net.ipv4.conf.all.arp_ignore=0",
  );
  assertEquals(withValues(["ipv4/conf/eth0/arp_ignore", 2]), []);
});

Deno.test("ARP for others is a warning, for all or for the interface", () => {
  const finding = one(withValues(["ipv4/conf/eth0/proxy_arp", 1]));
  assertEquals(finding.is, "warning");
  assertStringIncludes(mendOf(finding).join(), "conf.eth0.proxy_arp=0");
});

Deno.test("a strict filter is a fault where an answer to a node goes by another link", () => {
  const host = hostWith([
    "PART routes\n[",
    'PART routes\n[{"dst":"10.0.1.12","dev":"eth1"},',
  ]);
  const at = (all: number, own: number) =>
    found("interface-settings", [{
      stdout: `${settings}\nipv4/conf/all/rp_filter:${all}\n` +
        `ipv4/conf/eth0/rp_filter:${own}`,
    }], { host });
  const finding = one(at(1, 0));
  assertEquals(finding.is, "fault");
  assertStringIncludes(finding.what, "its answer would go by eth1");
  assertStringIncludes(mendOf(finding).join(), "conf.all.rp_filter=2");
  assertEquals(at(1, 2), [], "the greater of the two is loose");
  assertEquals(at(0, 0), []);
  const tunnelled = hostWith([
    "PART routes\n[",
    'PART routes\n[{"dst":"10.244.2.0/25","dev":"deno.vxlan"},',
  ]);
  const strict = `${settings}\nipv4/conf/all/rp_filter:1\n` +
    "ipv4/conf/eth0/rp_filter:1";
  assertEquals(
    found("interface-settings", [{ stdout: strict }], { host: tunnelled }),
    [],
    "what is routed into a tunnel comes out of it",
  );
});

Deno.test("by a link without an address a loose filter is as strict, and what mends it is none", () => {
  const host = hostWith(
    ["PART routes\n[", 'PART routes\n[{"dst":"10.0.1.12","dev":"eth1"},'],
    [
      "PART links\n[",
      'PART links\n[{"ifindex":9,"ifname":"eth1","flags":["UP"],"mtu":1500,' +
      '"addr_info":[]},',
    ],
  );
  const at = (all: number, own: number) =>
    found("interface-settings", [{
      stdout: `${settings}\nipv4/conf/all/rp_filter:${all}\n` +
        `ipv4/conf/eth0/rp_filter:2\nipv4/conf/eth1/rp_filter:${own}`,
    }], { host });
  const finding = one(at(2, 0));
  assertStringIncludes(finding.what, "eth1 has no address");
  assertStringIncludes(
    mendOf(finding).join(),
    "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0",
  );
  assertEquals(at(0, 0), []);
});

Deno.test("ARP that is filtered by the way of its answer is a fault where that is another", () => {
  const host = hostWith([
    "PART routes\n[",
    'PART routes\n[{"dst":"10.0.1.12","dev":"eth1"},',
  ]);
  const stdout = `${settings}\nipv4/conf/all/arp_filter:1\n` +
    "ipv4/conf/eth0/arp_filter:0";
  const finding = one(found("interface-settings", [{ stdout }], { host }));
  assertEquals(finding.is, "fault");
  assertStringIncludes(mendOf(finding).join(), "conf.all.arp_filter=0");
  assertEquals(found("interface-settings", [{ stdout }]), []);
});

Deno.test("a link that forwards and takes redirects or source routes is a warning", () => {
  for (const name of ["accept_redirects", "accept_source_route"]) {
    const both = withValues([`ipv4/conf/all/${name}`, 1], [
      `ipv4/conf/eth0/${name}`,
      1,
    ]);
    assertEquals(one(both).is, "warning", name);
    assertStringIncludes(mendOf(one(both)).join(), `conf.eth0.${name}=0`);
    // Where it forwards, both of them have to say so.
    const single = withValues([`ipv4/conf/all/${name}`, 0], [
      `ipv4/conf/eth0/${name}`,
      1,
    ]);
    assertEquals(single, [], name);
  }
});

Deno.test("IPv6 that is disabled on the tunnels' link is a fault though no route is left by it", () => {
  const host = hostWith([
    "PART links\n[",
    'PART links\n[{"ifindex":9,"ifname":"deno.vxlan","flags":["UP"],"mtu":1450,' +
    '"addr_info":[{"local":"10.244.1.0","prefixlen":32,"scope":"global"}]},',
  ]);
  const cluster = {
    ...labCluster({ name: "lab", stateDir: "/nowhere" }),
    clusterCIDRs: ["10.244.0.0/16", "fd00:10:244::/56"],
  };
  const nodes = cluster.nodes.map((node, at) => ({
    ...node,
    addresses: [node.address, `fd00:10:0:1::${10 + at}`],
    podCIDRs: [...node.podCIDRs, `fd00:10:244:${at}::/64`],
  }));
  const finding = one(
    found("interface-settings", [{
      stdout: `${settings}\nipv4/conf/deno.vxlan/arp_ignore:8\n` +
        "ipv6/conf/deno.vxlan/disable_ipv6:1\n",
    }], { host, cluster: { ...cluster, nodes } }),
  );
  assertStringIncludes(finding.what, "IPv6 is disabled on deno.vxlan");
  assertEquals(mendOf(finding), [
    'make shell NODE=worker-1 ARGS="-- sysctl -w net/ipv6/conf/deno.vxlan/disable_ipv6=0"',
    'make 08-routes ARGS="--node worker-1"',
  ]);
});
