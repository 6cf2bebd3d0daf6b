/** What the doctor reads of the bridge's settings. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

const conf = "/proc/sys/net/ipv";
const off = `${conf}6/conf/cni0/accept_ra:0\n` +
  `${conf}6/conf/cni0/accept_redirects:0\n` +
  `${conf}6/conf/cni0/accept_source_route:-1\n` +
  `${conf}4/conf/cni0/accept_redirects:0\n` +
  `${conf}4/conf/cni0/accept_source_route:0\n`;

const dual = {
  clusterCIDRs: ["10.244.0.0/16", "fd00:244::/56"],
};

Deno.test("what a pod could say to get others' traffic is named with the setting that takes it", () => {
  assertEquals(found("taken-from-pods", [{ stdout: off }]), []);
  for (
    const [line, name] of [
      ["6/conf/cni0/accept_ra:", "net.ipv6.conf.cni0.accept_ra"],
      ["6/conf/cni0/accept_redirects:", "net.ipv6.conf.cni0.accept_redirects"],
      ["4/conf/cni0/accept_redirects:", "net.ipv4.conf.cni0.accept_redirects"],
      [
        "4/conf/cni0/accept_source_route:",
        "net.ipv4.conf.cni0.accept_source_route",
      ],
    ] as const
  ) {
    const stdout = off.replace(`${line}0`, `${line}1`);
    const finding = one(found("taken-from-pods", [{ stdout }]));
    assertEquals(finding.is, "warning");
    assertStringIncludes(finding.what, `${name} is on`);
    assertEquals(mendOf(finding), [
      `make shell NODE=worker-1 ARGS="-- sysctl -w ${name}=0"`,
    ]);
  }
});

Deno.test("where stage 04 has yet to run, what the bridge takes waits for it", () => {
  const host = hostWith([`"04-bridge",`, ""]);
  const stdout = off.replace("accept_ra:0", "accept_ra:1");
  assertEquals(
    one(found("taken-from-pods", [{ stdout }], { host })).is,
    "not yet",
  );
});

Deno.test("IPv6 that is off on the bridge or by default is a fault where pods have IPv6, with the one setting that mends it", () => {
  const on = `${conf}6/conf/default/disable_ipv6:0\n` +
    `${conf}6/conf/cni0/disable_ipv6:0\n`;
  assertEquals(one(found("ipv6", [])).is, "does not apply");
  assertEquals(found("ipv6", [{ stdout: on }], { cluster: dual }), []);
  for (const place of ["default", "cni0"]) {
    const stdout = on.replace(
      `${place}/disable_ipv6:0`,
      `${place}/disable_ipv6:1`,
    );
    const finding = one(found("ipv6", [{ stdout }], { cluster: dual }));
    assertEquals(finding.is, "fault");
    assertEquals(mendOf(finding), [
      `make shell NODE=worker-1 ARGS="-- sysctl -w net.ipv6.conf.${place}.disable_ipv6=0"`,
    ]);
  }
  const none = one(found("ipv6", [{ stdout: "", code: 2 }], { cluster: dual }));
  assertStringIncludes(none.what, "the kernel has no IPv6");
});

Deno.test("an MTU below 1280 is a fault where pods have IPv6", () => {
  const on = `${conf}6/conf/default/disable_ipv6:0\n`;
  const host = hostWith([
    /("ifname":"eth0".*?"mtu":)1500(?=.*10\.244\.1\.3)/g,
    "$11200",
  ]);
  const finding = one(found("ipv6", [{ stdout: on }], { cluster: dual, host }));
  assertStringIncludes(finding.what, "an MTU of 1200 is too small for IPv6");
  assertStringIncludes(finding.what, "1 pod (shell)");
});
