// @ts-types="./std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type Cluster,
  ClusterFileError,
  loadCluster,
  parseCluster,
  projectRoot,
} from "./cluster.ts";
import { dualCluster } from "./cluster_testing.ts";

const small = `name: small
clusterCIDR: 10.244.0.0/16
nodes:
  - name: master
    role: control-plane
    address: 10.0.1.10
  - name: worker-1
    address: 10.0.1.11
`;

/** The same with IPv6 alone. */
const six = small.replaceAll("10.0.1.", "fd00:10:0:1::")
  .replace("10.244.0.0/16", "fd00:10:244::/56") + `segmentCIDR: fd00:10:0:1::/64
outside: {gateway: "fd00:10:0:1::1", address: "2001:db8::8"}
`;

/** The same with both families. */
const dual = small.replace("10.244.0.0/16", "[10.244.0.0/16, fd00:10:244::/56]")
  .replace(/10\.0\.1\.(\d+)/g, "[10.0.1.$1, 'fd00:10:0:1::$1']") +
  `segmentCIDR: [10.0.1.0/24, "fd00:10:0:1::/64"]
outside:
  gateway: [10.0.1.1, "fd00:10:0:1::1"]
  address: [203.0.113.8, "2001:db8::8"]
`;

function parse(content: string): Cluster {
  return parseCluster(content, "c.yaml", "/state");
}

/** What is said of a cluster file. */
function mistakes(content: string): readonly string[] {
  return assertThrows(() => parse(content), ClusterFileError).mistakes;
}

/** The small cluster with a part changed, and all that is said of it. */
function refused(from: string, to: string, ...expected: string[]): void {
  assert(small.includes(from), `no "${from}" in the cluster file`);
  assertEquals(mistakes(small.replace(from, to)), expected);
}

/** The small cluster with more lines before its nodes, which begin at line 3. */
function refusedWith(lines: string, ...expected: string[]): void {
  refused("nodes:", `${lines}\nnodes:`, ...expected);
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
    segmentCIDRs: ["10.0.1.0/24"],
    outside: {
      gateway: "10.0.1.1",
      gateways: ["10.0.1.1"],
      address: "203.0.113.8",
      addresses: ["203.0.113.8"],
    },
    routes: "host",
    nodes: [
      {
        name: "master",
        role: "control-plane",
        address: "10.0.1.10",
        addresses: ["10.0.1.10"],
        podCIDRs: [],
      },
      {
        name: "worker-1",
        role: "worker",
        address: "10.0.1.11",
        addresses: ["10.0.1.11"],
        podCIDRs: [],
      },
    ],
    stateDir: "/state/small",
    file: "c.yaml",
  });
});

Deno.test("a cluster file may say all that there is to say", () => {
  const cluster = parse(`name: "1"
provider: lab
clusterCIDR: [fd00:10:244::/56, 10.240.0.0/12]
nodeMask: [64, 25]
bridge: br-pods
cniVersion: 1.1.0
mtu: 1400
runtime: containerd
segmentCIDR: [192.168.7.0/28, "fd00:1::/64"]
outside:
  gateway: [192.168.7.14, "fd00:1::1"]
  address: [198.51.100.1, "2001:db8::1"]
nodes:
  - name: a
    role: control-plane
    address: [192.168.7.1, "fd00:1::2"]
    podCIDRs: [10.240.1.0/24, "fd00:10:244:7::/64"]
`);
  assertEquals(cluster, {
    name: "1",
    provider: "lab",
    clusterCIDRs: ["fd00:10:244::/56", "10.240.0.0/12"],
    nodeMasks: [64, 25],
    bridge: "br-pods",
    cniVersion: "1.1.0",
    mtu: 1400,
    runtime: "containerd",
    segmentCIDR: "192.168.7.0/28",
    segmentCIDRs: ["192.168.7.0/28", "fd00:1::/64"],
    outside: {
      gateway: "192.168.7.14",
      gateways: ["192.168.7.14", "fd00:1::1"],
      address: "198.51.100.1",
      addresses: ["198.51.100.1", "2001:db8::1"],
    },
    routes: "host",
    nodes: [{
      name: "a",
      role: "control-plane",
      address: "192.168.7.1",
      addresses: ["192.168.7.1", "fd00:1::2"],
      podCIDRs: ["10.240.1.0/24", "fd00:10:244:7::/64"],
    }],
    stateDir: "/state/1",
    file: "c.yaml",
  });
});

