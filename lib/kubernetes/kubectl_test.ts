/** What kubectl printed on a real cluster, read. The files of testdata/ are from kubectl 1.20.2, shortened. */
// @ts-types="../std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Cause } from "../diagnosis/cause.ts";
import { remedyLine } from "../diagnosis/remedy.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import {
  isUp,
  KubectlError,
  type KubernetesState,
  podWords,
  readDns,
  readKubernetes,
} from "./kubectl.ts";
import { readResolved } from "../verify/kubernetes_dns.ts";
import { dnsFault, nodeFault, startFault } from "./faults.ts";
import { kubeconfigWords, readinessWords } from "./readiness.ts";
import { awaitAll } from "../verify/kubernetes_wait.ts";

const cluster = { ...labCluster({ name: "real", stateDir: "/nowhere" }) };

async function captured(name: string): Promise<KubernetesState> {
  const path = `${import.meta.dirname}/testdata/kubectl-${name}.json`;
  return readKubernetes(await Deno.readTextFile(path));
}

const linesOf = (cause: Cause | undefined) =>
  cause?.remedies.map((remedy) =>
    remedyLine(remedy, { file: "config/lab.yaml" })
  ) ?? [];

Deno.test("nodes, pods and the namespace are read from what kubectl prints", async () => {
  const { nodes, pods, namespace } = await captured("fine");
  assertEquals(
    [...nodes.values()].map(({ name, ready }) => [name, ready]),
    [["master", "True"], ["worker-1", "True"], ["worker-2", "True"]],
  );
  assertEquals(namespace, "ours");
  assertEquals(
    [...pods.values()].map((pod) => [pod.name, pod.node, isUp(pod)]),
    [
      ["shell-worker-1", "worker-1", true],
      ["shell-worker-2", "worker-2", true],
      ["web-worker-1", "worker-1", true],
      ["web-worker-2", "worker-2", true],
    ],
  );
  for (const { addresses, image } of pods.values()) {
    assertMatch(addresses.join(), /^10\.244\.[12]\.\d+$/);
    assertEquals(image, "docker.io/library/busybox:1");
  }
});

Deno.test("a namespace that is not there, somebody else's or on its way out is told apart", () => {
  const list = (metadata: Record<string, unknown>) =>
    readKubernetes(JSON.stringify({
      items: [{
        kind: "Namespace",
        metadata: { name: "deno-cni-verify", ...metadata },
      }],
    })).namespace;
  const labels = { "app.kubernetes.io/managed-by": "deno-cni" };
  assertEquals(readKubernetes('{"items":[]}').namespace, "none");
  assertEquals(list({}), "foreign");
  assertEquals(list({ labels }), "ours");
  assertEquals(
    list({ labels, deletionTimestamp: "2026-01-01T00:00:00Z" }),
    "leaving",
  );
});

Deno.test("what is no list of objects is an error that shows it", () => {
  for (const text of ["", "No resources found", "[]", '{"kind":"Status"}']) {
    assertThrows(
      () => readKubernetes(text),
      KubectlError,
      "kubectl printed no list of objects",
    );
  }
});

Deno.test("an image that cannot be had is one cause, in the registry's words, and the cluster file mends it", async () => {
  const { pods } = await captured("image");
  const pod = pods.get("shell-worker-1");
  assert(pod);
  assertEquals(isUp(pods.get("shell-worker-1")), false);
  const cause = startFault(pod, pod.name, "worker-1", cluster, "master");
  assertEquals(cause.kind, "image");
  assertEquals(
    cause.what,
    "the image of the test pods, docker.io/library/busybox:absent, cannot be had",
  );
  const [evidence] = cause.evidence;
  assertStringIncludes(evidence?.printed ?? "", "failed to resolve reference");
  assertStringIncludes(linesOf(cause)[0] ?? "", "kubernetes.testImage");
  assertEquals(linesOf(cause)[1], "make 09-verify");
});

Deno.test("a pod without a network is told in the plugin's own words", async () => {
  const { pods } = await captured("sandbox");
  const pod = pods.get("shell-worker-1");
  assertEquals(podWords(pod), "ContainerCreating");
  const cause = startFault(
    pod,
    "shell-worker-1",
    "worker-1",
    cluster,
    "master",
  );
  assertStringIncludes(
    cause.what,
    'pod shell-worker-1 gets no network: subnet is "10.244.1.0/31"',
  );
  assertEquals(
    linesOf(cause)[0],
    'make 03-cni-config ARGS="--node worker-1"',
  );
  assert(isUp(pods.get("web-worker-2")));
});

