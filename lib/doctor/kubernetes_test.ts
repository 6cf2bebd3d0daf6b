/** What the doctor reads of Kubernetes. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { found, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";
import { kubernetesCheck } from "./kubernetes.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import type { Outcome } from "../exec/command.ts";
import { clusterCIDRQuestion } from "../kubernetes/pod_cidrs.ts";
import { question } from "../kubernetes/kubectl.ts";

function ofKubernetes(outcome: Partial<Outcome>, made: Partial<Outcome> = {}) {
  const answer = { code: 0, stdout: "", stderr: "" };
  const lab = labCluster({ name: "lab", stateDir: "/nowhere" });
  const cluster = { ...lab, provider: "ssh" as const, file: "config/ssh.yaml" };
  const [node] = cluster.nodes.filter(({ role }) => role === "control-plane");
  if (node === undefined) throw new TypeError("a control plane");
  const host = hostWith();
  const asked = { from_s: 0, until_s: 0 };
  return kubernetesCheck.read({ cluster, node, host, nodes: [], asked }, [{
    where: node.name,
    command: question(),
    outcome: { ...answer, ...outcome },
  }, {
    where: node.name,
    command: clusterCIDRQuestion(),
    outcome: { ...answer, ...made },
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
  const stopped = one(
    ofKubernetes(
      list(node("master", "False", "container runtime is down"), ...workers),
    ),
  );
  assertStringIncludes(
    JSON.stringify(stopped),
    "systemctl restart containerd".split(" ").join('","'),
  );
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

Deno.test("podCIDRs that Kubernetes has otherwise than the stages are told by node, with what moves all of it", () => {
  const given = (name: string, ...podCIDRs: string[]) => ({
    ...node(name),
    spec: { podCIDR: podCIDRs[0], podCIDRs },
  });
  const seen = (one: string, other: string) =>
    ofKubernetes(
      list(node("master"), given("worker-1", one), given("worker-2", other)),
    );
  assertEquals(seen("10.244.1.0/24", "10.244.2.0/24"), []);
  const moved = one(seen("10.244.3.0/24", "10.244.2.0/24"));
  assertEquals(moved.is, "warning");
  assertStringIncludes(
    moved.what,
    "worker-1 has the podCIDR 10.244.3.0/24 in Kubernetes, and the stages go by 10.244.1.0/24",
  );
  const [first, second, ...more] = seen("10.244.2.0/24", "10.244.1.0/24");
  assertEquals(more, []);
  assertStringIncludes(
    first?.what ?? "",
    "10.244.1.0/24, which Kubernetes gave to worker-2",
  );
  assertStringIncludes(second?.what ?? "", "worker-2 has the podCIDR");
});

Deno.test("a clusterCIDR that was edited is kept by kube-controller-manager, which is said with the one command that moves it", () => {
  const well = list(node("master"), ...workers);
  const flag = (text: string, ...more: string[]) =>
    ofKubernetes(well, {
      stdout: [`    - --cluster-cidr=${text}`, ...more].join("\n") + "\n",
    });
  assertEquals(flag("10.244.0.0/16"), []);
  // A cluster of another making has no such file; a flag that makes no sense tells nothing.
  assertEquals(ofKubernetes(well, { code: 44 }), []);
  assertEquals(ofKubernetes(well, { code: 1 }), []);
  for (
    const text of ["10.240.0.0/12", "10.244.0.0/17", "10.244.0.0/16,fd00::/56"]
  ) {
    const finding = one(flag(text));
    assertEquals(finding.is, "warning");
    assertStringIncludes(
      finding.what,
      "clusterCIDR is 10.244.0.0/16 in config/ssh.yaml",
    );
    assertStringIncludes(finding.what, text.replace(",", ", "));
    assertStringIncludes(
      JSON.stringify(finding),
      "make up ARGS=--undo CLUSTER=config/ssh.yaml && make up CLUSTER=config/ssh.yaml",
    );
  }
});
