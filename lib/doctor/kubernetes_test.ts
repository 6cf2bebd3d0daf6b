/** What the doctor reads of Kubernetes. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { found, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";
import { kubernetesCheck } from "./kubernetes.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import type { Outcome } from "../exec/command.ts";
import { question } from "../kubernetes/kubectl.ts";

function ofKubernetes(outcome: Partial<Outcome>) {
  const lab = labCluster({ name: "lab", stateDir: "/nowhere" });
  const cluster = { ...lab, provider: "ssh" as const, file: "config/ssh.yaml" };
  const [node] = cluster.nodes.filter(({ role }) => role === "control-plane");
  if (node === undefined) throw new TypeError("a control plane");
  const host = hostWith();
  const asked = { from_s: 0, until_s: 0 };
  return kubernetesCheck.read({ cluster, node, host, nodes: [], asked }, [{
    where: node.name,
    command: question(),
    outcome: { code: 0, stdout: "", stderr: "", ...outcome },
  }]);
}

const node = (name: string, status = "True", reason = "KubeletReady") => ({
  kind: "Node",
  metadata: { name },
  status: {
    addresses: [{ type: "InternalIP", address: "10.0.1.13" }],
    conditions: [{ type: "Ready", status, reason, message: reason }],
  },
});

const list = (...items: readonly unknown[]) => ({
  stdout: JSON.stringify({ items }),
});

const workers = [node("worker-1"), node("worker-2")];

Deno.test("a Kubernetes whose nodes are those of the file, all Ready, is well", () => {
  assertEquals(ofKubernetes(list(node("master"), ...workers)), []);
});

Deno.test("an API server that does not answer is a fault, not a cluster without nodes", () => {
  const finding = one(ofKubernetes({ code: 1, stderr: "refused\nrefused\n" }));
  assertEquals(finding.is, "fault");
  assertStringIncludes(finding.what, "the API server does not answer");
  assertEquals(one(ofKubernetes({ stdout: "garbage {" })).is, "fault");
});

Deno.test("a node that is NotReady is named with why, and one that is in no file with the line to add", () => {
  const unready = one(
    ofKubernetes(list(node("master", "Unknown"), ...workers)),
  );
  assertStringIncludes(unready.what, "master is NotReady: its kubelet");
  const late = one(
    ofKubernetes(list(node("master"), ...workers, node("late"))),
  );
  assertEquals(late.is, "warning");
  assertStringIncludes(late.what, "Kubernetes has the node late");
});

Deno.test("where kubeadm has not been, and on workers and labs, nothing is asked of Kubernetes", () => {
  assertEquals(one(ofKubernetes({ code: 44 })).is, "not yet");
  assertEquals(one(found("kubernetes", [])).is, "does not apply");
});
