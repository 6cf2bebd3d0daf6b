/** What a cluster file may say, and what is refused. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClusterFileError } from "./yaml.ts";
import { dualCluster } from "./cluster_testing.ts";
import {
  mistakes,
  parse,
  refused,
  refusedWith,
  six,
  small,
} from "./cluster_file_testing.ts";
import { projectRoot } from "../exec/project_root.ts";
import { loadCluster } from "./load.ts";

Deno.test("a cluster file may leave out what has a default", () => {
  assertEquals(parse(small), {
    name: "small",
    provider: "lab",
    clusterCIDRs: ["10.244.0.0/16"],
    nodeMasks: [24],
    bridge: "cni0",
    cniVersion: "1.0.0",
    plugin: { hairpin: true, portmap: "auto" },
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
plugin: { hairpin: false, portmap: false, daemon: true, logFile: /var/log/x.log, logLevel: debug }
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
    plugin: {
      hairpin: false,
      portmap: false,
      daemon: true,
      logFile: "/var/log/x.log",
      logLevel: "debug",
    },
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
  await assertRejects(
    () => loadCluster("/dev/zero"),
    ClusterFileError,
    "/dev/zero: cannot read the cluster file: it holds more than 4 MiB; name one",
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
    "name, provider, clusterCIDR, nodeMask, bridge, cniVersion, mtu, plugin, runtime, podsPerNode, segmentCIDR, segments, outside, kubernetes, ssh, routes, vxlan, bgp, firewall, aws, gcp, nodes";
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
    "c.yaml:3: __proto__: no such key; expected one of name, provider, clusterCIDR, nodeMask, bridge, cniVersion, mtu, plugin, runtime, podsPerNode, segmentCIDR, segments, outside, kubernetes, ssh, routes, vxlan, bgp, firewall, aws, gcp, nodes",
    "c.yaml:4: 7: no such key; expected one of name, provider, clusterCIDR, nodeMask, bridge, cniVersion, mtu, plugin, runtime, podsPerNode, segmentCIDR, segments, outside, kubernetes, ssh, routes, vxlan, bgp, firewall, aws, gcp, nodes",
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

Deno.test("a node's name that Kubernetes does not take is refused; dots it takes", () => {
  for (const name of ["worker-1.example.org", "ip-10-0-1-11.ec2.internal"]) {
    const [, node] = parse(small.replace("worker-1", name)).nodes;
    assertEquals(node?.name, name);
  }
  refused(
    "name: small",
    "name: small.example",
    'c.yaml:1: name: small.example is not a name; expected a-z, 0-9 and "-" inside, 63 characters at most',
  );
  const not =
    'is not a name; expected a-z, 0-9, "-" and "." inside, 63 characters at most';
  for (
    const [name, said] of [
      ["a..b", `a..b ${not}`],
      [".a", `.a ${not}`],
      ["a.-b", `a.-b ${not}`],
      ["a.b.", `a.b. ${not}`],
      ["a_b", `a_b ${not}`],
      ["-a", `-a ${not}`],
      ["a-", `a- ${not}`],
      ["a b", `"a b" ${not}`],
      ['""', `"" ${not}`],
      [
        "a".repeat(64),
        `${"a".repeat(64)} ${not}`,
      ],
      [
        "12",
        '12 is not text; expected a name of a-z, 0-9, "-" and "." inside, 63 characters at most, in quotes if it looks like a number',
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

Deno.test("a bridge by the name of a link that the machine itself has is refused", () => {
  for (const name of ["lo", "eth0", "ens3", "enp0s3", "docker0", "all"]) {
    refusedWith(
      `bridge: ${name}`,
      `c.yaml:3: bridge: ${name} is a name of the machine's own links; expected another, e.g. cni0`,
    );
  }
  assertEquals(parse(`${small}bridge: ethpods`).bridge, "ethpods");
});

Deno.test("a bridge that is no link's name is refused", () => {
  const not =
    "is not a link's name; expected 1 to 15 bytes of A-Z a-z 0-9 _ . -, " +
    "a letter or digit first";
  for (
    const [name, said] of [
      ["a-bridge-with-a-long-name", "a-bridge-with-a-long-name"],
      ["ääääääää", '"ääääääää"'],
      ["a/b", "a/b"],
      ['"a:b"', "a:b"],
      ["a b", '"a b"'],
      ["br%d", '"br%d"'],
      ["..", ".."],
      ["-rf", "-rf"],
      ["a;id>ZZ", '"a;id>ZZ"'],
      ['""', '""'],
    ] as const
  ) refusedWith(`bridge: ${name}`, `c.yaml:3: bridge: ${said} ${not}`);
  assertEquals(parse(`${small}bridge: Br_0.1-x\n`).bridge, "Br_0.1-x");
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

Deno.test("how the plugin works is refused where it makes no sense", () => {
  for (
    const [plugin, said] of [
      ["{ daemon: 1 }", "plugin.daemon: 1 is not one of true, false"],
      [
        "{ logFile: deno-cni.log }",
        "plugin.logFile: deno-cni.log is no file's absolute path; expected one such as /var/log/deno-cni.log",
      ],
      [
        "{ logFile: /var/log/x, logLevel: loud }",
        "plugin.logLevel: loud is not one of error, info, debug",
      ],
      [
        "{ logLevel: info }",
        "plugin.logLevel: there is no logFile; expected one beside it, or no logLevel",
      ],
      [
        "{ deamon: true }",
        "plugin.deamon: no such key; did you mean daemon?",
      ],
    ] as const
  ) refusedWith(`plugin: ${plugin}`, `c.yaml:3: ${said}`);
});

Deno.test("firewall is iptables or nftables", () => {
  refusedWith(
    "firewall: foo",
    "c.yaml:3: firewall: foo is not one of iptables, nftables",
  );
});
