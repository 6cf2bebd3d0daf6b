/** What the doctor reads of links and routes. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { InventoryNode } from "../inventory/inventory.ts";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

Deno.test("a strict filter is a trap only where there is more than one way", () => {
  const strict = "/proc/sys/net/ipv4/conf/all/rp_filter:1\n" +
    "/proc/sys/net/ipv4/conf/eth0/rp_filter:0\n" +
    "/proc/sys/net/ipv4/conf/eth1/rp_filter:2\n";
  assertEquals(found("rp-filter", [{ stdout: strict }]), []);
  const link = `{"ifindex":9,"ifname":"eth1","flags":["UP"],"mtu":1500,` +
    `"addr_info":[{"local":"192.0.2.1","prefixlen":24,"scope":"global"}]}`;
  const host = hostWith(["PART links\n[", `PART links\n[${link},`]);
  const finding = one(found("rp-filter", [{ stdout: strict }], { host }));
  assertEquals(finding.is, "warning");
  assertStringIncludes(finding.what, "strict on eth0 (");
  const loose = strict.replace("all/rp_filter:1", "all/rp_filter:2");
  assertEquals(found("rp-filter", [{ stdout: loose }], { host }), []);
  const tunnel = link.replaceAll("eth1", "deno.vxlan");
  const own = hostWith(["PART links\n[", `PART links\n[${tunnel},`]);
  const filters = strict.replaceAll("eth1", "deno.vxlan");
  assertEquals(found("rp-filter", [{ stdout: filters }], { host: own }), []);
});

Deno.test("the bridge of somebody else is never reused", () => {
  const host = hostWith([`"ifalias":"deno-cni",`, ""]);
  const finding = one(found("bridge", [], { host }));
  assertStringIncludes(finding.what, "a bridge without our mark");
  assertStringIncludes(mendOf(finding)[0] ?? "", "ip link del dev cni0");
});

Deno.test("what the node itself is reached by is never advised away", () => {
  const unmarked: [string, string] = [`"ifalias":"deno-cni",`, ""];
  for (
    const change of [
      [`"local":"10.244.1.1"`, `"local":"10.0.1.11"`],
      [
        `"dst":"default","gateway":"10.0.1.1","dev":"eth0"`,
        `"dst":"default","gateway":"10.244.1.9","dev":"cni0"`,
      ],
    ] as const
  ) {
    const host = hostWith(unmarked, [...change]);
    const mend = mendOf(one(found("bridge", [], { host })));
    assertStringIncludes(mend.join("\n"), "choose another name");
    assertEquals(mend.filter((line) => line.includes("link del")), []);
  }
});

Deno.test("the segment itself within the pod network is not advised away", () => {
  const segment = { clusterCIDRs: ["10.0.0.0/8"] };
  const finding = one(found("overlap", [], { cluster: segment }));
  assertStringIncludes(mendOf(finding)[0] ?? "", "choose another clusterCIDR");
});

Deno.test("a machine that was copied from another one has its MAC address", () => {
  const copy = hostWith([/10\.0\.1\.11/g, "10.0.1.12"], [
    /10\.244\.1\./g,
    "10.244.2.",
  ]);
  const other: InventoryNode = {
    name: "worker-2",
    role: "worker",
    address: "10.0.1.12",
    podCIDRs: ["10.244.2.0/24"],
    host: copy,
  };
  const finding = one(found("twins", [], { others: [other] }));
  assertStringIncludes(finding.what, "worker-2 has the same MAC address");
});

Deno.test("a link that leads to nobody is no second way", () => {
  const strict = "/proc/sys/net/ipv4/conf/all/rp_filter:1\n" +
    "/proc/sys/net/ipv4/conf/eth0/rp_filter:0\n";
  const link = `{"ifindex":9,"ifname":"kube-ipvs0","flags":["UP"],"mtu":1500,` +
    `"linkinfo":{"info_kind":"dummy"},"addr_info":[{"local":"10.96.0.1",` +
    `"prefixlen":32,"scope":"global"}]}`;
  const host = hostWith(["PART links\n[", `PART links\n[${link},`]);
  assertEquals(found("rp-filter", [{ stdout: strict }], { host }), []);
});
