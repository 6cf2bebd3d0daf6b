/** The trace on a whole lab after each thing that keeps packets from arriving, or lets them arrive as somebody else. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { type Fault, strayFaults } from "./trace_faults_testing.ts";
import { leftovers, traceHere } from "./trace_testing.ts";
import { clusterOf, follow, needsRoot, runAll } from "./verify_testing.ts";

const faults: readonly Fault[] = [
  {
    name: "forwarding is off where the packet starts",
    break: "sysctl -w net.ipv4.ip_forward=0",
    kind: "forwarding",
    says: "worker-1 does not forward: net.ipv4.ip_forward is off",
    shows: "0",
    ends: ["there", "worker-1", "routing"],
  },
  {
    name: "forwarding is off where the packet should arrive",
    on: "worker-2",
    break: "sysctl -w net.ipv4.ip_forward=0",
    kind: "forwarding",
    says: "worker-2 does not forward",
    shows: "0",
    ends: ["there", "worker-2", "routing"],
  },
  {
    name: "all of FORWARD is flushed",
    break: "iptables -w -F FORWARD",
    kind: "rule",
    says: "lacks 2 rules of 06-forwarding",
    shows: "-P FORWARD DROP",
    ends: ["there", "worker-1", "forward"],
  },
  {
    name: "somebody's rule drops what comes in for pods",
    on: "worker-2",
    break: "iptables -w -I FORWARD -d 10.244.2.0/24 -p tcp -j DROP",
    kind: "rule",
    says: "a rule of worker-2 that is not this tool's says DROP in FORWARD",
    shows: "-A FORWARD -d 10.244.2.0/24 -p tcp -j DROP",
    ends: ["there", "worker-2", "forward"],
  },
  {
    name: "somebody's rule of nftables drops the answer, unseen by iptables",
    on: "worker-2",
    break: "nft add table ip theirs; nft add chain ip theirs guard " +
      "'{ type filter hook forward priority 5; }'; " +
      "nft add rule ip theirs guard ip saddr 10.244.2.0/24 drop",
    kind: "rule",
    says: "a rule of the chain ip theirs guard of nftables on worker-2 drops",
    shows: "ip saddr 10.244.2.0/24 drop",
    ends: ["back", "worker-2", "forward"],
    after: "nft delete table ip theirs",
  },
  {
    name: "a route is gone from the sender's node",
    break: "ip route del 10.244.2.0/24",
    kind: "route",
    says: "worker-1 has no route to the pods of worker-2",
    shows: "[]",
    ends: ["there", "outside", "routing"],
  },
  {
    name: "a route is gone, and there is no default route either",
    break: "ip route del 10.244.2.0/24; ip route del default",
    kind: "route",
    says: "worker-1 has no route to the pods of worker-2",
    shows: "[]",
    ends: ["there", "worker-1", "routing"],
    after: "ip route add default via 10.0.1.1",
  },
  {
    name: "a route is gone from the receiver's node",
    on: "worker-2",
    break: "ip route del 10.244.1.0/24",
    kind: "route",
    says: "worker-2 has no route to the pods of worker-1",
    shows: "[]",
    ends: ["back", "outside", "routing"],
  },
  {
    name: "a route goes by somebody else",
    break: "ip route replace 10.244.2.0/24 via 10.0.1.99",
    kind: "route",
    says: "worker-1 has another route to the pods of worker-2",
    shows: `"gateway":"10.0.1.99"`,
    ends: ["there", "worker-1", "segment"],
  },
  {
    name: "a route leads nowhere, more exact than ours",
    break: "ip route add blackhole 10.244.2.0/25",
    kind: "route",
    says: "leads nowhere for pods of worker-2: ",
    shows: "blackhole",
    ends: ["there", "worker-1", "routing"],
  },
  {
    name: "the receiver's node would answer by another link, and refuses",
    on: "worker-2",
    break: "sysctl -w net.ipv4.conf.all.rp_filter=1 " +
      "net.ipv4.conf.eth0.rp_filter=1; ip route replace 10.244.1.0/24 dev cni0",
    kind: "route",
    says: "worker-2 has another route to the pods of worker-1",
    shows: `"dev":"cni0"`,
    ends: ["there", "worker-2", "routing"],
    after: "sysctl -w net.ipv4.conf.all.rp_filter=2 " +
      "net.ipv4.conf.eth0.rp_filter=2",
  },
  {
    name: "the answer is sent back into the bridge",
    on: "worker-2",
    break: "ip route replace 10.244.1.0/24 dev cni0",
    kind: "route",
    says: "worker-2 has another route to the pods of worker-1",
    shows: `"dev":"cni0"`,
    ends: ["back", "worker-2", "veth"],
  },
  {
    name: "another pod is the sender's gateway",
    // A new network namespace has the forwarding of the machine's first one.
    break: "nsenter --net=/run/netns/web sysctl -qw net.ipv4.ip_forward=0; " +
      "nsenter --net=/run/netns/shell ip route replace default via $web",
    kind: "pod-route",
    says: "pod shell on worker-1 sends to the gateway 10.244.1.",
    shows: `"gateway":"10.244.1.`,
    ends: ["there", "worker-1", "routing"],
  },
  {
    name: "nothing is masqueraded on the way out",
    to: "outside",
    break: "iptables -w -t nat -F POSTROUTING",
    kind: "masquerade",
    says: "worker-1 does not masquerade",
    shows: "POSTROUTING -s 10.244.1.0/24",
    ends: ["back", "outside", "output"],
  },
  {
    name: "the masquerading is the one that circulates",
    break: "iptables -w -t nat -F POSTROUTING; iptables -w -t nat " +
      "-A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE",
    kind: "masquerade",
    says: "rule of no NAT between pods is broken",
    shows: "-A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE",
    ends: "delivered",
  },
  {
    name: "the bridge is down where the packet starts",
    break: "ip link set cni0 down",
    kind: "bridge",
    says: "cni0 is down on worker-1",
    shows: "cni0",
    ends: ["there", "worker-1", "veth"],
  },
  {
    name: "the bridge is down where the packet should arrive",
    on: "worker-2",
    break: "ip link set cni0 down",
    kind: "bridge",
    says: "cni0 is down on worker-2",
    shows: "cni0",
    // Its route went with it: the packet goes on by the default route.
    ends: ["there", "outside", "routing"],
  },
  {
    name: "the bridge has lost the address that pods send to",
    break: "ip addr del 10.244.1.1/24 dev cni0",
    kind: "bridge-address",
    says: "lacks 10.244.1.1/24, its pods' gateway",
    shows: `"addresses":[`,
    ends: ["there", "worker-1", "routing"],
  },
  {
    name: "the receiver has lost its address",
    on: "worker-2",
    break: "nsenter --net=/run/netns/web ip addr flush dev eth0; " +
      "ip neigh flush dev cni0",
    kind: "pod-address",
    says: "pod web on worker-2 lost its address",
    shows: `"addresses":[`,
    ends: ["there", "worker-2", "veth"],
  },
  {
    name: "the sender has no default route",
    break: "nsenter --net=/run/netns/shell ip route del default",
    kind: "pod-route",
    says: "pod shell on worker-1 has no default route",
    shows: "10.244.1.0/24",
    ends: ["there", "worker-1", "output"],
  },
  {
    name: "the node of the receiver is unplugged from the segment",
    on: "worker-2",
    break: "ip link set eth0 down",
    kind: "segment",
    says: "eth0, the link of worker-2 to the other nodes, is down",
    shows: "eth0",
    ends: ["there", "worker-1", "segment"],
  },
  {
    name: "the sender's host veth is unplugged",
    break: "ip link set $caller nomaster",
    kind: "pod-link",
    says: "the host veth of pod shell on worker-1, is not plugged into cni0",
    shows: "veth",
    ends: ["there", "worker-1", "veth"],
  },
  {
    name: "the receiver's host veth is unplugged",
    on: "worker-2",
    break: "ip link set $veth nomaster",
    kind: "pod-link",
    says: "the host veth of pod web on worker-2, is not plugged into cni0",
    shows: "veth",
    ends: ["there", "worker-2", "veth"],
  },
  {
    name: "the receiver's host veth is down",
    on: "worker-2",
    break: "ip link set $veth down",
    kind: "pod-link",
    says: "the host veth of pod web on worker-2, is down",
    shows: "veth",
    ends: ["there", "worker-2", "veth"],
  },
  {
    name: "the sender has another gateway",
    break:
      "nsenter --net=/run/netns/shell ip route replace default via 10.244.1.99",
    kind: "pod-route",
    says: "pod shell on worker-1 sends to the gateway 10.244.1.99",
    shows: `"gateway":"10.244.1.99"`,
    ends: ["there", "worker-1", "veth"],
  },
  {
    name: "the receiver has another gateway",
    on: "worker-2",
    break:
      "nsenter --net=/run/netns/web ip route replace default via 10.244.2.99",
    kind: "pod-route",
    says: "pod web on worker-2 sends to the gateway 10.244.2.99",
    shows: `"gateway":"10.244.2.99"`,
    ends: ["back", "worker-2", "veth"],
  },
  {
    name: "two pods have one address",
    on: "worker-2",
    break: "nsenter --net=/run/netns/shell ip addr add $web/32 dev eth0; " +
      "ip neigh flush dev cni0",
    kind: "duplicate-address",
    says: "and pod shell",
    shows: "/32",
    ends: "by chance",
  },
  {
    name: "two pods have one address, and one MAC that follows from it",
    on: "worker-2",
    break:
      "mac=$(nsenter --net=/run/netns/web ip -o link show eth0 | grep -o 'ether [^ ]*'); " +
      "nsenter --net=/run/netns/shell sh -euc 'ip link set eth0 address $1; " +
      "ip addr add $0/32 dev eth0; ping -c 1 -W 1 10.244.2.1 >/dev/null' $web ${mac#ether }; " +
      "ip neigh flush dev cni0",
    kind: "duplicate-address",
    says: "and pod shell both have 10.244.2.",
    shows: "/32",
    ends: "by chance",
  },
  {
    name: "a stranger on the bridge has a pod's address",
    on: "worker-2",
    break: "setsid unshare --net sleep 600 </dev/null >/dev/null 2>&1 & " +
      "echo $! >/run/stranger; at=/proc/$!/ns/net; " +
      'until [ "$(readlink $at)" != "$(readlink /proc/self/ns/net)" ]; do :; done; ' +
      "ip link add stranger master cni0 up type veth peer name eth0 netns $!; " +
      "nsenter --net=$at ip addr add $web/24 dev eth0; " +
      "nsenter --net=$at ip link set eth0 up",
    kind: "duplicate-address",
    says: "stranger",
    shows: "reply from",
    ends: "by chance",
    after: "kill $(cat /run/stranger)",
  },
  {
    name: "a node remembers somebody else's link-layer address",
    on: "worker-2",
    break: "ip neigh replace $web lladdr 02:00:00:00:00:99 dev cni0 " +
      "nud permanent",
    kind: "neighbour",
    says: "worker-2 has 02:00:00:00:00:99 written down for 10.244.2.",
    shows: "02:00:00:00:00:99",
    ends: ["there", "worker-2", "veth"],
  },
  {
    name: "a host on the segment has the address of the receiver's node",
    on: "outside",
    break: "ip addr add 10.0.1.12/32 dev segment",
    kind: "duplicate-address",
    blames: "worker-1",
    says: "two answer for 10.0.1.12 when worker-1 asks: worker-2",
    shows: `"ifname":"segment"`,
    ends: "by chance",
  },
  {
    name: "the receiver's node has the pod's address itself",
    on: "worker-2",
    break: "ip addr add $web/32 dev lo",
    kind: "duplicate-address",
    says: "lo of worker-2 has the address",
    shows: "inet 10.244.2.",
    ends: ["there", "worker-2", "input"],
  },
  {
    name: "the receiver's node has the sender's address itself",
    from: "worker-1",
    on: "worker-2",
    break: "ip addr add 10.0.1.11/32 dev lo",
    kind: "duplicate-address",
    says: "worker-2 has 10.0.1.11 itself, the address of worker-1",
    shows: '"type":"local"',
    ends: ["there", "worker-2", "routing"],
  },
  {
    name: "a cable of the segment carries less than pods send",
    on: "outside",
    break: "ip link set worker-2 mtu 1400",
    kind: "mtu",
    says: "worker-2 of outside carries 1400 bytes",
    shows: `"mtu":1400`,
    ends: ["there", "worker-1", "segment"],
  },
  {
    name: "a node's own link carries less than pods send",
    break: "ip link set eth0 mtu 1300",
    kind: "mtu",
    says: "eth0 of worker-1 carries 1300 bytes",
    shows: `"mtu":1300`,
    ends: ["there", "worker-1", "routing"],
  },
];

/** The links and addresses of a node's pods, for the shell lines of faults. */
async function podsOf(lab: TestLab, node: string): Promise<string> {
  if (node === "outside") return "";
  const found = await Promise.all(["web", "shell"].map(async (pod) => {
    const result: {
      interfaces: { name: string }[];
      ips: { address: string }[];
    } = JSON.parse(
      await lab.on(node, cmd`cat /run/deno-cni-pods/${pod}.json`),
    );
    const link = result.interfaces.find(({ name }) => name.startsWith("veth"));
    return [link?.name, result.ips[0]?.address.replace(/\/.*/, "")];
  }));
  const [[veth, web] = [], [caller, shell] = []] = found;
  return `veth=${veth}; web=${web}; caller=${caller}; shell=${shell};`;
}

