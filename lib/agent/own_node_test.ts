// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { testApiServer, testNode } from "../apiserver/api_server_testing.ts";
import { apiClient } from "../apiserver/client.ts";
import type { ClusterNode } from "../cluster/cluster.ts";
import { vtepMac } from "../net/vxlan.ts";
import { isSameNode, type NodeRecord, readNode } from "./node_record.ts";
import { nodeReporter, type Trouble } from "./node_report.ts";
import { tellKubernetes } from "./own_node.ts";

const record = readNode(testNode("one", "10.0.1.11", "10.244.1.0/24"));
const planned: ClusterNode = {
  name: "one",
  role: "worker",
  address: "10.0.1.11",
  addresses: ["10.0.1.11"],
  podCIDRs: ["10.244.1.0/24"],
};
const tunnels: ClusterNode = { ...planned, vtep: "10.0.1.11" };

/** What the API server is sent after such a run. */
async function sent(
  more: Partial<NodeRecord>,
  of: ClusterNode | undefined,
  isUp = true,
  troubles: readonly Trouble[] = [],
) {
  await using api = testApiServer();
  using client = apiClient({ server: api.url });
  const { signal } = new AbortController();
  const reporter = nodeReporter(client, "one");
  const told = { troubles, isUp, planned: of, record: { ...record, ...more } };
  await tellKubernetes(reporter, told, signal);
  await tellKubernetes(reporter, { ...told, record }, signal);
  return api.got.map(({ method, path, body }) => ({
    asked: `${method} ${path}`,
    body: JSON.parse(body),
  }));
}

const annotations = (address: string | null, mac: string | null) => ({
  metadata: {
    annotations: { "deno-cni/vtep-address": address, "deno-cni/vtep-mac": mac },
  },
});

Deno.test("where a node's tunnels end is told where the Node does not say it, and taken back with them", async () => {
  const mac = vtepMac("one");
  const right = annotations("10.0.1.11", mac);
  const none = annotations(null, null);
  const first = async (more: Partial<NodeRecord>, of: ClusterNode) =>
    (await sent(more, of))[0]?.body;
  assertEquals(await first({}, tunnels), right);
  assertEquals(await first({ vtep: "10.0.1.9", vtepMac: mac }, tunnels), right);
  assertEquals(await first({ vtep: "10.0.1.11" }, tunnels), right);
  assertEquals(
    await first({ vtep: "10.0.1.11", vtepMac: mac }, planned),
    none,
  );
  assertEquals(await sent({}, planned), []);
  assertEquals(await sent({ vtep: "10.0.1.9" }, undefined), []);
});

Deno.test("NetworkUnavailable is made False where a cloud set it, after a run that went well", async () => {
  const cloud = { networkUnavailable: true } as const;
  const [one, ...more] = await sent(cloud, planned);
  assertEquals(one?.asked, "PATCH /api/v1/nodes/one/status");
  const { type, status, reason } = one?.body.status.conditions[0];
  assertEquals([type, status, reason], [
    "NetworkUnavailable",
    "False",
    "DenoCniIsUp",
  ]);
  assertEquals(more, []);
  assertEquals(await sent(cloud, planned, false), []);
});

Deno.test("one and the same trouble is one Event, though it is told after each run", async () => {
  const trouble = { reason: "Refused", message: "x".repeat(3000) };
  const events = await sent({}, planned, false, [trouble, trouble]);
  assertEquals(events.map(({ asked }) => asked), [
    "POST /api/v1/namespaces/default/events",
  ]);
  const { body } = events[0]!;
  assertEquals([body.message.length, body.type], [1000, "Warning"]);
  assertEquals(body.involvedObject, {
    ...{ apiVersion: "v1", kind: "Node", name: "one", uid: "one" },
  });
});

Deno.test("what a node says of itself concerns itself alone", () => {
  for (
    const more of [{ vtep: "10.0.1.9" }, { vtepMac: "x" }, {
      networkUnavailable: true,
    }] as const
  ) {
    assertEquals(isSameNode({ ...record, ...more }, record, false), true);
    assertEquals(isSameNode({ ...record, ...more }, record, true), false);
  }
  const moved = { ...record, addresses: ["10.0.1.9"] };
  assertEquals(isSameNode(moved, record, false), false);
});
