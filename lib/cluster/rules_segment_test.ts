/** The addresses of a cluster file: which fit together, and which are refused. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  dual,
  mistakes,
  parse,
  refused,
  refusedWith,
  six,
  small,
} from "./cluster_file_testing.ts";

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
      [
        "[]",
        "[] is empty; expected at least one: a CIDR, e.g. 10.244.0.0/16",
      ],
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
    "c.yaml:2: clusterCIDR: 10.244.0.0/26 does not fit nodeMask's default of 24; expected a nodeMask from 26 to 29",
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
    "c.yaml:3: nodeMask: 15 does not fit the clusterCIDR 10.244.0.0/16; expected 16 to 29",
  );
  refusedWith(
    "nodeMask: 30",
    "c.yaml:3: nodeMask: 30 leaves a node room for fewer than the 2 pods that stage 09 starts; expected 29 or less",
  );
  refusedWith(
    "nodeMask: 31",
    "c.yaml:3: nodeMask: 31 leaves a node room for fewer than the 2 pods that stage 09 starts; expected 29 or less",
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
    "10.244.1.0/30",
    ": 10.244.1.0/30 leaves a node room for fewer than the 2 pods that stage 09 starts; expected /29 or shorter",
  );
  given(
    "10.244.1.1/24",
    ": 10.244.1.1/24 has host bits set; did you mean 10.244.1.0/24?",
  );
  given(
    "[]",
    ": [] is empty; expected at least one: a CIDR, e.g. 10.244.0.0/16",
  );
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
    "c.yaml:2: clusterCIDR: 10.244.0.0/16 has no subnet left for the node master; expected a /24 for each",
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
