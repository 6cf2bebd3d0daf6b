/** Two segments with a router between them: tunnels carry the pods' packets, and each fault of theirs has its name. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { vtepMac } from "../../lib/net/vxlan.ts";
import { findingsOn } from "./doctor_testing.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { nodeStages, stateOf } from "./stages_testing.ts";
import { traceHere } from "./trace_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  row,
  runAll,
  verified,
  verifiedWell,
} from "./verify_testing.ts";

/** The lab of two segments, of the test's own. */
async function twoSegments(name: string): Promise<TestLab> {
  const file = `${projectRoot}/config/lab-two-segments.yaml`;
  const text = await Deno.readTextFile(file);
  return await testLab(
    name,
    () => text.replace("name: lab-two\n", `name: ${name}\n`),
  );
}

/** A fault, and what has to be said of it. */
interface Fault {
  readonly name: string;
  /** The machine that it is on. */
  readonly on: string;
  readonly make: string;
  /** What takes it away where no advice does: it is on the router, or a card's. */
  readonly mend?: string;
  /** What takes away that which the advice leaves of the fault: a policy of the node's. */
  readonly rest?: string;
  /** What the doctor says on worker-1, where that has to show, and by which check. */
  readonly doctor?: string;
  readonly check?: "segments";
  readonly cause: string;
}

const [own, far] = ["worker-1", "worker-2"].map(vtepMac);

const faults: readonly Fault[] = [{
  name: "port dropped between the nodes",
  on: "router",
  make: "iptables -I FORWARD -p udp --dport 8472 -j DROP",
  mend: "iptables -D FORWARD -p udp --dport 8472 -j DROP",
  check: "segments",
  doctor: "a rule of FORWARD in the table filter of iptables on router says " +
    "DROP: -A FORWARD -p udp -m udp --dport 8472 -j DROP",
  cause: "a rule of FORWARD in the table filter of iptables on router",
}, {
  name: "a router that does not forward",
  on: "router",
  make: "sysctl -qw net.ipv4.ip_forward=0",
  check: "segments",
  doctor: "the router between the segments does not forward IPv4",
  cause: "the router between the segments does not forward IPv4",
}, {
  name: "another default gateway",
  on: "worker-2",
  make: "ip route replace default via 10.0.2.77",
  check: "segments",
  doctor: "worker-2 sends what is for worker-1 (10.0.1.11) by 10.0.2.77",
  cause: "worker-2 sends what is for worker-1 (10.0.1.11) by 10.0.2.77",
}, {
  name: "wrong VNI",
  on: "worker-1",
  make: "ip link del deno.vxlan; " +
    `ip link add deno.vxlan address ${own} mtu 1450 type vxlan id 2 ` +
    "dstport 8472 local 10.0.1.11 nolearning; " +
    "ip link set deno.vxlan alias deno-cni; ip link set deno.vxlan up",
  doctor: "its VNI is 2, not 1",
  cause: "its VNI is 2, not 1",
}, {
  name: "forwarding entry missing",
  on: "worker-1",
  make: `bridge fdb del ${far} dev deno.vxlan`,
  doctor: "deno.vxlan has no forwarding entry for it",
  cause: "deno.vxlan has no forwarding entry for it",
}, {
  name: "neighbour missing",
  on: "worker-1",
  make: "ip neigh del 10.244.2.0 dev deno.vxlan",
  doctor: "worker-1 does not know the MAC of 10.244.2.0",
  cause: "worker-1 does not know the MAC of 10.244.2.0",
}, {
  name: "checksums that the card gets wrong",
  on: "router",
  make: "nft add table ip card; " +
    "nft add chain ip card out '{ type filter hook forward priority 0; }'; " +
    // In a frame's IPv4 header, 6 is TCP.
    "nft add rule ip card out ip daddr 10.0.2.12 udp dport 8472 @th,312,8 6 " +
    "udp checksum set 0x1234; " +
    // The inner checksum, which links of a lab leave out, and a card does not.
    "iptables -t mangle -A POSTROUTING -p udp --dport 8472 " +
    "-j CHECKSUM --checksum-fill",
  mend: "nft delete table ip card; " +
    "iptables -t mangle -D POSTROUTING -p udp --dport 8472 " +
    "-j CHECKSUM --checksum-fill",
  doctor: "TCP from worker-1 gets no answer through the tunnel to worker-2, " +
    "and pings do: its UDP checksum is wrong",
  cause: "its UDP checksum is wrong",
}, {
  name: "one MAC at two ends",
  on: "worker-1",
  make: `ip link set deno.vxlan address ${far}`,
  doctor: "that is the MAC of worker-2, and two ends have one MAC",
  cause: "that is the MAC of worker-2, and two ends have one MAC",
}, {
  name: "port dropped by a table of the node's own",
  on: "worker-1",
  make: "nft add table inet fw; " +
    "nft add chain inet fw in '{ type filter hook input priority 0; }'; " +
    "nft add rule inet fw in udp dport 8472 drop",
  doctor: "by a rule of the chain inet fw in of nftables",
  cause: "worker-1 drops packets of the tunnels by a rule of the chain " +
    "inet fw in of nftables",
}, {
  name:
    "port dropped by INPUT's policy, to which no tunnel's packet is an answer",
  on: "worker-1",
  make: "iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; " +
    "iptables -P INPUT DROP",
  rest: "iptables -P INPUT ACCEPT; iptables -F INPUT",
  doctor:
    "worker-1 drops packets of the tunnels by the policy of the chain INPUT",
  cause:
    "worker-1 drops packets of the tunnels by the policy of the chain INPUT",
}, {
  name: "ways that take less than they are taken for",
  on: "router",
  make: "iptables -I FORWARD -p udp -m length --length 1401: -j DROP",
  mend: "iptables -D FORWARD -p udp -m length --length 1401: -j DROP",
  doctor: "packets of 1450 bytes do not get through the tunnel from worker-1",
  cause: "packets of 1450 bytes do not get through the tunnel",
}];

