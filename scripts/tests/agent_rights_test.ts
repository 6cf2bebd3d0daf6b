/** What the agent does at the API server, beside what the manifest lets it do there. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type NodeRecord, readNode } from "../../lib/agent/node_record.ts";
import { nodeReporter } from "../../lib/agent/node_report.ts";
import { tellKubernetes } from "../../lib/agent/own_node.ts";
import {
  testApiServer,
  testNode,
} from "../../lib/apiserver/api_server_testing.ts";
import { apiClient } from "../../lib/apiserver/client.ts";
import { followObjects } from "../../lib/apiserver/follow.ts";
import { twoSegmentsCluster } from "../../lib/cluster/cluster_testing.ts";
import { readYaml } from "../../lib/cluster/yaml.ts";
import { cmd } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { run } from "../../lib/exec/run.ts";

/** The right that a request needs, as "verb resource" ("Authorization Overview"). */
function rightOf(method: string, path: string, query: URLSearchParams): string {
  const [, resource = "", name, sub] =
    /^\/api\/v1\/(?:namespaces\/[^/]+\/)?(\w+)(?:\/([^/]+)(?:\/(\w+))?)?$/.exec(
      path,
    ) ?? [];
  const verbs: Readonly<Record<string, string>> = {
    GET: name !== undefined
      ? "get"
      : query.get("watch") === "true"
      ? "watch"
      : "list",
    POST: "create",
    PATCH: "patch",
  };
  return `${verbs[method]} ${[resource, sub].filter(Boolean).join("/")}`;
}

async function granted(): Promise<string[]> {
  const path = `${projectRoot}/config/kubernetes/deno-cni.yaml`;
  const parts = (await Deno.readTextFile(path)).split(/^---$/m);
  const role = parts.map((part) => readYaml(part, path).value)
    .find((value) => (value as { kind: string }).kind === "ClusterRole");
  const { rules } = role as {
    rules: { resources: string[]; verbs: string[] }[];
  };
  return rules.flatMap(({ resources, verbs }) =>
    resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`))
  );
}

/** An API server that has each Event already, in front of the tests' own. */
function withEvents(url: string, seen: Set<string>) {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (
    request,
  ) => {
    const { pathname, search, searchParams } = new URL(request.url);
    seen.add(rightOf(request.method, pathname, searchParams));
    if (request.method === "POST") {
      return Response.json({ message: "already exists" }, { status: 409 });
    }
    return request.method === "GET"
      ? fetch(`${url}${pathname}${search}`)
      : Response.json({ kind: "Status" });
  });
}

Deno.test("the agent may do at the API server what it does there, and nothing else", async () => {
  await using api = testApiServer();
  api.put(testNode("worker-1", "10.0.1.11", "10.244.1.0/24"));
  const seen = new Set<string>();
  await using server = withEvents(api.url, seen);
  using client = apiClient({ server: `http://127.0.0.1:${server.addr.port}` });
  const ending = new AbortController();
  const { promise: watching, resolve } = Promise.withResolvers<void>();
  const follower = followObjects<NodeRecord>(client, {
    all: () => {},
    changed: () => resolve(),
    removed: () => {},
    reached: () => api.put(testNode("other", "10.0.1.12", "10.244.2.0/24")),
  }, { path: "/api/v1/nodes", pick: readNode, signal: ending.signal });
  await watching;
  const [planned] = twoSegmentsCluster({ name: "lab", stateDir: "/n" }).nodes;
  assert(planned?.vtep);
  const { vtep: _, ...bare } = planned;
  const record = { ...bare, isControlPlane: false, networkUnavailable: true };
  await tellKubernetes(nodeReporter(client, "worker-1"), {
    troubles: [{ reason: "Refused", message: "a foreign cni0" }],
    isUp: true,
    planned,
    record: record as NodeRecord,
  }, ending.signal);
  ending.abort();
  await follower;
  assertEquals([...seen].toSorted(), (await granted()).toSorted());
});

const wrong = `clusterCIDR: 10.244.0.0/33
bridge: eth0
cniVersion: 9.9.9
mtu: tiny
routes: pigeons
nodeMsak: 24
firewall: none
plugin: {hairpin: maybe, colour: red}
`;

Deno.test("a network that the agent cannot use is told by its log and by an Event, each key with its line", async () => {
  const folder = await Deno.makeTempDir();
  await using api = testApiServer();
  try {
    await Deno.writeTextFile(`${folder}/cluster.yaml`, wrong);
    await Deno.writeTextFile(
      `${folder}/kubeconfig`,
      `current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: "${api.url}"}}]
users: [{name: a, user: {token: none}}]
`,
    );
    const outcome = await run(
      cmd`${Deno.execPath()} run -A --no-check ${projectRoot}/scripts/agent.ts run --node worker-1 --config ${folder}/cluster.yaml --kubeconfig ${folder}/kubeconfig`,
      { timeout_ms: 120_000 },
    );
    assertEquals(outcome.code, 2, outcome.stderr);
    const [event] = api.got.filter(({ method }) => method === "POST");
    assert(event, "no Event");
    const { reason, message, involvedObject } = JSON.parse(event.body);
    assertEquals([reason, involvedObject.name], [
      "BadConfiguration",
      "worker-1",
    ]);
    for (const text of [outcome.stderr, message]) {
      for (
        const said of [
          "cluster.yaml:1: clusterCIDR: ",
          "cluster.yaml:2: bridge: eth0 is a name of the machine's own links",
          "cluster.yaml:3: cniVersion: ",
          "cluster.yaml:4: mtu: ",
          "cluster.yaml:5: routes: ",
          "cluster.yaml:6: nodeMsak: ",
          "cluster.yaml:7: firewall: ",
        ]
      ) assertStringIncludes(text, said);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