Deno.test("the lab's own cluster file is right, and names every key", async () => {
  const file = `${projectRoot}/config/lab.yaml`;
  const cluster = await loadCluster(file, { stateRoot: "/nowhere" });
  assertEquals(cluster.nodes.map(({ name }) => name), [
    "master",
    "worker-1",
    "worker-2",
  ]);
  const content = await Deno.readTextFile(file);
  const [said] = mistakes("- none\n");
  const keys = said?.split("a mapping of ")[1]?.split(", ") ?? [];
  assert(keys.length > 5);
  for (const key of [...keys, "role", "address", "podCIDRs"]) {
    assert(
      content.includes(`${key}:`),
      `config/lab.yaml says no word of ${key}`,
    );
  }
});

Deno.test("the file of the lab with both families is what the tests take it for", async () => {
  const cluster = await loadCluster(`${projectRoot}/config/lab-dual.yaml`, {
    stateRoot: "/nowhere",
  });
  const names = { name: "lab-dual", stateDir: "/nowhere/lab-dual" };
  const { file: _, ...expected } = dualCluster(names);
  const { file: __, ...found } = cluster;
  assertEquals(found, {
    ...expected,
    nodes: expected.nodes.map((node) => ({ ...node, podCIDRs: [] })),
  });
});

Deno.test("a file that is not there, or is no YAML, is named", async () => {
  await assertRejects(
    () => loadCluster("/nowhere/c.yaml"),
    ClusterFileError,
    "/nowhere/c.yaml: cannot read the cluster file: no such file; name one with --cluster, e.g. config/lab.yaml",
  );
  await assertRejects(
    () => loadCluster("/"),
    ClusterFileError,
    "/: cannot read the cluster file: Is a directory",
  );
  for (
    const [content, said] of [
      [
        "name: a\nnodes: [1",
        "c.yaml:2: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
      ],
      ["a: 1\na: 2\n", "c.yaml:2: not YAML: Map keys must be unique"],
      [
        "a: *b\n",
        "c.yaml: not YAML: Unresolved alias (the anchor must be set before the alias): b",
      ],
    ] as const
  ) assertEquals(mistakes(content)[0], said);
});

Deno.test("what is no mapping is refused", () => {
  const keys =
    "name, provider, clusterCIDR, nodeMask, bridge, cniVersion, mtu, runtime, segmentCIDR, outside, kubernetes, ssh, routes, aws, gcp, nodes";
  const expected = `expected a mapping of ${keys}`;
  assertEquals(mistakes(""), [`c.yaml:1: there is nothing here; ${expected}`]);
  assertEquals(mistakes("# none\n---\n"), [
    `c.yaml:2: there is nothing here; ${expected}`,
  ]);
  assertEquals(mistakes("- a\n"), [
    `c.yaml:1: ["a"] is no mapping; ${expected}`,
  ]);
  refusedWith(
    "outside: 10.0.1.1",
    "c.yaml:3: outside: 10.0.1.1 is no mapping; expected a mapping of gateway, address, url",
  );
  refused(
    "  - name: worker-1\n    address: 10.0.1.11",
    "  - worker-1",
    "c.yaml:7: nodes[1]: worker-1 is no mapping; expected a mapping of name, role, address, podCIDRs, ssh",
  );
});

Deno.test("an unknown key is named at its line, with the one that was meant", () => {
  refused(
    "clusterCIDR:",
    "clusterCidrs:",
    "c.yaml:1: the key clusterCIDR is missing; expected a CIDR, e.g. 10.244.0.0/16",
    "c.yaml:2: clusterCidrs: no such key; did you mean clusterCIDR?",
  );
  refusedWith(
    "outsid:\n  gateway: 10.0.1.1",
    "c.yaml:3: outsid: no such key; did you mean outside?",
  );
  refused(
    "    address: 10.0.1.11",
    "    address: 10.0.1.11\n    color: red",
    "c.yaml:9: nodes[1].color: no such key; expected one of name, role, address, podCIDRs, ssh",
  );
  refusedWith(
    "__proto__: 1\n7: 1",
    "c.yaml:3: __proto__: no such key; expected one of name, provider, clusterCIDR, nodeMask, bridge, cniVersion, mtu, runtime, segmentCIDR, outside, kubernetes, ssh, routes, aws, gcp, nodes",
    "c.yaml:4: 7: no such key; expected one of name, provider, clusterCIDR, nodeMask, bridge, cniVersion, mtu, runtime, segmentCIDR, outside, kubernetes, ssh, routes, aws, gcp, nodes",
  );
});

Deno.test("a key that is missing, or has no value, is named with what it wants", () => {
  refused(
    "    address: 10.0.1.11\n",
    "",
    "c.yaml:7: nodes[1]: the key address is missing; expected an address, e.g. 10.0.1.11",
  );
  refused(
    "    address: 10.0.1.11\n",
    "    address:\n",
    "c.yaml:8: nodes[1].address: there is no value; expected an address, e.g. 10.0.1.11",
  );
  refusedWith(
    "mtu:",
    "c.yaml:3: mtu: there is no value; expected a whole number from 68 to 65535",
  );
  refused(
    "name: small\n",
    "",
    'c.yaml:1: the key name is missing; expected a name of a-z, 0-9 and "-" inside, 63 characters at most, in quotes if it looks like a number',
  );
});

