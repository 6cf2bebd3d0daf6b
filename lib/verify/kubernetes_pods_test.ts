// @ts-types="../std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { show } from "../exec/command.ts";
import { readKubernetes } from "../kubernetes/kubectl.ts";
import {
  applyStep,
  cacheKey,
  deletionSteps,
  insideOf,
  manifest,
  readCache,
  serviceName,
  templateOf,
} from "./kubernetes_pods.ts";
import { hostPort } from "./host_port.ts";
import { missingSteps } from "./kubernetes_start.ts";
import { localNode } from "../node/node.ts";
import { labCluster } from "../cluster/cluster_testing.ts";

const cluster = labCluster({ name: "real", stateDir: "/nowhere" });
const template = await templateOf(cluster);
const image = "docker.io/library/busybox:1.36";

Deno.test("config/pods.yaml is filled in for each node, its namespace once", () => {
  const text = manifest(template, ["worker-1", "worker-2"]);
  assertEquals(template.image, image);
  assertEquals(text.match(/^kind: Namespace$/gm)?.length, 1);
  assertEquals(text.match(/^kind: Pod$/gm)?.length, 4);
  assertEquals(
    [...text.matchAll(/^ {2}name: (\S+)$/gm)].map(([, name]) => name),
    [
      "deno-cni-verify",
      "deno-cni-verify",
      "shell-worker-1",
      "web-worker-1",
      "shell-worker-2",
      "web-worker-2",
    ],
  );
  assertEquals(
    [...text.matchAll(/^ {2}nodeName: (\S+)$/gm)].map(([, name]) => name),
    ["worker-1", "worker-1", "worker-2", "worker-2"],
  );
  assertEquals([...text.matchAll(/image: (\S+)$/gm)].length, 4);
  assertEquals(
    [...text.matchAll(RegExp(`hostPort: ${hostPort} `, "g"))].length,
    2,
  );
  assert(!text.includes("${"), text);
  assertEquals(
    applyStep(template, ["worker-1"]).run.stdin?.startsWith("#"),
    false,
  );
});