Deno.test({
  ...needsRoot,
  name:
    "on two segments host routes are refused, tunnels make the matrix green in both families, each fault of " +
    "theirs is named and mended by what is advised, and undo leaves nothing (needs root)",
  async fn(t) {
    await using lab = await twoSegments("vxlan");
    await runAll(lab, ["01-provision"], ["02-kubeadm"]);
    const bare = await Promise.all(
      ["worker-1", "worker-2"].map((node) => stateOf(lab, node)),
    );
    const [last = "", ...first] = nodeStages.toReversed();
    await runAll(lab, ...first.toReversed().map((stage) => [stage]));
    await t.step("host routes are refused, with the ways out", async () => {
      const text = await Deno.readTextFile(lab.file);
      const host = text.replace("routes: vxlan", "routes: host")
        .replace(/^vxlan:\n( {2}.*\n)+/m, "");
      await Deno.writeTextFile(lab.file, host);
      const refused = await lab.script(last);
      assertEquals(refused.code, 1, refused.stdout);
      assertStringIncludes(
        refused.stderr,
        "worker-2 (10.0.2.12) is not on this node's segment: " +
          "the kernel goes there by the gateway 10.0.1.2",
      );
      assertStringIncludes(refused.stderr, "routes: vxlan");
      await Deno.writeTextFile(lab.file, text);
    });
    await runAll(lab, [last]);
    const again = await lab.report(last);
    assert(again.results.every(({ status }) => status === "ok"));
    const cluster = await clusterOf(lab);
    const seen = await verifiedWell(cluster);
    assert(seen.report.passed, seen.text);
    assertEquals(seen.report.paths.length, 36);
    assertEquals(row(seen, "pod → pod, other node")[0], "yes, as the pod");
    assert(!seen.text.includes("both are its own"), seen.text);
    await t.step(
      "the router passes on whole what the tunnels send",
      () => isWhole(lab),
    );
    for (const fault of faults) {
      await t.step(fault.name, () => isNamed(lab, fault));
    }
    await t.step("an MTU that was not lowered", () => isWide(lab));
    await t.step(
      "a vxlan of another program at the VNI and port, and leftovers",
      () => isInTheWay(lab),
    );
    await t.step("undo leaves nothing", async () => {
      await runAll(
        lab,
        ["09-verify", "--undo"],
        ...nodeStages.toReversed().map((stage) => [stage, "--undo"]),
      );
      const left = await Promise.all(
        ["worker-1", "worker-2"].map((node) => stateOf(lab, node)),
      );
      assertEquals(left, bare);
    });
  },
});

async function isNamed(lab: TestLab, fault: Fault): Promise<void> {
  const { on, make, mend, rest, doctor, cause, check = "tunnels" } = fault;
  const cluster = await clusterOf(lab);
  await lab.on(on, cmd`sh -euc ${make}`);
  const [found, seen, followed] = await Promise.all([
    findingsOn(lab, check),
    verified(cluster, ["worker-1", "worker-2"]),
    traceHere(cluster, "worker-1/shell", "worker-2/web"),
  ]);
  const told = found.flatMap((one) => "what" in one ? [one.what] : []);
  if (doctor !== undefined) assertStringIncludes(told.join("\n"), doctor);
  assert(!seen.report.passed, seen.text);
  assertStringIncludes(
    seen.report.causes.map(({ what }) => what).join("\n"),
    cause,
    seen.text,
  );
  assertStringIncludes(followed.cause?.what ?? "nothing", cause);
  if (mend !== undefined) await lab.on(on, cmd`sh -euc ${mend}`);
  else for (const line of followed.cause?.mend ?? []) await follow(lab, line);
  assertEquals(await findingsOn(lab, check), []);
  if (rest !== undefined) await lab.on(on, cmd`sh -euc ${rest}`);
}