Deno.test("all mistakes are told at once, in the file's order", () => {
  assertEquals(
    mistakes(`name: Small
provider: moon
clusterCIDR: 10.244.0.0/33
nodes:
  - name: a
    role: worker
    address: 10.0.1.10
    podCIDRs: 10.244.0.0/24
  - name: a
    address: 10.0.1.300
    podCIDRs: 10.244.0.128/25
`),
    [
      'c.yaml:1: name: Small is not a name; expected a-z, 0-9 and "-" inside, 63 characters at most',
      "c.yaml:2: provider: moon is not one of lab, local, ssh, aws, gcp",
      "c.yaml:3: clusterCIDR: 10.244.0.0/33 has a prefix of 33 bits; expected 32 at most",
      "c.yaml:4: nodes: there is no control plane; expected one node with role: control-plane",
      "c.yaml:9: nodes[1].name: a is the name of nodes[0] too; expected a name of its own",
      "c.yaml:10: nodes[1].address: 10.0.1.300 is not an IPv4 address; expected e.g. 10.0.1.11",
      "c.yaml:11: nodes[1].podCIDRs: 10.244.0.128/25 overlaps 10.244.0.0/24 of a",
    ],
  );
});

Deno.test("a name that is no RFC 1123 label is refused", () => {
  const not =
    'is not a name; expected a-z, 0-9 and "-" inside, 63 characters at most';
  for (
    const [name, said] of [
      ["a_b", `a_b ${not}`],
      ["-a", `-a ${not}`],
      ["a-", `a- ${not}`],
      ["a.b", `a.b ${not}`],
      ["a b", `"a b" ${not}`],
      ['""', `"" ${not}`],
      [
        "a".repeat(64),
        `${"a".repeat(64)} ${not}`,
      ],
      [
        "12",
        '12 is not text; expected a name of a-z, 0-9 and "-" inside, 63 characters at most, in quotes if it looks like a number',
      ],
    ] as const
  ) {
    refused(
      "name: worker-1",
      `name: ${name}`,
      `c.yaml:7: nodes[1].name: ${said}`,
    );
  }
  assertEquals(
    parse(small.replace("worker-1", "a".repeat(63))).nodes.length,
    2,
  );
  assertEquals(parse(small.replace("worker-1", "constructor")).nodes.length, 2);
});

Deno.test("a clusterCIDR that makes no sense is refused", () => {
  for (
    const [to, ...said] of [
      [
        "10.244.1.0/16",
        "10.244.1.0/16 has host bits set; did you mean 10.244.0.0/16?",
      ],
      [
        "fd00:10::1/56",
        "fd00:10::1/56 has host bits set; did you mean fd00:10::/56?",
      ],
      [
        "10.244.00.0/16",
        "10.244.00.0/16 has a leading zero, which some programs read as octal; expected none",
      ],
      ["10.244.0.0", "10.244.0.0 is not a CIDR; expected e.g. 10.244.0.0/16"],
      [
        "10.244.0.0/016",
        "10.244.0.0/016 is not a CIDR; expected e.g. 10.244.0.0/16",
      ],
      [
        "10.244.0.0/8/8",
        "10.244.0.0/8/8 is not a CIDR; expected e.g. 10.244.0.0/16",
      ],
      ["fd00::/x", "fd00::/x is not a CIDR; expected e.g. fd00:10:244::/56"],
      [
        "10.244.0/16",
        "10.244.0/16 is not an IPv4 address; expected e.g. 10.0.1.11",
      ],
      [
        "fd00::1::/56",
        "fd00::1::/56 is not an IPv6 address; expected e.g. fd00:10::b",
      ],
      [
        "fd00::/129",
        "fd00::/129 has a prefix of 129 bits; expected 128 at most",
      ],
      [
        "10.244.0.0/31",
        "10.244.0.0/31 holds 2 addresses; a gateway and a pod need 4",
      ],
      ["7", "7 is not text; expected a CIDR, e.g. 10.244.0.0/16"],
      ["[]", "[] is empty; expected at least one"],
      [
        "10.0.0.0/16",
        "10.0.0.0/16 overlaps the segment 10.0.1.0/24; expected addresses of the pods' own",
      ],
    ] as const
  ) {
    refused(
      "10.244.0.0/16",
      to,
      ...said.map((what) => `c.yaml:2: clusterCIDR: ${what}`),
    );
  }
  refused(
    "10.244.0.0/16",
    "\n  - 10.244.0.0/16\n  - 10.245.0.0/16",
    "c.yaml:4: clusterCIDR[1]: 10.245.0.0/16 is of the same family as 10.244.0.0/16; expected one IPv4 and one IPv6 at most",
  );
});

