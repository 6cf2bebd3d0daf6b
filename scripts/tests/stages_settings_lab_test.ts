/** Settings that the kernel has once for all interfaces and once for each, on a whole lab. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CauseKind } from "../../lib/diagnosis/cause.ts";
import { cmd } from "../../lib/exec/command.ts";
import { findingsOn } from "./doctor_testing.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { traced } from "./trace_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  runAll,
  verified,
} from "./verify_testing.ts";

interface Setting {
  readonly name: string;
  /** Lines for a shell of worker-1. */
  readonly make: string;
  readonly says: string;
  /**
   * What 09 and the trace call it; none where no packet is lost, or only until
   * the other end has heard a request of the node's own.
   */
  readonly kind?: CauseKind;
  /** The ends of a path that it breaks. */
  readonly path?: readonly [string, string];
  /** Takes away what it was made of, once it is mended. */
  readonly after?: string;
}

const settings: readonly Setting[] = [
  {
    name: "the link to the others does not forward",
    make: "sysctl -qw net.ipv4.conf.eth0.forwarding=0",
    says: "does not forward what comes in by eth0",
    kind: "forwarding",
    path: ["worker-2/shell", "worker-1/web"],
  },
  {
    name: "the bridge does not forward",
    make: "sysctl -qw net.ipv4.conf.cni0.forwarding=0",
    says: "does not forward what comes in by cni0",
    kind: "forwarding",
    path: ["worker-1/shell", "worker-2/web"],
  },
  {
    name: "no ARP request is answered on the bridge",
    make: "sysctl -qw net.ipv4.conf.cni0.arp_ignore=8",
    says: "answers no ARP request on cni0",
  },
  {
    name: "no ARP request is answered anywhere",
    make: "sysctl -qw net.ipv4.conf.all.arp_ignore=8",
    says: "answers no ARP request on",
  },
  {
    name: "ARP is answered for others",
    make: "sysctl -qw net.ipv4.conf.all.proxy_arp=1",
    says: "for addresses of others (proxy_arp",
  },
  {
    name: "ARP is answered on the bridge for others of it",
    make: "sysctl -qw net.ipv4.conf.cni0.proxy_arp_pvlan=1",
    says: "for addresses of others (proxy_arp_pvlan",
  },
  {
    name: "a link that forwards takes redirects",
    make: "sysctl -qw net.ipv4.conf.all.accept_redirects=1 " +
      "net.ipv4.conf.eth0.accept_redirects=1",
    says: "takes ICMP redirects",
  },
  {
    name: "what comes by a link without an address is filtered, though loosely",
    make: "ip link add link eth0 name eth1 type macvlan mode bridge; " +
      "ip link set eth1 up; ip route add 10.0.1.12 dev eth1; " +
      "sysctl -qw net.ipv4.conf.all.rp_filter=2",
    says: "eth1 has no address",
    after: "ip link del eth1",
  },
];

/** All links of the segment take 1400; worker-1 has its default route by another one. */
async function narrowSegment(lab: TestLab): Promise<void> {
  for (const name of ["master", "worker-1", "worker-2"]) {
    await lab.on(name, cmd`ip link set eth0 mtu 1400`);
    await lab.on("outside", cmd`ip link set dev ${name} mtu 1400`);
  }
  const wan =
    "ip link add wan type veth peer name wanp; ip link set wanp up; " +
    "ip link set wan up; ip addr add 192.0.2.2/24 dev wan; " +
    "ip route add 203.0.113.8 via 10.0.1.1; ip route replace default via 192.0.2.1";
  await lab.on("worker-1", cmd`sh -euc ${wan}`);
}

const doctorSays = (lab: TestLab, check = "interface-settings") =>
  findingsOn(lab, check);

Deno.test({
  ...needsRoot,
  name:
    "a setting of one interface is named by the doctor, 09 and the trace, with what mends it (needs root)",
  async fn(t) {
    await using lab = await testLab("settings");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    assertEquals(await doctorSays(lab), []);
    for (const { name, make, says, kind, path, after } of settings) {
      await t.step(name, async () => {
        await lab.on("worker-1", cmd`sh -c ${make}`);
        const said = await doctorSays(lab);
        const [finding] = said;
        assert(finding !== undefined && "mend" in finding, name);
        assertStringIncludes(finding.what, says);
        if (path !== undefined) {
          const { report, text } = await traced(lab, ...path);
          assertEquals(report.cause?.kind, kind, text);
          assertStringIncludes(report.cause?.what ?? "", says);
        }
        if (kind !== undefined) {
          const { report, text } = await verified(cluster);
          const [cause] = report.causes;
          assertEquals(cause?.kind, kind, text);
          assertStringIncludes(cause?.what ?? "", says);
        }
        for (const line of finding.mend) await follow(lab, line);
        assertEquals(await doctorSays(lab), []);
        if (after !== undefined) await lab.on("worker-1", cmd`sh -c ${after}`);
        if (kind === undefined) return; // No packet was lost.
        const { report, text } = await verified(cluster);
        assertEquals(report.causes, [], text);
      });
    }
    await t.step(
      "the nodes are joined by links that take less than the way out",
      async () => {
        await narrowSegment(lab);
        const [finding] = await doctorSays(lab, "mtu");
        assert(finding !== undefined && "mend" in finding);
        assertStringIncludes(finding.what, "eth0 takes 1400");
        const { report, text } = await traced(
          lab,
          "worker-1/shell",
          "worker-2/web",
        );
        assertEquals(report.cause?.kind, "mtu", text);
        const mend = report.cause?.mend ?? [];
        // Set to more, one of these links would lose what the next cannot take.
        assertEquals(mend.filter((line) => line.includes("ip link set")), []);
        for (const line of mend) await follow(lab, line);
        const again = await traced(lab, "worker-1/shell", "worker-2/web");
        assertEquals(again.report.cause, undefined, again.text);
        assertEquals(await doctorSays(lab, "mtu"), []);
      },
    );
    await t.step("status shows an interface that drifted", async () => {
      await lab.on("worker-1", cmd`sysctl -qw net.ipv4.conf.eth0.forwarding=0`);
      const { stdout } = await lab.script("status");
      assert(/06-forwarding.*drift/.test(stdout), stdout);
    });
    await t.step("stage 06 sets it, and gives it back at undo", async () => {
      await runAll(lab, ["06-forwarding", "--undo"]);
      const values = "sysctl -n net.ipv4.conf.eth0.forwarding " +
        "net.ipv4.conf.default.forwarding net.ipv4.ip_forward";
      const seen = () => lab.on("worker-1", cmd`sh -c ${values}`);
      await lab.on("worker-1", cmd`sysctl -qw net.ipv4.ip_forward=1`);
      await lab.on(
        "worker-1",
        cmd`sysctl -qw net.ipv4.conf.eth0.forwarding=0 net.ipv4.conf.default.forwarding=0`,
      );
      await runAll(lab, ["06-forwarding"]);
      assertEquals(await seen(), "1\n1\n1\n");
      const { stdout } = await lab.script("06-forwarding", "-v");
      assert(!/changed +[1-9]/.test(stdout), stdout);
      await runAll(lab, ["06-forwarding", "--undo"]);
      assertEquals(await seen(), "0\n0\n1\n");
    });
  },
});