/**
 * The kernel sends many packets as one, of up to 64 KB, until a link cannot take it.
 * A router that takes a tunnel's apart makes it four times as slow as a plain route.
 */
async function isWhole(lab: TestLab): Promise<void> {
  const counted = async () => {
    const links = await lab.on("router", cmd`cat /proc/net/dev`);
    const words = /^ *eth1: *(.*)$/m.exec(links)?.[1]?.split(/ +/) ?? [];
    return { bytes: Number(words[8]), packets: Number(words[9]) };
  };
  const serve = "timeout 100 ip netns exec web " +
    "busybox nc -ll -p 5001 -e dd if=/dev/zero bs=1M count=8 >/dev/null 2>&1 &";
  const fetch = 'until n=$(ip netns exec shell busybox nc "$0" 5001 ' +
    "</dev/null | wc -c) && [ $n -gt 0 ]; do sleep 0.1; done; echo $n";
  const text = await lab.on(
    "worker-1",
    cmd`sh -c ${`${serve} ip -n web -4 -o addr show dev eth0`}`,
  );
  const address = /inet ([\d.]+)/.exec(text)?.[1] ?? text;
  const before = await counted();
  const got = await lab.on(
    "worker-2",
    cmd`timeout 60 sh -c ${fetch} ${address}`,
  );
  const after = await counted();
  assertEquals(got.trim(), String(8 << 20));
  const mean = (after.bytes - before.bytes) / (after.packets - before.packets);
  assert(mean > 2000, `packets of ${mean} bytes, one with another`);
}

/** Longer packets than the way takes are cut in pieces, which many a network drops. */
async function isWide(lab: TestLab): Promise<void> {
  const cluster = await clusterOf(lab);
  await lab.on("worker-1", cmd`ip link set deno.vxlan mtu 1500`);
  const pieces = ["-p", "udp", "-f", "-j", "DROP"];
  await lab.on("router", cmd`iptables -I FORWARD ${pieces}`);
  const [found, followed, seen] = await Promise.all([
    findingsOn(lab, "tunnels"),
    traceHere(cluster, "worker-1", "worker-2/web"),
    verified(cluster, ["worker-1", "worker-2"]),
  ]);
  await lab.on("router", cmd`iptables -D FORWARD ${pieces}`);
  const expected = "takes packets of 1500 bytes, and the ways between the " +
    "nodes, which take 1500, leave the tunnel 1450";
  const [one] = found;
  assertStringIncludes(one && "what" in one ? one.what : "nothing", expected);
  assertStringIncludes(followed.cause?.what ?? "nothing", expected);
  assertStringIncludes(
    seen.text,
    "deno.vxlan of worker-1 takes packets of 1500 bytes, and the ways between " +
      "the nodes leave the tunnel 1450",
  );
  for (const line of followed.cause?.mend ?? []) await follow(lab, line);
  assertEquals(await findingsOn(lab, "tunnels"), []);
}

/** What stage 08 refuses, and what it does not look at: the doctor's lines mend both. */
async function isInTheWay(lab: TestLab): Promise<void> {
  const other = "flannel.1 is a vxlan with VNI 1 and port 8472 already";
  const make = "ip link del deno.vxlan; " +
    "ip link add flannel.1 type vxlan id 1 dstport 8472 local 10.0.1.11";
  await lab.on("worker-1", cmd`sh -euc ${make}`);
  const refused = await lab.script(
    "08-routes",
    "--dry-run",
    "--node",
    "worker-1",
  );
  assertEquals(refused.code, 1, refused.stdout);
  assertStringIncludes(refused.stdout + refused.stderr, other);
  await isMendedAsTold(lab, other);
  const mac = "02:dc:11:22:33:44";
  const left = `bridge fdb add ${mac} dev deno.vxlan dst 10.0.2.99; ` +
    `ip neigh add 10.244.9.0 lladdr ${mac} dev deno.vxlan nud permanent`;
  await lab.on("worker-1", cmd`sh -euc ${left}`);
  await isMendedAsTold(lab, `the entry ${mac} dst 10.0.2.99`);
}

async function isMendedAsTold(lab: TestLab, said: string): Promise<void> {
  const [one] = await findingsOn(lab, "tunnels");
  assert(one !== undefined && "mend" in one, said);
  assertStringIncludes(one.what, said);
  for (const line of one.mend) await follow(lab, line);
  assertEquals(await findingsOn(lab, "tunnels"), []);
}
