/** What the doctor reads of objects of Kubernetes that ask the pod network for more. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import type { Outcome } from "../exec/command.ts";
import { networkPolicies } from "./network_policies.ts";

const lab = labCluster({ name: "machines", stateDir: "/nowhere" });
const machines = { ...lab, provider: "ssh" as const };
const node = machines.nodes.find(({ role }) => role === "control-plane")!;
const host = hostWith();
const context = {
  cluster: machines,
  node,
  host,
  nodes: [],
  asked: { from_s: 0, until_s: 0 },
};

/** What is found where kubectl printed this. */
function policies(outcome: Partial<Outcome>) {
  const [command] = networkPolicies.asks?.(context) ?? [];
  return networkPolicies.read(context, [{
    where: node.name,
    command: command!,
    outcome: { code: 0, stdout: "", stderr: "", ...outcome },
  }]);
}

const refused = {
  code: 1,
  stderr: "The connection to the server 10.0.1.10:6443 was refused - did you " +
    "specify the right host or port?\n",
};

Deno.test("NetworkPolicies that nothing enforces are named, as many as fit", () => {
  assertEquals(policies({ stdout: "DaemonSet kube-system/kube-proxy\n" }), []);
  const lone = one(policies({
    stdout: "NetworkPolicy shop/deny\nDaemonSet kube-system/kube-proxy\n",
  }));
  assertEquals(lone.is, "warning");
  assertStringIncludes(lone.what, "the NetworkPolicy shop/deny is enforced by");
  const many = one(policies({
    stdout: [1, 2, 3, 4, 5].map((at) => `NetworkPolicy shop/p${at}\n`).join(""),
  }));
  assertStringIncludes(many.what, "5 NetworkPolicies are enforced by nothing");
  assertStringIncludes(many.what, "(shop/p1, shop/p2, shop/p3 and 2 more)");
});

Deno.test("where an agent enforces NetworkPolicies, they are no trouble", () => {
  for (const agent of ["kube-router", "calico-node", "canal", "cilium"]) {
    const stdout = `NetworkPolicy a/b\nDaemonSet kube-system/${agent}\n`;
    assertEquals(policies({ stdout }), [], agent);
  }
  // An application by a similar name is none.
  const stdout = "NetworkPolicy a/b\nDaemonSet calico/web\n";
  assertEquals(policies({ stdout }).length, 1);
});

Deno.test("an API server that does not answer is told once, by the check of Kubernetes", () => {
  assertEquals(one(policies(refused)).is, "does not apply");
  const ports = found("host-ports", [refused, {}], { cluster: machines });
  assertEquals(one(ports).is, "does not apply");
  const forbidden = { code: 1, stderr: "Error from server (Forbidden): no\n" };
  assertEquals(one(policies(forbidden)).is, "unknown");
});

const portmap = hostWith([
  `"type": "deno-cni"`,
  `"type": "portmap" }, { "type": "deno-cni"`,
]);

const pods = "default/web||10.244.1.2|8080 8443\ndefault/plain||10.244.1.7|\n" +
  "kube-system/own|true|10.0.1.11|53\n";

/** As iptables-save prints portmap's rules for a port. */
const rule = (port: number, address = "10.244.1.2") =>
  `-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name" -m multiport ` +
  `--dports ${port} -j CNI-DN-cdf7d8\n` +
  `-A CNI-DN-cdf7d8 -p tcp -m tcp --dport ${port} -j DNAT --to-destination ` +
  `${address}:80\n`;

const at = (stdout: string, host = portmap) =>
  found("host-ports", [{ stdout: pods }, { stdout }], {
    host,
    cluster: machines,
  });

Deno.test("a pod whose hostPorts no rule maps is named with its ports; one on the host's network maps its own", () => {
  assertEquals(at(rule(8080) + rule(8443)), []);
  const both = one(at(rule(80)));
  assertStringIncludes(
    both.what,
    "the pod default/web asks for the ports 8080, 8443 of the node",
  );
  assertStringIncludes(both.what, "it is older than portmap");
  const part = one(at(rule(8080)));
  assertStringIncludes(part.what, "asks for the port 8443 of the node");
  assertEquals(mendOf(part).length, 1);
  assertStringIncludes(mendOf(part)[0] ?? "", "-n default delete pod web");
});

Deno.test("a rule that leads to a pod which is gone takes the port from the pod that asks for it, and is emptied", () => {
  // The worker's pods have 10.244.1.2 and 10.244.1.3.
  const list = "default/web||10.244.1.2|8080\n";
  const both = rule(8080, "10.244.1.99") + rule(8080, "10.244.1.2");
  const stale = one(
    found("host-ports", [{ stdout: list }, { stdout: both }], {
      host: portmap,
      cluster: machines,
    }),
  );
  assertStringIncludes(stale.what, "to 10.244.1.99, which no pod has");
  const [empty] = mendOf(stale);
  assertStringIncludes(empty ?? "", "iptables -w -t nat -F CNI-DN-cdf7d8");
});

Deno.test("rules of CRI-O and of portmap's nftables map a port as well", () => {
  const crio = [8080, 8443].map((port) =>
    `-A KUBE-HOSTPORTS -p tcp -m tcp --dport ${port} -j KUBE-HP-AB\n` +
    "-A KUBE-HP-AB -p tcp -m tcp -j DNAT --to-destination 10.244.1.2:80\n"
  ).join("");
  assertEquals(at(crio), []);
  const nft = [8080, 8443].map((port) =>
    `    ip daddr 10.0.1.11 tcp dport ${port} dnat ip to 10.244.1.2:80\n`
  ).join("");
  assertEquals(at(nft), []);
});

Deno.test("without portmap the mend is to install it, to chain it, and to make the pod anew", () => {
  const finding = one(at("", hostWith()));
  assertStringIncludes(finding.what, "has no portmap");
  const [install, stage, anew] = mendOf(finding);
  assertStringIncludes(install ?? "", "containernetworking-plugins");
  assertStringIncludes(stage ?? "", "make 03-cni-config");
  assertStringIncludes(anew ?? "", "delete pod web");
});
