// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isTunnelled } from "../cluster/tunnels.ts";
import { parseNetworkPart } from "../cluster/network_part.ts";
import { clusterOfNodes } from "./cluster_of_nodes.ts";
import { type NodeRecord, readNode } from "./node_record.ts";

const network = (more = "") =>
  parseNetworkPart(`clusterCIDR: 10.244.0.0/16\n${more}`, "cluster.yaml");

const node = (name: string, address: string, podCIDR?: string) =>
  readNode({
    metadata: { name },
    spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
    status: { addresses: [{ type: "InternalIP", address }] },
  });

const held = [
  { address: "127.0.0.1", prefixLength: 8 },
  { address: "10.0.1.11", prefixLength: 24 },
];
const one = node("one", "10.0.1.11", "10.244.1.0/24");
const near = node("near", "10.0.1.12", "10.244.2.0/24");
const far = node("far", "10.0.2.13", "10.244.3.0/24");

/** The nodes to which tunnels lead from `one`; "host" where there are none at all. */
function tunnels(part: ReturnType<typeof network>, nodes: NodeRecord[]) {
  const plan = clusterOfNodes(part, nodes, "one", held);
  assert("cluster" in plan, JSON.stringify(plan));
  const { cluster, own } = plan;
  if (cluster.routes === "host") return "host";
  return cluster.nodes.filter((other) =>
    other !== own && isTunnelled(cluster, own, other)
  ).map(({ name }) => name);
}

Deno.test("auto has plain routes on one segment, and tunnels to the nodes beyond it", () => {
  const part = network("routes: auto\n");
  assertEquals(tunnels(part, [one, near]), "host");
  assertEquals(tunnels(part, [one, near, far]), ["far"]);
  assertEquals(tunnels(network(), [one, near, far]), "host");
  assertEquals(tunnels(network("routes: vxlan\n"), [one, near]), []);
  const all = network("routes: vxlan\nvxlan: { direct: false }\n");
  assertEquals(tunnels(all, [one, near]), ["near"]);
});

Deno.test("a node with an address that none of its links has is on a segment of its own", () => {
  const plan = clusterOfNodes(
    network("routes: auto\n"),
    [one, near],
    "one",
    [],
  );
  assert("cluster" in plan);
  assertEquals(plan.cluster.segments?.[0]?.cidrs, ["10.0.1.11/32"]);
  assertEquals(plan.cluster.routes, "vxlan");
});

Deno.test("a node without an address is no peer yet, one without a podCIDR has no routes", () => {
  const unborn = readNode({ metadata: { name: "unborn" } });
  const bare = node("bare", "10.0.1.14");
  const plan = clusterOfNodes(network(), [one, unborn, bare], "one", held);
  assert("cluster" in plan);
  assertEquals(
    plan.cluster.nodes.map(({ name, podCIDRs }) => [name, ...podCIDRs]),
    [["one", "10.244.1.0/24"], ["bare"]],
  );
});

Deno.test("what keeps a node from its network is told with what to do", () => {
  const why = (self: NodeRecord, name = "one") => {
    const plan = clusterOfNodes(network(), [self, near], name, held);
    assert("unplannable" in plan);
    return `${plan.unplannable.reason}: ${plan.unplannable.message}`;
  };
  const bare = why(node("one", "10.0.1.11"));
  assertStringIncludes(bare, "NoPodCIDR: Node one has no podCIDR");
  assertStringIncludes(bare, "--pod-network-cidr=10.244.0.0/16");
  const stray = why(node("one", "10.0.1.11", "192.168.0.0/24"));
  assertStringIncludes(
    stray,
    "PodCIDROutside: Node one has the podCIDR 192.168",
  );
  assertStringIncludes(
    why(one, "none"),
    "NodeUnknown: Kubernetes has no Node none",
  );
});

Deno.test("of a Node object that is kept which other nodes need", () => {
  const record = readNode({
    metadata: {
      name: "one",
      labels: { "node-role.kubernetes.io/master": "" },
      annotations: { "deno-cni/vtep-address": "10.0.1.99", other: "x" },
    },
    spec: {
      podCIDR: "10.244.1.0/24",
      podCIDRs: ["10.244.1.0/24", "fd00:1::/64"],
    },
    status: {
      addresses: [
        { type: "Hostname", address: "one" },
        { type: "ExternalIP", address: "203.0.113.7" },
        { type: "InternalIP", address: "10.0.1.11" },
        { type: "InternalIP", address: "10.9.9.9" },
        { type: "InternalIP", address: "fd00::11" },
        { type: "InternalIP", address: "no address" },
      ],
      conditions: [{ type: "NetworkUnavailable", status: "True" }],
    },
  });
  assertEquals(record, {
    name: "one",
    isControlPlane: true,
    addresses: ["10.0.1.11", "fd00::11"],
    podCIDRs: ["10.244.1.0/24", "fd00:1::/64"],
    vtep: "10.0.1.99",
    networkUnavailable: true,
  });
});

Deno.test("the tunnels end where the nodes are, whatever annotations say", () => {
  const says = (vtep: string): NodeRecord => ({ ...far, vtep });
  const part = network("routes: auto\n");
  const six = (name: string, ...addresses: string[]) =>
    readNode({
      metadata: { name },
      spec: { podCIDR: `10.244.${name.length}.0/24` },
      status: {
        addresses: addresses.map((address) => ({
          type: "InternalIP",
          address,
        })),
      },
    });
  const ends = (...nodes: NodeRecord[]) => {
    const plan = clusterOfNodes(part, [one, ...nodes], "one", held);
    assert("cluster" in plan);
    return plan.cluster.nodes.map(({ vtep }) => vtep);
  };
  for (const vtep of ["10.0.1.11", "192.0.2.9", "none", "fd00::9"]) {
    assertEquals(ends(says(vtep)), ["10.0.1.11", "10.0.2.13"]);
  }
  // Nodes may have their addresses in either order; a tunnel is of one family.
  assertEquals(ends(six("six", "fd00::13", "10.0.2.13")), [
    "10.0.1.11",
    "10.0.2.13",
  ]);
});

Deno.test("a podCIDR of another node that is none of the pods' gets no route", () => {
  const all = node("all", "10.0.1.14", "0.0.0.0/0");
  const stray = node("stray", "10.0.1.15", "192.168.0.0/24");
  const plan = clusterOfNodes(network(), [one, near, all, stray], "one", held);
  assert("cluster" in plan);
  assertEquals(plan.cluster.nodes.map(({ podCIDRs }) => [...podCIDRs]), [
    ["10.244.1.0/24"],
    ["10.244.2.0/24"],
    [],
    [],
  ]);
});

Deno.test("addresses and podCIDRs are kept as the kernel prints them", () => {
  const { addresses, podCIDRs } = node(
    "one",
    "FD00:0:0::0B",
    "fd00:10:244:0::/64",
  );
  assertEquals([addresses, podCIDRs], [["fd00::b"], ["fd00:10:244::/64"]]);
});

Deno.test("of an object that is no Node, nothing is taken", () => {
  const nothing = { isControlPlane: false, addresses: [], podCIDRs: [] };
  for (
    const value of [
      ...[null, {}, [], "x", { metadata: null, spec: null, status: null }],
      {
        status: { addresses: [null, 1], conditions: {} },
        spec: { podCIDRs: [1] },
      },
    ]
  ) {
    assertEquals(readNode(value), { name: "", ...nothing });
  }
});
