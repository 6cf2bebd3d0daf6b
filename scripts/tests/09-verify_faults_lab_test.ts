/** Stage 09 on a whole lab after each thing that can be taken away by hand. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import type { CauseKind } from "../../lib/diagnosis/cause.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  runAll,
  verified,
  verifiedWell,
} from "./verify_testing.ts";

/** A thing to take away by hand, and what 09 must say of it. */
interface Fault {
  readonly name: string;
  readonly on?: string;
  /** A line for a shell; `$veth` is the host veth of the pod "web", `$caller` that of "shell". */
  readonly break: string;
  readonly kind: CauseKind;
  /** Part of what is said to be wrong. */
  readonly says: string;
  /** Part of the evidence. */
  readonly shows: string;
}

const faults: readonly Fault[] = [
  {
    name: "ip_forward is switched off",
    break: "sysctl -w net.ipv4.ip_forward=0",
    kind: "forwarding",
    says: "net.ipv4.ip_forward is off",
    shows: "0",
  },
  {
    name: "the FORWARD rule for what pods send is gone",
    break:
      "iptables -w -D FORWARD -s 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT",
    kind: "rule",
    says: "lacks a rule of 06-forwarding",
    shows: "FORWARD -s 10.244.0.0/16",
  },
  {
    name: "the FORWARD rule for what pods get is gone",
    break:
      "iptables -w -D FORWARD -d 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT",
    kind: "rule",
    says: "lacks a rule of 06-forwarding",
    shows: "FORWARD -d 10.244.0.0/16",
  },
  {
    name: "all of FORWARD is flushed",
    break: "iptables -w -F FORWARD",
    kind: "rule",
    says: "lacks 2 rules of 06-forwarding",
    shows: "-P FORWARD DROP",
  },
  {
    name: "somebody's rule drops what pods send, ahead of ours",
    break: "iptables -w -I FORWARD -s 10.244.1.0/24 -j DROP",
    kind: "rule",
    says: "a rule of worker-1 that is not this tool's says DROP",
    shows: "-A FORWARD -s 10.244.1.0/24 -j DROP",
  },
  {
    name: "somebody's chain rejects what comes in for pods",
    break: "iptables -w -N THEIRS; iptables -w -A THEIRS -i eth0 -o cni0 " +
      "-m conntrack --ctstate NEW -j REJECT; iptables -w -I FORWARD -j THEIRS",
    kind: "rule",
    says: "says REJECT",
    shows: "-A THEIRS -i eth0 -o cni0",
  },
  {
    name: "the rule in nat is gone",
    break: "iptables -w -t nat -F POSTROUTING",
    kind: "masquerade",
    says: "worker-1 does not masquerade",
    shows: "POSTROUTING -s 10.244.1.0/24",
  },
  {
    name: "the rule in nat is the one that circulates",
    break: "iptables -w -t nat -F POSTROUTING; iptables -w -t nat " +
      "-A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE",
    kind: "masquerade",
    says: "rule of no NAT between pods is broken",
    shows: "-A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE",
  },
  {
    name: "a route is gone from one worker",
    break: "ip route del 10.244.2.0/24",
    kind: "route",
    says: "worker-1 has no route to the pods of worker-2",
    shows: "[]",
  },
  {
    name: "a route is gone from the other worker",
    on: "worker-2",
    break: "ip route del 10.244.1.0/24",
    kind: "route",
    says: "worker-2 has no route to the pods of worker-1",
    shows: "[]",
  },
  {
    name: "a route goes somewhere else",
    break: "ip route replace 10.244.2.0/24 via 10.0.1.1",
    kind: "route",
    says: "another route to the pods of worker-2",
    shows: `"gateway":"10.0.1.1"`,
  },
  {
    name: "the bridge is down",
    break: "ip link set cni0 down",
    kind: "bridge",
    says: "cni0 is down on worker-1",
    shows: "cni0",
  },
  {
    name: "the bridge has no address",
    break: "ip addr del 10.244.1.1/24 dev cni0",
    kind: "bridge-address",
    says: "lacks 10.244.1.1/24",
    shows: `"addresses":[`,
  },
  {
    name: "the bridge is gone",
    break: "ip link del cni0",
    kind: "bridge",
    says: "cni0 is gone from worker-1",
    shows: "eth0",
  },
  {
    name: "a pod's host veth is unplugged",
    break: "ip link set $veth nomaster",
    kind: "pod-link",
    says: "the host veth of pod web on worker-1, is not plugged into cni0",
    shows: "veth",
  },
  {
    name: "a pod's host veth is down",
    break: "ip link set $caller down",
    kind: "pod-link",
    says: "the host veth of pod shell on worker-1, is down",
    shows: "veth",
  },
  {
    name: "a pod's host veth is gone",
    break: "ip link del $veth",
    kind: "pod-link",
    says: "eth0 of pod web on worker-1 is gone",
    shows: "does not exist",
  },
  {
    name: "a pod has no default route",
    break: "nsenter --net=/run/netns/shell ip route del default",
    kind: "pod-route",
    says: "pod shell on worker-1 has no default route",
    shows: "10.244.1.0/24",
  },
  {
    name: "a pod has no address",
    break: "nsenter --net=/run/netns/web ip addr flush dev eth0",
    kind: "pod-address",
    says: "pod web on worker-1 lost its address",
    shows: `"addresses":[`,
  },
  {
    name: "a pod's own link is down",
    break: "nsenter --net=/run/netns/web ip link set eth0 down",
    kind: "pod-link",
    says: "eth0 of pod web on worker-1 is down",
    shows: "eth0",
  },
  {
    name: "a node's link to the others is down",
    break: "ip link set eth0 down",
    kind: "segment",
    says: "eth0, the link of worker-1 to the other nodes, is down",
    shows: "eth0",
  },
  {
    name: "a node has no default route",
    break: "ip route del default",
    kind: "node-route",
    says: "worker-1 has no default route",
    shows: "10.244.2.0/24",
  },
  {
    name: "the network configuration is gone",
    break: "rm /etc/cni/net.d/*",
    kind: "configuration",
    says: "no network configuration",
    shows: "no .conf",
  },
  {
    name: "the plugin is gone",
    break: "rm /opt/cni/bin/deno-cni",
    kind: "executable",
    says: "lacks deno-cni",
    shows: "nothing",
  },
  {
    name: "a pod's lease is gone",
    break: "rm /run/deno-cni/networks/deno-cni/10.244.*",
    kind: "check",
    says: "CHECK says that a pod on worker-1 is not as ADD left it",
    shows: "lease",
  },
];