Deno.test("a pod that nobody has made, or that a kubelet refused, is told too", () => {
  const missing = startFault(undefined, "web-w", "w", cluster, "master");
  assertEquals(missing.what, "pod web-w does not run: not there");
  const { pods } = readKubernetes(JSON.stringify({
    items: [{
      kind: "Pod",
      metadata: { name: "web-w", uid: "1" },
      spec: { nodeName: "w" },
      status: {
        phase: "Failed",
        reason: "OutOfpods",
        message: "Node didn't have enough resource: pods",
      },
    }],
  }));
  const refused = startFault(
    pods.get("web-w"),
    "web-w",
    "w",
    cluster,
    "master",
  );
  assertEquals(refused.what, "pod web-w does not run: OutOfpods");
  assertStringIncludes(refused.evidence[0]?.printed ?? "", "enough resource");
});

Deno.test("a node is NotReady for a reason, and each reason has what mends it", async () => {
  const seen = await captured("kubelet");
  assertEquals(nodeFault("master", seen, "master"), undefined);
  const silent = nodeFault("worker-2", seen, "master");
  assertEquals(
    silent?.what,
    "worker-2 is NotReady: its kubelet has stopped reporting",
  );
  assertStringIncludes(
    silent?.evidence[0]?.printed ?? "",
    "Kubelet stopped posting node status",
  );
  assertStringIncludes(linesOf(silent)[0] ?? "", "systemctl restart kubelet");

  const bare = nodeFault("worker-1", await captured("bare"), "master");
  assertEquals(
    bare?.what,
    "worker-1 is NotReady: its container runtime sees no pod network",
  );
  assertEquals(linesOf(bare), ['make 03-cni-config ARGS="--node worker-1"']);

  const stranger = nodeFault("worker-9", seen, "master");
  assertEquals(stranger?.what, "worker-9 is no node of Kubernetes");
  assertEquals(linesOf(stranger), ['make 02-kubeadm ARGS="--node worker-9"']);
});

Deno.test("stage 02 ends by saying which nodes are Ready, and what the others wait for", async () => {
  const words = async (name: string) => {
    const path = `${import.meta.dirname}/testdata/kubectl-${name}.json`;
    const names = ["master", "worker-1", "worker-2"];
    const printed = await Deno.readTextFile(path);
    const file = "config/lab.yaml";
    return readinessWords(names, printed, "master", { file });
  };
  assertEquals(await words("fine"), "Ready: 3 of 3 nodes");
  assertEquals(
    await words("bare"),
    "Ready: 0 of 3 nodes\n" +
      "NotReady, for there is no pod network yet: master, worker-1, worker-2. " +
      "Next: make 03-cni-config",
  );
  assertEquals(
    await words("kubelet"),
    "Ready: 2 of 3 nodes\n" +
      "worker-2 is NotReady: its kubelet has stopped reporting",
  );
});

Deno.test("the operator's kubectl is told of ssh where that goes by another address than the API server's", () => {
  const [controlPlane] = cluster.nodes;
  assert(controlPlane);
  const kubectl = "kubectl --kubeconfig /state/real/kubeconfig";
  const own = {
    nodes: [controlPlane],
    stateDir: "/state/real",
    ssh: { user: "ubuntu" },
  };
  assertEquals(kubeconfigWords(own), `From here: ${kubectl} get nodes`);
  const ssh = { host: "master.example.org" };
  assertEquals(
    kubeconfigWords({ ...own, nodes: [{ ...controlPlane, ssh }] }),
    "From here, if 10.0.1.10 cannot be reached: " +
      "ssh -N -L 6443:10.0.1.10:6443 ubuntu@master.example.org &\n" +
      `  ${kubectl} --server https://127.0.0.1:6443 --tls-server-name 10.0.1.10 get nodes`,
  );
});