Deno.test("a node mask that does not fit the clusterCIDR or the nodes is refused", () => {
  refused(
    "10.244.0.0/16",
    "10.244.0.0/26",
    "c.yaml:2: clusterCIDR: 10.244.0.0/26 does not fit nodeMask's default of 24; expected a nodeMask from 26 to 30",
  );
  assertEquals(mistakes(six.replace("fd00:10:244::/56", "fd01:10::/40")), [
    "c.yaml:2: clusterCIDR: fd01:10::/40 does not fit nodeMask's default of 64; expected a nodeMask from 40 to 56",
  ]);
  refused(
    "10.244.0.0/16",
    "10.244.0.0/24",
    "c.yaml:2: clusterCIDR: 10.244.0.0/24 holds 1 podCIDRs of /24; expected 2, one for each node",
  );
  refusedWith(
    "nodeMask: 15",
    "c.yaml:3: nodeMask: 15 does not fit the clusterCIDR 10.244.0.0/16; expected 16 to 30",
  );
  refusedWith(
    "nodeMask: 31",
    "c.yaml:3: nodeMask: 31 does not fit the clusterCIDR 10.244.0.0/16; expected 16 to 30",
  );
  refusedWith(
    "nodeMask: 16",
    "c.yaml:3: nodeMask: 10.244.0.0/16 holds 1 podCIDRs of /16; expected 2, one for each node",
  );
  refusedWith(
    "nodeMask: 200",
    "c.yaml:3: nodeMask: 200 is not a whole number from 1 to 126",
  );
  refusedWith(
    'nodeMask: "24"',
    'c.yaml:3: nodeMask: "24" is not a whole number from 1 to 126',
  );
  refusedWith(
    "nodeMask: [24, 64]",
    "c.yaml:3: nodeMask: there are 2; expected one for each clusterCIDR, 1",
  );
});

Deno.test("podCIDRs that overlap, lie outside, are too small or of a family too many are refused", () => {
  const given = (podCIDRs: string, ...said: string[]) =>
    refused(
      "    address: 10.0.1.11",
      `    address: 10.0.1.11\n    podCIDRs: ${podCIDRs}`,
      ...said.map((what) => `c.yaml:9: nodes[1].podCIDRs${what}`),
    );
  given(
    "10.245.0.0/24",
    ": 10.245.0.0/24 lies outside the clusterCIDR 10.244.0.0/16",
  );
  given(
    "10.0.0.0/8",
    ": 10.0.0.0/8 lies outside the clusterCIDR 10.244.0.0/16",
  );
  given(
    "10.244.1.0/31",
    ": 10.244.1.0/31 holds 2 addresses; a gateway and a pod need 4",
  );
  given(
    "10.244.1.1/24",
    ": 10.244.1.1/24 has host bits set; did you mean 10.244.1.0/24?",
  );
  given("[]", ": there are 0; expected one for each clusterCIDR, 1");
  given(
    "[10.244.1.0/24, 10.244.2.0/24]",
    "[1]: 10.244.2.0/24 is a second one of IPv4; expected one of each family",
  );
  given(
    "[10.244.1.0/24, fd00::/64]",
    "[1]: fd00::/64 is IPv6; the clusterCIDR 10.244.0.0/16 is not",
  );
});

Deno.test("two podCIDRs that overlap are told at the second one", () => {
  const pair = (first: string, second: string) =>
    small.replace(
      "    address: 10.0.1.10",
      `    address: 10.0.1.10\n    podCIDRs: ${first}`,
    )
      .replace(
        "    address: 10.0.1.11",
        `    address: 10.0.1.11\n    podCIDRs: ${second}`,
      );
  assertEquals(mistakes(pair("10.244.0.0/23", "10.244.1.0/24")), [
    "c.yaml:10: nodes[1].podCIDRs: 10.244.1.0/24 overlaps 10.244.0.0/23 of master",
  ]);
  assertEquals(mistakes(pair("10.244.1.0/24", "10.244.0.0/23")), [
    "c.yaml:10: nodes[1].podCIDRs: 10.244.0.0/23 overlaps 10.244.1.0/24 of master",
  ]);
  assertEquals(mistakes(pair("10.244.1.0/24", "10.244.1.0/24")), [
    "c.yaml:10: nodes[1].podCIDRs: 10.244.1.0/24 overlaps 10.244.1.0/24 of master",
  ]);
});

Deno.test("podCIDRs that leave nothing for another node are refused", () => {
  refused(
    "    address: 10.0.1.11",
    "    address: 10.0.1.11\n    podCIDRs: 10.244.0.0/16",
    "c.yaml:2: clusterCIDR: 10.244.0.0/16 has no subnet left for the node master",
  );
});