/** The host veths of a node's pods, for the shell lines of faults. */
async function vethsOf(lab: TestLab, node: string): Promise<string> {
  const names = await Promise.all(["web", "shell"].map(async (pod) => {
    const result: { interfaces: { name: string }[] } = JSON.parse(
      await lab.on(node, cmd`cat /run/deno-cni-pods/${pod}.json`),
    );
    return result.interfaces.find(({ name }) => name.startsWith("veth"))?.name;
  }));
  return `veth=${names[0]}; caller=${names[1]};`;
}

Deno.test({
  ...needsRoot,
  name:
    "each thing taken away by hand is named with its evidence, and mended as advised (needs root)",
  async fn(t) {
    await using lab = await testLab("verify-faults");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    for (const fault of faults) {
      const well = await t.step(fault.name, async () => {
        const on = fault.on ?? "worker-1";
        const line = `${await vethsOf(lab, on)} ${fault.break}`;
        await lab.on(on, cmd`sh -euc ${line}`);
        const { report, text } = await verified(cluster);
        assert(!report.passed, text);
        assertEquals(report.causes.map(({ kind }) => kind), [fault.kind], text);
        const [cause] = report.causes;
        assert(cause);
        assertStringIncludes(cause.what, fault.says, text);
        const printed = cause.evidence
          .map(({ command, printed }) => `${command}\n${printed}`).join("\n");
        assertStringIncludes(printed, fault.shows, text);
        assert(cause.mend.length > 0, text);
        for (const advice of cause.mend) await follow(lab, advice, cluster);
      });
      if (!well) return; // What was not mended would be seen by all others.
    }
    const { report, text } = await verifiedWell(cluster);
    assert(report.passed, text);
  },
});