/** A clock that only waiting moves on, and answers in turn, the last again and again. */
function findings(answers: readonly KubernetesState[]) {
  const lines: string[] = [];
  let time_ms = 0;
  let asked = 0;
  return {
    lines,
    passed_ms: () => time_ms,
    waiting: {
      ask: () => {
        const at = Math.min(asked++, answers.length - 1);
        const answer = answers[at];
        assert(answer);
        return Promise.resolve(answer);
      },
      progress: (line: string) => void lines.push(line),
      stopping: () => false,
      now: () => time_ms,
      pause: (ms: number) => {
        time_ms += ms;
        return Promise.resolve();
      },
    },
  };
}

const wanted = {
  pods: ["shell-worker-1", "web-worker-2"],
  nodes: ["worker-1", "worker-2"],
};

Deno.test("waiting tells each change once, and ends when all is there", async () => {
  const sandbox = await captured("sandbox");
  const fine = await captured("fine");
  const { lines, waiting } = findings([sandbox, sandbox, fine]);
  const seen = await awaitAll(wanted, undefined, waiting);
  assertEquals(seen, fine);
  assertEquals(lines, [
    "09-verify: waiting for pod shell-worker-1 (ContainerCreating)",
  ]);
});

Deno.test("waiting ends early where there is no hope, and in any case", async () => {
  const limits = [
    ["image", { pods: ["shell-worker-1"], nodes: [] }, 20_000],
    ["sandbox", wanted, 30_000],
    ["kubelet", { pods: [], nodes: ["worker-2"] }, 5_000],
    ["fine", { pods: ["nobody"], nodes: [] }, 5_000],
    ["bare", { pods: [], nodes: ["worker-1"] }, 60_000],
  ] as const;
  for (const [name, what, most_ms] of limits) {
    const { waiting, passed_ms, lines } = findings([await captured(name)]);
    await awaitAll(what, undefined, waiting);
    assert(passed_ms() >= most_ms && passed_ms() <= most_ms + 1_000, name);
    assertEquals(lines.length, 1);
  }
});

Deno.test("many that wait for the same are counted", async () => {
  const { lines, waiting } = findings([await captured("sandbox")]);
  const pods = Array.from({ length: 40 }, (_, at) => `shell-node-${at}`);
  await awaitAll({ pods, nodes: [] }, undefined, waiting);
  assertEquals(lines, ["09-verify: waiting for 40 of them (not there)"]);
});

Deno.test("the cluster's DNS is ready where the service has an endpoint that is", () => {
  const answer = (stdout: string, code = 0) =>
    readDns({ code, stdout, stderr: "" });
  const behind = { addresses: [{ ip: "10.244.1.4" }] };
  const starting = { notReadyAddresses: [{ ip: "10.244.1.4" }] };
  assertEquals(answer(""), "none");
  assertEquals(answer("", 1), "none");
  assertEquals(answer('{"kind":"Endpoints"}'), "not ready");
  assertEquals(answer(JSON.stringify({ subsets: [starting] })), "not ready");
  assertEquals(
    answer(JSON.stringify({ subsets: [starting, behind] })),
    "ready",
  );
});

Deno.test("a name is resolved where an address follows it; else the resolver is quoted", () => {
  const said = (stdout: string, code = 0) =>
    readResolved({ code, stdout, stderr: "" });
  const server = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n";
  assertEquals(
    said(
      `${server}Name:\tkubernetes.default.svc.cluster.local\nAddress: 10.96.0.1\n`,
    ),
    { answer: "yes", address: "10.96.0.1" },
  );
  // busybox of before 2018.
  assertEquals(
    said(
      "Server:    10.96.0.10\nAddress 1: 10.96.0.10\n\n" +
        "Name:      kubernetes.default.svc.cluster.local\n" +
        "Address 1: 10.96.0.1 kubernetes.default.svc.cluster.local\n",
    ),
    { answer: "yes", address: "10.96.0.1" },
  );
  const silent = said(
    ";; connection timed out; no servers could be reached\n\n",
    1,
  );
  assertEquals(silent, {
    answer: "no",
    said: ";; connection timed out; no servers could be reached",
  });
  const cause = dnsFault("worker-1", "nslookup", "no servers", "master");
  assertEquals(cause.kind, "dns");
  assertStringIncludes(linesOf(cause).join("\n"), "k8s-app=kube-dns");
});