Deno.test("a node of two families needs a podCIDR of each", () => {
  assertEquals(parse(dual).nodeMasks, [24, 64]);
  const given = (podCIDRs: string) =>
    dual.replace("segmentCIDR", `    podCIDRs: ${podCIDRs}\nsegmentCIDR`);
  assertEquals(mistakes(given("10.244.1.0/24")), [
    "c.yaml:9: nodes[1].podCIDRs: there are 1; expected one for each clusterCIDR, 2",
  ]);
  assertEquals(
    parse(given('["fd00:10:244:1::/64", 10.244.1.0/24]')).nodes[1]?.podCIDRs,
    ["fd00:10:244:1::/64", "10.244.1.0/24"],
  );
  assertEquals(
    mistakes(dual.replace("nodes:", "nodeMask: 24\nnodes:")),
    ["c.yaml:3: nodeMask: there are 1; expected one for each clusterCIDR, 2"],
  );
});

Deno.test("machines need an address of each family that the pods have", () => {
  const lacks = "expected one of each family that the clusterCIDR has";
  refused(
    "10.244.0.0/16",
    "[10.244.0.0/16, fd00:10:244::/56]",
    `c.yaml:1: segmentCIDR: 10.0.1.0/24 holds no IPv6; ${lacks}`,
    `c.yaml:1: outside.gateway: 10.0.1.1 holds no IPv6; ${lacks}`,
    `c.yaml:1: outside.address: 203.0.113.8 holds no IPv6; ${lacks}`,
    `c.yaml:6: nodes[0].address: 10.0.1.10 holds no IPv6; ${lacks}`,
    `c.yaml:8: nodes[1].address: 10.0.1.11 holds no IPv6; ${lacks}`,
  );
  assertEquals(mistakes(dual.replace("::11'", "::10'")), [
    "c.yaml:8: nodes[1].address[1]: fd00:10:0:1::10 is the address of nodes[0] too; expected an address of its own",
  ]);
  assertEquals(mistakes(dual.replace("'fd00:10:0:1::11'", "10.0.1.12")), [
    "c.yaml:8: nodes[1].address[1]: 10.0.1.12 is of the same family as 10.0.1.11; expected one IPv4 and one IPv6 at most",
    `c.yaml:8: nodes[1].address: 10.0.1.11, 10.0.1.12 holds no IPv6; ${lacks}`,
  ]);
  assertEquals(mistakes(dual.replace("'fd00:10:0:1::11'", "'fd00::11'")), [
    "c.yaml:8: nodes[1].address[1]: fd00::11 is no host address of the segment fd00:10:0:1::/64; expected one from fd00:10:0:1::1 to fd00:10:0:1:ffff:ffff:ffff:ffff",
  ]);
  refused(
    "10.0.1.11",
    "fd00::1",
    "c.yaml:8: nodes[1].address: fd00::1 holds no IPv4; expected one of each family that the clusterCIDR has",
    "c.yaml:8: nodes[1].address: fd00::1 is IPv6; the segment 10.0.1.0/24 is not",
  );
  assertEquals(parse(six).nodes[1]?.address, "fd00:10:0:1::11");
});

Deno.test("two nodes with one name or address, or a name that is taken, are refused", () => {
  refused(
    "worker-1",
    "master",
    "c.yaml:7: nodes[1].name: master is the name of nodes[0] too; expected a name of its own",
  );
  refused(
    "10.0.1.11",
    "10.0.1.10",
    "c.yaml:8: nodes[1].address: 10.0.1.10 is the address of nodes[0] too; expected an address of its own",
  );
  for (const name of ["outside", "operator"]) {
    refused(
      "worker-1",
      name,
      `c.yaml:7: nodes[1].name: ${name} is taken for a machine that is no node; expected another name`,
    );
  }
});

Deno.test("no control plane, two of them, a wrong role, or no nodes are refused", () => {
  refused(
    "    role: control-plane\n",
    "",
    "c.yaml:3: nodes: there is no control plane; expected one node with role: control-plane",
  );
  refused(
    "  - name: worker-1\n",
    "  - name: worker-1\n    role: control-plane\n",
    "c.yaml:3: nodes: there are 2 with role: control-plane; expected one, more are not supported",
  );
  refused(
    "control-plane",
    "master",
    "c.yaml:5: nodes[0].role: master is not one of control-plane, worker",
  );
  const head = "name: a\nclusterCIDR: 10.244.0.0/16\n";
  const expected =
    "expected a list of at least one: a mapping of name, role, address, podCIDRs, ssh";
  assertEquals(mistakes(`${head}nodes: []\n`), [
    `c.yaml:3: nodes: [] is empty; ${expected}`,
  ]);
  assertEquals(mistakes(`${head}nodes: {a: 1}\n`), [
    `c.yaml:3: nodes: {"a":1} is no list; ${expected}`,
  ]);
  assertEquals(mistakes(head), [
    `c.yaml:1: the key nodes is missing; ${expected}`,
  ]);
});

