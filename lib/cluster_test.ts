// @ts-types="./std/assert.d.ts"
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Cluster,
  ClusterFileError,
  loadCluster,
  parseCluster,
  projectRoot,
} from "./cluster.ts";

const small = `name: small
clusterCIDR: 10.244.0.0/16
nodes:
  - name: master
    role: control-plane
    address: 10.0.1.10
  - name: worker-1
    address: 10.0.1.11
`;

function parse(content: string): Cluster {
  return parseCluster(content, "c.yaml", "/state");
}

/** The small cluster with one line changed, and what is said of it. */
function refused(from: string, to: string, ...expected: string[]): void {
  assert(small.includes(from), `no "${from}" in the cluster file`);
  const error = assertThrows(
    () => parse(small.replace(from, to)),
    ClusterFileError,
  );
  assertEquals(error.mistakes, expected);
}

Deno.test("a cluster file may leave out what has a default", () => {
  assertEquals(parse(small), {
    name: "small",
    provider: "lab",
    clusterCIDRs: ["10.244.0.0/16"],
    nodeMasks: [24],
    bridge: "cni0",
    cniVersion: "1.0.0",
    segmentCIDR: "10.0.1.0/24",
    outside: { gateway: "10.0.1.1", address: "203.0.113.8" },
    nodes: [
      {
        name: "master",
        role: "control-plane",
        address: "10.0.1.10",
        podCIDRs: [],
      },
      { name: "worker-1", role: "worker", address: "10.0.1.11", podCIDRs: [] },
    ],
    stateDir: "/state/small",
    file: "c.yaml",
  });
});

Deno.test("the lab's own cluster file is right", async () => {
  const cluster = await loadCluster(`${projectRoot}/config/lab.yaml`);
  assertEquals(cluster.nodes.map(({ name }) => name), [
    "master",
    "worker-1",
    "worker-2",
  ]);
});

Deno.test("a file that is not there, or is no YAML, is named", async () => {
  await assertRejects(
    () => loadCluster("/nowhere/c.yaml"),
    ClusterFileError,
    "/nowhere/c.yaml: cannot read the cluster file",
  );
  assertThrows(() => parse("name: [1"), ClusterFileError, "c.yaml:1: not YAML");
  assertThrows(
    () => parse("- a\n"),
    ClusterFileError,
    'c.yaml:1: ["a"] is not a mapping; expected the keys name, provider',
  );
});

Deno.test("an unknown key is named, with the one that was meant", () => {
  refused(
    "clusterCIDR:",
    "clusterCidr:",
    "c.yaml:1: the key clusterCIDR is missing",
    "c.yaml:2: clusterCidr: no such key; did you mean clusterCIDR?",
  );
  refused(
    "    address: 10.0.1.11",
    "    address: 10.0.1.11\n    color: red",
    "c.yaml:9: nodes[1].color: no such key; expected name, role, address, podCIDRs",
  );
});

Deno.test("all mistakes are told at once, in the file's order", () => {
  refused(
    "name: small\nclusterCIDR: 10.244.0.0/16",
    "name: Small\nclusterCIDR: 10.244.0.0/33",
    'c.yaml:1: name: "Small" is no name: expected small letters, digits and - inside, 63 at most',
    'c.yaml:2: clusterCIDR: "10.244.0.0/33" has a prefix longer than 32 bits',
  );
});

Deno.test("a clusterCIDR that makes no sense is refused", () => {
  const at = "c.yaml:2: clusterCIDR:";
  refused(
    "10.244.0.0/16",
    "10.244.1.0/16",
    `${at} "10.244.1.0/16" has host bits set, did you mean 10.244.0.0/16?`,
  );
  refused(
    "10.244.0.0/16",
    "10.244.00.0/16",
    `${at} "10.244.00.0/16" has a leading zero, which some programs read as octal`,
  );
  refused(
    "10.244.0.0/16",
    "10.244.0.0",
    `${at} "10.244.0.0" is not a CIDR, expected e.g. 10.244.0.0/16`,
  );
  refused("10.244.0.0/16", "7", `${at} 7 is not text`);
  refused(
    "10.244.0.0/16",
    "[10.244.0.0/16, 10.245.0.0/16]",
    'c.yaml:2: clusterCIDR[1]: "10.245.0.0/16" is a second one of IPv4; expected one a family at most',
  );
  refused(
    "10.244.0.0/16",
    "10.0.0.0/16",
    'c.yaml:2: clusterCIDR[0]: "10.0.0.0/16" overlaps the segment 10.0.1.0/24; expected addresses of the pods\' own',
  );
});

Deno.test("a node mask that does not fit the clusterCIDR or the nodes is refused", () => {
  refused(
    "10.244.0.0/16",
    "10.244.0.0/26",
    "c.yaml:2: clusterCIDR[0]: a node mask of 24 does not fit the clusterCIDR 10.244.0.0/26; expected 26 to 30",
  );
  refused(
    "nodes:",
    "nodeMask: 16\nnodes:",
    "c.yaml:3: nodeMask[0]: 10.244.0.0/16 has 1 subnets of /16, too few for 2 nodes; expected a shorter prefix of the cluster or a longer node mask",
  );
  refused(
    "nodes:",
    "nodeMask: 200\nnodes:",
    "c.yaml:3: nodeMask: 200 is not a whole number from 1 to 126",
  );
});