Deno.test({
  ...needsRoot,
  name:
    "whatever keeps a packet from arriving is found where it is, and mended as advised (needs root)",
  async fn(t) {
    await using lab = await testLab("trace-faults");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    for (const fault of [...faults, ...strayFaults]) {
      const well = await t.step(fault.name, async () => {
        const {
          from = "worker-1/shell",
          to = "worker-2/web",
          on = "worker-1",
        } = fault;
        const line = `${await podsOf(lab, on)} ${fault.break}`;
        await lab.on(on, cmd`sh -euc ${line}`);
        const report = await traceHere(cluster, from, to);
        const text = JSON.stringify(report, undefined, 1);
        const { cause, hops, delivered } = report;
        assert(cause, text);
        assertEquals(cause.kind, fault.kind, text);
        assertEquals(cause.on, fault.blames ?? on, text);
        assertStringIncludes(cause.what, fault.says, text);
        const printed = cause.evidence
          .map(({ command, printed }) => `${command}\n${printed}`).join("\n");
        assertStringIncludes(printed, fault.shows, text);
        const last = hops.at(-1);
        if (fault.ends === "delivered") assert(delivered, text);
        else if (fault.ends !== "by chance") {
          assertEquals(
            [last?.direction, last?.node, last?.place, last?.outcome],
            [...fault.ends, "DROPPED"],
            text,
          );
          assertEquals(report.lastGood, hops.length - 2);
          assert(!delivered, text);
        }
        assert(cause.mend.length > 0, text);
        for (const advice of cause.mend) await follow(lab, advice);
        if (fault.after) await lab.on(on, cmd`sh -euc ${fault.after}`);
        const after = await traceHere(cluster, from, to);
        assertEquals(after.cause, undefined, JSON.stringify(after));
        assertEquals(after.delivered, true, JSON.stringify(after));
      });
      if (!well) return; // What was not mended would be seen by all others.
    }
    assertEquals(await leftovers(lab), "");
  },
});