Deno.test("this very machine is one node", () => {
  refusedWith(
    "provider: local",
    "c.yaml:4: nodes: there are 2; expected one, since provider: local is this very machine",
  );
});

Deno.test("an address that is none, not on the segment, or the outside host's is refused", () => {
  const host =
    "is no host address of the segment 10.0.1.0/24; expected one from 10.0.1.1 to 10.0.1.254";
  for (
    const [to, said] of [
      [
        "10.0.1.999",
        "10.0.1.999 is not an IPv4 address; expected e.g. 10.0.1.11",
      ],
      ["10.0.1", "10.0.1 is not an IPv4 address; expected e.g. 10.0.1.11"],
      [
        "10.0.1.011",
        "10.0.1.011 has a leading zero, which some programs read as octal; expected none",
      ],
      ["fd00::g", "fd00::g is not an IPv6 address; expected e.g. fd00:10::b"],
      ["10.0.2.11", `10.0.2.11 ${host}`],
      ["10.0.1.0", `10.0.1.0 ${host}`],
      ["10.0.1.255", `10.0.1.255 ${host}`],
      [
        "10.0.1.1",
        "10.0.1.1 is the outside host's (outside.gateway); expected an address of its own",
      ],
    ] as const
  ) {
    refused(
      "10.0.1.11",
      to,
      `c.yaml:8: nodes[1].address: ${said}`,
    );
  }
});

Deno.test("an outside host that is not outside is refused", () => {
  refusedWith(
    "outside:\n  gateway: 10.0.2.1",
    "c.yaml:4: outside.gateway: 10.0.2.1 is no host address of the segment 10.0.1.0/24; expected one from 10.0.1.1 to 10.0.1.254",
  );
  refusedWith(
    "outside: {address: 10.0.1.7}",
    "c.yaml:3: outside.address: 10.0.1.7 lies in 10.0.1.0/24; expected an address beyond the nodes and the pods",
  );
  refusedWith(
    "outside: {address: 10.244.9.7}",
    "c.yaml:3: outside.address: 10.244.9.7 lies in 10.244.0.0/16; expected an address beyond the nodes and the pods",
  );
  refusedWith(
    "segmentCIDR: 10.0.1.1/24",
    "c.yaml:3: segmentCIDR: 10.0.1.1/24 has host bits set; did you mean 10.0.1.0/24?",
  );
});

Deno.test("a bridge that is no link's name is refused", () => {
  const not =
    "is not a link's name; expected 1 to 15 bytes without /, :, % and white space";
  for (
    const [name, said] of [
      ["a-bridge-with-a-long-name", "a-bridge-with-a-long-name"],
      ["ääääääää", '"ääääääää"'],
      ["a/b", "a/b"],
      ['"a:b"', "a:b"],
      ["a b", '"a b"'],
      ["br%d", '"br%d"'],
      ["..", ".."],
      ['""', '""'],
    ] as const
  ) refusedWith(`bridge: ${name}`, `c.yaml:3: bridge: ${said} ${not}`);
  assertEquals(parse(`${small}bridge: äääääää\n`).bridge, "äääääää");
});

Deno.test("a version or MTU that cannot be is refused", () => {
  refusedWith(
    "cniVersion: 2.0.0",
    "c.yaml:3: cniVersion: 2.0.0 is not one of 0.3.1, 0.4.0, 1.0.0, 1.1.0",
  );
  refusedWith(
    "cniVersion: 1.0",
    "c.yaml:3: cniVersion: 1 is not one of 0.3.1, 0.4.0, 1.0.0, 1.1.0",
  );
  for (const mtu of ["67", "65536", "1500.5", '"1500"', "true"]) {
    refusedWith(
      `mtu: ${mtu}`,
      `c.yaml:3: mtu: ${mtu} is not a whole number from 68 to 65535`,
    );
  }
  assertEquals(mistakes(`${six}mtu: 1279\n`), [
    "c.yaml:11: mtu: 1279 is too small for IPv6; expected 1280 or more",
  ]);
});

Deno.test("a container runtime is a known one, and for labs alone", () => {
  refusedWith(
    "runtime: docker",
    "c.yaml:3: runtime: docker is not one of none, containerd",
  );
  const local = "provider: local\nname: here\nclusterCIDR: 10.244.0.0/16\n" +
    "nodes:\n  - {name: a, role: control-plane, address: 10.0.1.10}\n";
  assertEquals(mistakes(`runtime: containerd\n${local}`), [
    "c.yaml:1: runtime: containerd is for a lab's nodes; a machine that is no lab's has its own",
  ]);
  assertEquals(parse(`runtime: none\n${local}`), parse(local));
});