Deno.test("podCIDRs that overlap, lie outside or are too small are refused", () => {
  const with1 = (podCIDR: string) =>
    `    address: 10.0.1.11\n    podCIDRs: ${podCIDR}`;
  refused(
    "    address: 10.0.1.11",
    with1("10.245.0.0/24"),
    'c.yaml:9: nodes[1].podCIDRs[0]: "10.245.0.0/24" lies outside the clusterCIDR 10.244.0.0/16',
  );
  refused(
    "    address: 10.0.1.11",
    with1("10.244.1.0/31"),
    'c.yaml:9: nodes[1].podCIDRs: "10.244.1.0/31" holds 2 addresses; a gateway and a pod need 4',
  );
  refused(
    "    address: 10.0.1.10\n  - name: worker-1\n    address: 10.0.1.11",
    "    address: 10.0.1.10\n    podCIDRs: 10.244.0.0/23\n  - name: worker-1\n" +
      with1("10.244.1.0/24"),
    'c.yaml:10: nodes[1].podCIDRs[0]: "10.244.1.0/24" overlaps 10.244.0.0/23 of master',
  );
});

Deno.test("two nodes with one name or address, or a name that is taken, are refused", () => {
  refused(
    "worker-1",
    "master",
    'c.yaml:7: nodes[1].name: "master" is the name of nodes[0] too; expected a name of its own',
  );
  refused(
    "10.0.1.11",
    "10.0.1.10",
    'c.yaml:8: nodes[1].address: "10.0.1.10" is the address of master too; expected an address of its own',
  );
  refused(
    "worker-1",
    "outside",
    'c.yaml:7: nodes[1].name: "outside" is taken for another machine; expected another name',
  );
});

Deno.test("no control plane, two of them, or no nodes are refused", () => {
  refused(
    "    role: control-plane\n",
    "",
    'c.yaml:4: nodes: no node has "role: control-plane"; expected one',
  );
  refused(
    "  - name: worker-1\n",
    "  - name: worker-1\n    role: control-plane\n",
    'c.yaml:4: nodes: 2 nodes have "role: control-plane"; expected one',
  );
  assertThrows(
    () => parse("name: a\nclusterCIDR: 10.244.0.0/16\nnodes: []\n"),
    ClusterFileError,
    "c.yaml:3: nodes: [] is not a list of at least one",
  );
});

Deno.test("an address that is none, or not on the segment, is refused", () => {
  const at = "c.yaml:8: nodes[1].address:";
  refused(
    "10.0.1.11",
    "10.0.1.999",
    `${at} "10.0.1.999" is not an IPv4 address, expected e.g. 10.0.1.11`,
  );
  refused(
    "10.0.1.11",
    "10.0.2.11",
    `${at} "10.0.2.11" is no host address of the segment 10.0.1.0/24`,
  );
  refused(
    "10.0.1.11",
    "10.0.1.255",
    `${at} "10.0.1.255" is no host address of the segment 10.0.1.0/24`,
  );
  refused(
    "10.0.1.11",
    "10.0.1.1",
    `${at} "10.0.1.1" is the outside host's; expected an address of its own`,
  );
});

Deno.test("a bridge, version or MTU that cannot be is refused", () => {
  refused(
    "nodes:",
    "bridge: a-bridge-with-a-long-name\nnodes:",
    'c.yaml:3: bridge: "a-bridge-with-a-long-name" is no name for a link: expected 1 to 15 characters without /, : and white space',
  );
  refused(
    "nodes:",
    "cniVersion: 2.0.0\nnodes:",
    'c.yaml:3: cniVersion: "2.0.0" is not one of 0.3.1, 0.4.0, 1.0.0, 1.1.0',
  );
  refused(
    "nodes:",
    "mtu: 5\nnodes:",
    "c.yaml:3: mtu: 5 is not a whole number from 576 to 65535",
  );
});

async function withState(
  podCIDRs: string,
  body: (file: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const before = Deno.env.get("DENO_CNI_STATE");
  try {
    Deno.env.set("DENO_CNI_STATE", folder);
    await Deno.mkdir(`${folder}/small`);
    await Deno.writeTextFile(`${folder}/small/pod-cidrs.json`, podCIDRs);
    await Deno.writeTextFile(`${folder}/c.yaml`, small);
    await body(`${folder}/c.yaml`);
  } finally {
    if (before === undefined) Deno.env.delete("DENO_CNI_STATE");
    else Deno.env.set("DENO_CNI_STATE", before);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what stage 02 found out is part of the cluster", () =>
  withState('{"worker-1":["10.244.1.0/24"]}', async (file) => {
    const { nodes } = await loadCluster(file);
    assertEquals(nodes.map(({ podCIDRs }) => podCIDRs), [[], [
      "10.244.1.0/24",
    ]]);
  }));

Deno.test("what stage 02 found out and no longer fits is refused, with what to do", async () => {
  for (
    const [content, message] of [
      ["{", "not JSON; remove it and run 02-kubeadm again"],
      ["[]", "expected podCIDRs by node name"],
      ['{"worker-1":"x"}', "worker-1: expected a list of podCIDRs"],
      [
        '{"worker-1":["10.9.1.0/24"]}',
        "worker-1: 10.9.1.0/24 lies outside the clusterCIDR 10.244.0.0/16",
      ],
    ] as const
  ) {
    await withState(content, async (file) => {
      await assertRejects(() => loadCluster(file), ClusterFileError, message);
    });
  }
});