const seen = (
  pods: readonly {
    readonly name: string;
    readonly image?: string;
    readonly phase?: string;
    readonly leaving?: true;
    readonly address?: string;
  }[],
  namespace?: "leaving",
) =>
  readKubernetes(JSON.stringify({
    items: [
      {
        kind: "Namespace",
        metadata: {
          name: "deno-cni-verify",
          labels: { "app.kubernetes.io/managed-by": "deno-cni" },
          ...(namespace ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
        },
      },
      ...pods.map((pod) => ({
        kind: "Pod",
        metadata: {
          name: pod.name,
          ...(pod.leaving ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
        },
        spec: {
          nodeName: pod.name.replace(/^(web|shell)-/, ""),
          containers: [{ image: pod.image ?? image }],
        },
        status: {
          phase: pod.phase ?? "Running",
          ...(pod.address === undefined ? {} : { podIP: pod.address }),
        },
      })),
    ],
  }));

function stepsFor(found: ReturnType<typeof seen>): string[] {
  const kubernetes = {
    controlPlane: localNode("master"),
    template,
    seen: found,
    dns: "none",
  } as const;
  const workers = cluster.nodes.filter(({ role }) => role === "worker");
  return missingSteps(kubernetes, workers)
    .map(({ run }) =>
      show(run).replace("kubectl --kubeconfig /etc/kubernetes/admin.conf ", "")
    );
}

const all = ["shell-worker-1", "web-worker-1", "shell-worker-2", "web-worker-2"]
  .map((name) => ({ name }));

Deno.test("pods that are there are left alone, missing ones made, unusable ones made anew", () => {
  assertEquals(stepsFor(seen(all)), []);
  assertEquals(stepsFor(seen([])), ["apply -f -"]);
  assertEquals(stepsFor(seen(all.slice(1))), ["apply -f -"]);
  const remove = (names: string) => [
    `-n deno-cni-verify delete pod ${names} --ignore-not-found --timeout=120s`,
    "apply -f -",
  ];
  const others = all.slice(1);
  assertEquals(
    stepsFor(
      seen([...others, { name: "shell-worker-1", address: "10.244.1.5" }]),
    ),
    [],
  );
  for (
    const bad of [
      { image: "busybox:older" },
      { phase: "Failed" },
      { leaving: true },
      // The node had another podCIDR when it started.
      { address: "10.244.7.5" },
    ] as const
  ) {
    assertEquals(
      stepsFor(seen([...others, { name: "shell-worker-1", ...bad }])),
      remove("shell-worker-1"),
    );
  }
  const [pods = "", namespace = "", apply] = stepsFor(seen(all, "leaving"));
  assertMatch(pods, /delete pod --all/);
  assertMatch(namespace, /^delete namespace/);
  assertEquals(apply, "apply -f -");
});

Deno.test("what is there is taken away: some nodes' pods, or all with their namespace", () => {
  const lines = (steps: ReturnType<typeof deletionSteps>) =>
    steps.map(({ run }) => run.argv.slice(3, -2).join(" "));
  assertEquals(lines(deletionSteps(seen(all), ["worker-1"], false)), [
    "-n deno-cni-verify delete pod shell-worker-1 web-worker-1",
  ]);
  assertEquals(
    lines(deletionSteps(seen(all.slice(2)), ["worker-1"], false)),
    [],
  );
  assertEquals(lines(deletionSteps(seen([]), [], true)), [
    "-n deno-cni-verify delete pod --all",
    "delete namespace deno-cni-verify",
  ]);
  assertEquals(deletionSteps(readKubernetes('{"items":[]}'), [], true), []);
});

Deno.test("a command runs in a pod by kubectl exec, with its input where it has one", () => {
  const command = { argv: ["cat", "a b"] } as const;
  const exec = "kubectl --kubeconfig /etc/kubernetes/admin.conf " +
    "-n deno-cni-verify exec shell-worker-1";
  assertEquals(
    show(insideOf("shell", "worker-1", command)),
    `${exec} -- cat 'a b'`,
  );
  const fed = insideOf("shell", "worker-1", { ...command, stdin: "x" });
  assertEquals([show(fed), fed.stdin], [`${exec} -i -- cat 'a b'`, "x"]);
  assertEquals(
    show(insideOf("shell", "worker-1", command, true)),
    `${exec} -it -- cat 'a b'`,
  );
});

Deno.test("a runtime's cache tells where a pod's network namespace is, by name and address", () => {
  const line = (address: string, sandbox: string) =>
    JSON.stringify({
      kind: "cniCacheV1",
      ifName: "eth0",
      cniArgs: [
        ["K8S_POD_NAMESPACE", "deno-cni-verify"],
        ["K8S_POD_NAME", "shell-worker-1"],
      ],
      result: {
        cniVersion: "1.0.0",
        interfaces: [
          { name: "cni0" },
          { name: "veth1" },
          { name: "eth0", sandbox },
        ],
        ips: [{ address: `${address}/24`, gateway: "10.244.1.1" }],
      },
    });
  const found = readCache([
    line("10.244.1.5", "/var/run/netns/cni-old"),
    "",
    "{cut off",
    line("10.244.1.6", "/var/run/netns/cni-new"),
    '{"kind":"cniCacheV1"}',
  ].join("\n"));
  assertEquals(found.size, 2);
  const now = found.get(cacheKey("shell-worker-1", "10.244.1.6"));
  assertEquals(now?.sandbox, "/var/run/netns/cni-new");
  assertEquals(now?.result.hostLinks, ["cni0", "veth1"]);
});

Deno.test("a service is named by its node as far as a service's name may be", () => {
  assertEquals(serviceName("worker-1"), "web-worker-1");
  const dotted = serviceName("worker-1.example.org");
  assertMatch(dotted, /^web-[0-9a-f]{12}$/);
  assertMatch(serviceName("a".repeat(63)), /^web-[0-9a-f]{12}$/);
  const text = manifest(template, ["worker-1.example.org"]);
  assertStringIncludes(text, `name: "${dotted}"`);
  assertStringIncludes(text, "name: web-worker-1.example.org\n");
});