Deno.test("a thousand nodes are planned, each with its own podCIDR", () => {
  const nodes = Array.from(
    { length: 1000 },
    (_, at) =>
      `  - name: n${at}\n    address: 10.8.${1 + (at >> 8)}.${at & 255}\n` +
      (at === 0 ? "    role: control-plane\n" : ""),
  ).join("");
  const cluster = parse(
    "name: big\nclusterCIDR: 10.240.0.0/12\nsegmentCIDR: 10.8.0.0/16\n" +
      `outside: {gateway: 10.8.9.9}\nnodes:\n${nodes}`,
  );
  assertEquals(cluster.nodes.length, 1000);
});

/** The small cluster in a folder of its own, with what 02 found out about it. */
async function withState(
  podCIDRs: string,
  body: (file: string, stateRoot: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/small`);
    await Deno.writeTextFile(`${folder}/small/pod-cidrs.json`, podCIDRs);
    await Deno.writeTextFile(`${folder}/c.yaml`, small);
    await body(`${folder}/c.yaml`, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what stage 02 found out is part of the cluster", () =>
  withState(
    '{"worker-1":["10.244.1.0/24"], "gone": ["10.244.9.0/24"]}',
    async (file, stateRoot) => {
      const { nodes } = await loadCluster(file, { stateRoot });
      assertEquals(nodes.map(({ podCIDRs }) => podCIDRs), [
        [],
        ["10.244.1.0/24"],
      ]);
    },
  ));

Deno.test("what the file says of a podCIDR beats what stage 02 found out", () =>
  withState(
    '{"worker-1":["10.244.1.0/24"]}',
    async (file, stateRoot) => {
      const said = small + "    podCIDRs: 10.244.7.0/24\n";
      await Deno.writeTextFile(file, said);
      const { nodes } = await loadCluster(file, { stateRoot });
      assertEquals(nodes[1]?.podCIDRs, ["10.244.7.0/24"]);
    },
  ));

Deno.test("$DENO_CNI_STATE names the folder of the clusters' states", () =>
  withState('{"worker-1":["10.244.1.0/24"]}', async (file, stateRoot) => {
    const before = Deno.env.get("DENO_CNI_STATE");
    try {
      Deno.env.set("DENO_CNI_STATE", stateRoot);
      const { stateDir, nodes } = await loadCluster(file);
      assertEquals(stateDir, `${stateRoot}/small`);
      assertEquals(nodes[1]?.podCIDRs, ["10.244.1.0/24"]);
      Deno.env.set("DENO_CNI_STATE", "relative");
      const { stateDir: other } = await loadCluster(file);
      assertEquals(other, `${Deno.cwd()}/relative/small`);
    } finally {
      if (before === undefined) Deno.env.delete("DENO_CNI_STATE");
      else Deno.env.set("DENO_CNI_STATE", before);
    }
  }));

Deno.test("what stage 02 found out and no longer fits is refused, with what to do", async () => {
  for (
    const [content, ...said] of [
      ["{", "not JSON"],
      [
        "[]",
        'expected podCIDRs by node name, e.g. {"worker-1": ["10.244.1.0/24"]}',
      ],
      ['{"worker-1":"x"}', "worker-1: expected a list of podCIDRs"],
      [
        '{"worker-1":["x", 1]}',
        "worker-1: x is not a CIDR; expected e.g. 10.244.0.0/16",
        "worker-1: 1 is not text; expected a CIDR, e.g. 10.244.0.0/16",
      ],
      [
        '{"worker-1":["10.9.1.0/24"]}',
        "worker-1: 10.9.1.0/24 lies outside the clusterCIDR 10.244.0.0/16 (FILE)",
      ],
      [
        '{"worker-1":["10.244.1.0/24"],"master":["10.244.0.0/23"]}',
        "worker-1: 10.244.1.0/24 overlaps 10.244.0.0/23 of master (FILE)",
      ],
      [
        '{"worker-1":["10.244.0.0/16"]}',
        "10.244.0.0/16 has no subnet left for the node master (FILE)",
      ],
    ] as const
  ) {
    await withState(content, async (file, stateRoot) => {
      const { mistakes } = await assertRejects(
        () => loadCluster(file, { stateRoot }),
        ClusterFileError,
      );
      assertEquals(
        mistakes,
        said.map((what) =>
          `${stateRoot}/small/pod-cidrs.json: ${
            what.replace("FILE", file)
          }; remove it and run 02-kubeadm again`
        ),
      );
      const alone = await loadCluster(file, { stateRoot, ignoreFound: true });
      assertEquals(alone.nodes[1]?.podCIDRs, []);
    });
  }
});

Deno.test("$DENO_CNI_RUNTIME beats the file's runtime", () =>
  withState("{}", async (file, stateRoot) => {
    const load = async (value: string) => {
      const before = Deno.env.get("DENO_CNI_RUNTIME");
      try {
        Deno.env.set("DENO_CNI_RUNTIME", value);
        return (await loadCluster(file, { stateRoot })).runtime;
      } finally {
        if (before === undefined) Deno.env.delete("DENO_CNI_RUNTIME");
        else Deno.env.set("DENO_CNI_RUNTIME", before);
      }
    };
    assertEquals(await load(""), undefined);
    assertEquals(await load("containerd"), "containerd");
    const wrong = await assertRejects(() => load("docker"), ClusterFileError);
    assertEquals(wrong.mistakes, [
      'DENO_CNI_RUNTIME: "docker" is not one of none, containerd',
    ]);
    await Deno.writeTextFile(file, `runtime: containerd\n${small}`);
    assertEquals(await load(""), "containerd");
    assertEquals(await load("none"), undefined);
    await Deno.writeTextFile(
      file,
      "provider: local\nname: here\nclusterCIDR: 10.244.0.0/16\n" +
        "nodes:\n  - {name: a, role: control-plane, address: 10.0.1.10}\n",
    );
    const local = await assertRejects(
      () => load("containerd"),
      ClusterFileError,
    );
    assertEquals(local.mistakes, [
      `DENO_CNI_RUNTIME: containerd is for a lab's nodes, and ${file} is no lab`,
    ]);
  }));

Deno.test("kubernetes is for machines that are no lab, and its version has packages", () => {
  const machines = (text: string) =>
    `name: real
provider: ssh
clusterCIDR: 10.244.0.0/16
${text}
nodes: [{ name: master, role: control-plane, address: 10.0.1.10 }]
`;
  const cluster = parseCluster(
    machines("kubernetes: { podsOnControlPlane: yes }"),
    "c.yaml",
    "/state",
  );
  assertEquals(cluster.kubernetes, {
    version: "1.31",
    podsOnControlPlane: "yes",
    testImage: "docker.io/library/busybox:1.36",
  });
  const image = "registry.example.org:5000/tools/busybox@sha256:" +
    "0".repeat(64);
  const own = machines(`kubernetes: { testImage: "${image}" }`);
  assertEquals(
    parseCluster(own, "c.yaml", "/state").kubernetes?.testImage,
    image,
  );
  const [none = ""] = mistakes(
    machines('kubernetes: { testImage: "busybox; rm -rf /" }'),
  );
  assertStringIncludes(none, "is no image's name");
  for (const version of ["1.20", "1.31.2", "v1.31", "latest"]) {
    const [said = ""] = mistakes(
      machines(`kubernetes: { version: "${version}" }`),
    );
    assertStringIncludes(said, "is not a minor version with packages");
  }
  const [mask = ""] = mistakes(machines("nodeMask: 26"));
  assertStringIncludes(mask, "26 is not what kube-controller-manager gives");
  const lab = machines('kubernetes: { version: "1.31" }')
    .replace("provider: ssh", "provider: lab");
  const [notThere = ""] = mistakes(lab);
  assertStringIncludes(notThere, "provider: lab has no Kubernetes");
});

Deno.test("pages beyond the cluster are for machines that are no lab, one a family, by address", () => {
  const machines = (url: string) =>
    `name: real
provider: ssh
clusterCIDR: [10.244.0.0/16, "fd00:10:244::/56"]
outside: { url: ${url} }
nodes: [{ name: master, role: control-plane, address: [10.0.1.10, "fd00::1"] }]
`;
  const four = "http://203.0.113.8:8080/source?plain=1";
  const six = "http://[2001:db8::8]/source";
  const { outside } = parseCluster(
    machines(`["${four}", "${six}"]`),
    "c.yaml",
    "/state",
  );
  assertEquals(outside.urls, [four, six]);
  assertEquals(outside.addresses, ["203.0.113.8", "2001:db8::8"]);
  for (
    const url of [
      "https://203.0.113.8/",
      "http://example.org/",
      "http://203.0.113.8",
      "http://203.0.113.256/",
      "http://[203.0.113.8]/",
    ]
  ) {
    const [said = ""] = mistakes(machines(`"${url}"`));
    assertStringIncludes(said, "outside.url: ");
    assertStringIncludes(said, "is no page to ask; expected http://ADDRESS/");
  }
  const [twice = ""] = mistakes(machines(`["${four}", "http://192.0.2.1/"]`));
  assertStringIncludes(twice, "of the same family");
  const lab = mistakes(
    machines(`"${six}"`).replace("provider: ssh", "provider: lab"),
  );
  assertStringIncludes(
    lab.join("\n"),
    "provider: lab has an outside host of its own",
  );
});
