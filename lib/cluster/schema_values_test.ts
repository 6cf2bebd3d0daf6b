/**
 * Wrong values of the keys for segments, routes, tunnels, BGP and firewalls: each is
 * told in one line, by its own key, and the schema that editors take refuses it too
 * where a single key tells.
 */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { mistakes, parse } from "./cluster_file_testing.ts";
import { clusterFileSchema } from "./json_schema.ts";
import { objections } from "./json_schema_testing.ts";
import { readYaml } from "./yaml.ts";

const two = `name: t
clusterCIDR: 10.244.0.0/16
segments:
  - cidr: 10.0.1.0/24
    router: 10.0.1.2
  - cidr: 10.0.2.0/24
    router: 10.0.2.1
routes: vxlan
nodes:
  - name: master
    role: control-plane
    address: 10.0.1.10
  - name: worker-1
    address: 10.0.1.11
  - name: worker-2
    address: 10.0.2.12
`;

const dual = two
  .replace("10.244.0.0/16", '[10.244.0.0/16, "fd00:10:244::/56"]')
  .replaceAll(/10\.0\.(\d)\.0\/24/g, '[10.0.$1.0/24, "fd00:$1::/64"]')
  .replaceAll(/10\.0\.(\d)\.(\d+)$/gm, '[10.0.$1.$2, "fd00:$1::$2"]') +
  `outside:
  gateway: [10.0.1.1, "fd00:1::1"]
  address: [203.0.113.8, "2001:db8::8"]
`;

function changed(base: string, from: string, to: string): string {
  assert(base.includes(from), `no "${from}" in the cluster file`);
  return base.replace(from, to);
}

/** All that is said of a file, without its name and lines. */
function said(text: string): readonly string[] {
  return mistakes(text).map((line) => line.replace(/^c\.yaml:\d+: /, ""));
}

const schema = clusterFileSchema();

/** What is of no key's kind, as YAML. */
const kinds = [
  "",
  "null",
  "[]",
  "{}",
  "true",
  "7",
  '"7"',
  "some",
  "1.5",
  "-1",
  '""',
  "[null]",
  "[[1]]",
  "1e99",
  ".nan",
  ".inf",
];

/** Each key, where it stands, and which of the kinds it takes, or does not by itself. */
const keys: readonly (readonly [
  key: string,
  from: string,
  to: string,
  takes?: readonly string[],
])[] = [
  ["segments[0].cidr", "cidr: 10.0.1.0/24", "cidr: "],
  ["segments[0].router", "router: 10.0.1.2", "router: "],
  ["segments[0].mtu", "router: 10.0.1.2", "router: 10.0.1.2\n    mtu: "],
  ["routes", "routes: vxlan", "routes: "],
  ["vxlan", "routes: vxlan", "routes: vxlan\nvxlan: ", ["{}"]],
  ["vxlan.vni", "routes: vxlan", "routes: vxlan\nvxlan:\n  vni: ", ["7"]],
  ["vxlan.port", "routes: vxlan", "routes: vxlan\nvxlan:\n  port: ", ["7"]],
  [
    "vxlan.direct",
    "routes: vxlan",
    "routes: vxlan\nvxlan:\n  direct: ",
    ["true"],
  ],
  ["vxlan.mtu", "routes: vxlan", "routes: vxlan\nvxlan:\n  mtu: "],
  ["bgp", "routes: vxlan", "routes: bgp\nbgp: ", ["{}"]],
  ["bgp.as", "routes: vxlan", "routes: bgp\nbgp:\n  as: ", ["7"]],
  ["bgp.reflectors", "routes: vxlan", "routes: bgp\nbgp:\n  reflectors: "],
  ["bgp.peers", "routes: vxlan", "routes: bgp\nbgp:\n  peers: "],
  [
    "bgp.peers[0].address",
    "routes: vxlan",
    "routes: bgp\nbgp:\n  peers:\n    - as: 64513\n      address: ",
  ],
  [
    "bgp.peers[0].as",
    "routes: vxlan",
    "routes: bgp\nbgp:\n  peers:\n    - address: 10.0.1.2\n      as: ",
    ["7"],
  ],
  ["bgp.passwordFile", "routes: vxlan", "routes: bgp\nbgp:\n  passwordFile: "],
  ["firewall", "routes: vxlan", "routes: vxlan\nfirewall: "],
  ["nodes[2].address", "address: 10.0.2.12", "address: "],
  ["outside.gateway", "routes: vxlan", "routes: vxlan\noutside:\n  gateway: "],
  ["outside.address", "routes: vxlan", "routes: vxlan\noutside:\n  address: "],
];

Deno.test("a value of a wrong kind is told in one line that names the key, and the schema refuses it", () => {
  for (const [key, from, to, takes = []] of keys) {
    for (const kind of kinds) {
      const text = changed(two, from, to + kind);
      if (takes.includes(kind)) {
        parse(text);
        continue;
      }
      const lines = said(text);
      assertEquals(lines.length, 1, `${text}\n${lines.join("\n")}`);
      const [line = ""] = lines;
      assert(
        line.startsWith(`${key}: `) || line.startsWith(`${key}[0]: `),
        line,
      );
      assert(/ expected | is not /.test(line), line);
      // A name that is none of the nodes' is a name.
      if (key === "bgp.reflectors" && (kind === "some" || kind === '"7"')) {
        continue;
      }
      const objected = objections(schema, readYaml(text, "c.yaml").value);
      assertNotEquals(objected, [], `the schema takes:\n${text}`);
    }
  }
});

Deno.test("of segments that are none, nothing is said of who is on them", () => {
  const from = /segments:\n( {2}.*\n)+/;
  for (const kind of kinds) {
    if (kind === "[null]" || kind === "[[1]]") continue;
    const text = two.replace(from, `segments: ${kind}\n`);
    const [line = "", ...more] = said(text);
    assertEquals(more, [], text);
    assert(line.startsWith("segments: "), line);
    assertNotEquals(objections(schema, readYaml(text, "c").value), [], text);
  }
});

const hosts = (cidr: string, first: string, last: string) =>
  `is no host address of the segment ${cidr}; expected one from ${first} to ${last}`;
const first = hosts("10.0.1.0/24", "10.0.1.1", "10.0.1.254");
const second = hosts("10.0.2.0/24", "10.0.2.1", "10.0.2.254");
const own = "expected an address of its own";
const noSegment =
  "of worker-2 lies on no segment; expected an address of 10.0.1.0/24 or 10.0.2.0/24";
const machines = "expected a network of machines, e.g. 10.0.1.0/24";
const words = "is not one of host, vxlan, bgp, aws, gcp";
const peersHost =
  "lies on no segment of the lab; expected an address of 10.0.1.0/24 or 10.0.2.0/24";

/** A part of the file, what it is changed to, and all that is said of it. */
type Case = readonly [from: string, to: string, ...lines: string[]];

const ofSegments: readonly Case[] = [
  [
    "cidr: 10.0.1.0/24",
    "cidr: 10.0.1.5/24",
    "segments[0].cidr: 10.0.1.5/24 has host bits set; did you mean 10.0.1.0/24?",
  ],
  [
    "cidr: 10.0.1.0/24",
    "cidr: 10.0.1.0/33",
    "segments[0].cidr: 10.0.1.0/33 has a prefix of 33 bits; expected 32 at most",
  ],
  [
    "cidr: 10.0.1.0/24",
    "cidr: 10.0.1.0/31",
    "segments[0].cidr: 10.0.1.0/31 has no room for a router and a node; " +
    "expected /30 or shorter",
  ],
  [
    "cidr: 10.0.1.0/24",
    "cidr: 0.0.0.0/0",
    "segments[0].cidr: 0.0.0.0/0 has 0.0.0.0/8 in common, of which each is " +
    `no machine's address; ${machines}`,
  ],
  [
    "cidr: 10.0.1.0/24",
    "cidr: 127.0.0.0/24",
    "segments[0].cidr: 127.0.0.0/24 has 127.0.0.0/8 in common, of which each is " +
    `each machine's own address; ${machines}`,
  ],
  [
    "cidr: 10.0.1.0/24",
    "cidr: fd00:1::/64",
    "segments[0].cidr: fd00:1::/64 holds no IPv4; expected one of each family " +
    "that the clusterCIDR has",
  ],
  [
    "cidr: 10.0.1.0/24",
    "cidr: 10.0.2.0/24",
    "segments[1].cidr: 10.0.2.0/24 overlaps segments[0], 10.0.2.0/24; " +
    "expected segments that have no address in common",
  ],
  [
    "cidr: 10.0.1.0/24",
    "cidr: 10.0.0.0/16",
    "segments[1].cidr: 10.0.2.0/24 overlaps segments[0], 10.0.0.0/16; " +
    "expected segments that have no address in common",
  ],
  [
    "cidr: 10.0.1.0/24",
    "cidr: [10.0.1.0/24, 10.0.3.0/24]",
    "segments[0].cidr[1]: 10.0.3.0/24 is of the same family as 10.0.1.0/24; " +
    "expected one IPv4 and one IPv6 at most",
  ],
  [
    "clusterCIDR: 10.244.0.0/16",
    "clusterCIDR: 10.0.0.0/16",
    "clusterCIDR: 10.0.0.0/16 overlaps the segment 10.0.1.0/24; " +
    "expected addresses of the pods' own",
  ],
  [
    "router: 10.0.1.2",
    "router: 10.0.1.0",
    `segments[0].router: 10.0.1.0 ${first}`,
  ],
  [
    "router: 10.0.1.2",
    "router: 10.0.1.255",
    `segments[0].router: 10.0.1.255 ${first}`,
  ],
  [
    "router: 10.0.2.1",
    "router: 10.0.1.2",
    `segments[1].router: 10.0.1.2 ${second}`,
  ],
  [
    "router: 10.0.1.2",
    "router: 10.0.1.1",
    `outside.gateway: 10.0.1.1 is the router's (segments[0].router); ${own}`,
  ],
  [
    "router: 10.0.1.2",
    "router: 10.0.1.10",
    `nodes[0].address: 10.0.1.10 is the router's (segments[0].router); ${own}`,
  ],
  [
    "router: 10.0.1.2",
    "router: 10.0.1.2/24",
    "segments[0].router: 10.0.1.2/24 is not an IPv4 address; expected e.g. 10.0.1.11",
  ],
  [
    "router: 10.0.1.2",
    "router: fd00::1",
    "segments[0].router: fd00::1 holds no IPv4; expected one of each family " +
    "that the clusterCIDR has",
  ],
  [
    "    router: 10.0.1.2\n",
    "",
    "segments[0]: the key router is missing; expected an address, e.g. 10.0.1.11",
  ],
  [
    "router: 10.0.1.2",
    "routr: 10.0.1.2",
    "segments[0].routr: no such key; did you mean router?",
  ],
  [
    "router: 10.0.1.2",
    "router: 10.0.1.2\n    gateway: 10.0.1.2",
    "segments[0].gateway: no such key; expected one of cidr, router, mtu",
  ],
  ["segments:", "segment:", "segment: no such key; did you mean segments?"],
  [
    "name: t",
    "name: t\nprovider: moon",
    "provider: moon is not one of lab, local, ssh, aws, gcp",
  ],
  [
    "name: t",
    "name: t\nprovider: ssh",
    "segments: is for a lab, whose segments stage 01 makes; " +
    "expected none with provider: ssh",
  ],
  ...["67", "65536"].map((mtu): Case => [
    "router: 10.0.1.2",
    `router: 10.0.1.2\n    mtu: ${mtu}`,
    `segments[0].mtu: ${mtu} is not a whole number from 68 to 65535`,
  ]),
  [
    "router: 10.0.1.2",
    "router: 10.0.1.2\n    mtu: 117",
    "segments[0].mtu: 117 leaves the tunnel 67 bytes a packet, and IPv4 needs 68; " +
    "expected ways between the nodes that take 118 or more",
  ],
];

const ofMachines: readonly Case[] = [
  ["10.0.2.12", "10.0.3.12", `nodes[2].address: 10.0.3.12 ${noSegment}`],
  ["10.0.2.12", "203.0.113.8", `nodes[2].address: 203.0.113.8 ${noSegment}`],
  ["10.0.2.12", "10.244.2.1", `nodes[2].address: 10.244.2.1 ${noSegment}`],
  ["10.0.2.12", "10.0.2.0", `nodes[2].address: 10.0.2.0 ${second}`],
  ["10.0.2.12", "10.0.2.255", `nodes[2].address: 10.0.2.255 ${second}`],
  [
    "10.0.2.12",
    "10.0.2.1",
    `nodes[2].address: 10.0.2.1 is the router's (segments[1].router); ${own}`,
  ],
  [
    "10.0.2.12",
    "10.0.1.1",
    `nodes[2].address: 10.0.1.1 is the outside host's (outside.gateway); ${own}`,
  ],
  [
    "10.0.2.12",
    "10.0.1.10",
    `nodes[2].address: 10.0.1.10 is the address of nodes[0] too; ${own}`,
  ],
  [
    "10.0.2.12",
    "fd00::1",
    "nodes[2].address: fd00::1 holds no IPv4; expected one of each family " +
    "that the clusterCIDR has",
  ],
  [
    "routes: vxlan",
    "outside: {gateway: 10.0.2.9}\nroutes: vxlan",
    `outside.gateway: 10.0.2.9 ${first}`,
  ],
  [
    "routes: vxlan",
    "outside: {gateway: 10.0.1.255}\nroutes: vxlan",
    `outside.gateway: 10.0.1.255 ${first}`,
  ],
  [
    "routes: vxlan",
    "outside: {gateway: 10.0.1.10}\nroutes: vxlan",
    `nodes[0].address: 10.0.1.10 is the outside host's (outside.gateway); ${own}`,
  ],
  [
    "routes: vxlan",
    "outside: {address: 10.0.2.9}\nroutes: vxlan",
    "outside.address: 10.0.2.9 lies in 10.0.2.0/24; " +
    "expected an address beyond the nodes and the pods",
  ],
  [
    "routes: vxlan",
    "outside: {address: 127.0.0.1}\nroutes: vxlan",
    "outside.address: 127.0.0.1 is each machine's own address; " +
    "expected an address beyond the nodes and the pods",
  ],
];

const ofRoutes: readonly Case[] = [
  ["routes: vxlan", "routes: ospf", `routes: ospf ${words}`],
  ["routes: vxlan", "routes: VXLAN", `routes: VXLAN ${words}`],
  [
    "routes: vxlan",
    "routes: ospf\nvxlan: {vni: 2}",
    `routes: ospf ${words}`,
  ],
  ["routes: vxlan", "routes: bpg\nbgp: {as: 7}", `routes: bpg ${words}`],
  [
    "routes: vxlan",
    "routes:\nvxlan: {vni: 2}",
    "routes: there is no value; expected one of host, vxlan, bgp, aws, gcp",
  ],
  [
    "routes: vxlan",
    "route: bgp\nbgp: {as: 7}",
    "route: no such key; did you mean routes?",
  ],
  [
    "routes: vxlan",
    "vxlan: {vni: 2}",
    "vxlan: is for routes: vxlan; this file has no key routes, which means routes: host",
  ],
  [
    "routes: vxlan",
    "routes: bgp\nvxlan: {vni: 2}",
    "vxlan: is for routes: vxlan; this file has routes: bgp",
  ],
  [
    "routes: vxlan",
    "routes: vxlan\nbgp: {as: 7}",
    "bgp: is for routes: bgp; this file has routes: vxlan",
  ],
  [
    "routes: vxlan",
    "routes: aws",
    "routes: aws is for machines of provider: aws, not lab; expected host, vxlan or bgp",
  ],
  ...[["vni", 0, 16777216, 16777215], ["port", 0, 65536, 65535]].flatMap(
    ([key, least, most, last]) =>
      [least, most].map((value): Case => [
        "routes: vxlan",
        `routes: vxlan\nvxlan: {${key}: ${value}}`,
        `vxlan.${key}: ${value} is not a whole number from 1 to ${last}`,
      ]),
  ),
  ...["67", "65536"].map((mtu): Case => [
    "routes: vxlan",
    `routes: vxlan\nvxlan: {mtu: ${mtu}}`,
    `vxlan.mtu: ${mtu} is not a whole number from 68 to 65535`,
  ]),
  [
    "routes: vxlan",
    "routes: vxlan\nvxlan: {mtu: 117}",
    "vxlan.mtu: 117 leaves the tunnel 67 bytes a packet, and IPv4 needs 68; " +
    "expected ways between the nodes that take 118 or more",
  ],
  [
    "routes: vxlan",
    "routes: vxlan\nmtu: 1451",
    "mtu: 1451 does not fit the tunnel: of the way's 1500 bytes it takes 50 itself; " +
    "expected 1450 or less, or a larger vxlan.mtu",
  ],
  [
    "routes: vxlan",
    "routes: vxlan\nvxlan: {direct: 'true'}",
    'vxlan.direct: "true" is not one of true, false',
  ],
  [
    "routes: vxlan",
    "routes: vxlan\nvxlan: {prot: 7}",
    "vxlan.prot: no such key; did you mean port?",
  ],
  [
    "routes: vxlan",
    "routes: vxlan\nvxlan: {id: 7}",
    "vxlan.id: no such key; expected one of vni, port, direct, mtu",
  ],
  [
    "routes: vxlan",
    "routes: vxlan\nbridge: deno.vxlan",
    "bridge: deno.vxlan is what the tunnels' own link is called; expected another, e.g. cni0",
  ],
  [
    "routes: vxlan",
    "routes: vxlan\nfirewall: NFTables",
    "firewall: NFTables is not one of iptables, nftables",
  ],
  [
    "routes: vxlan",
    "routes: vxlan\nfirewal: nftables",
    "firewal: no such key; did you mean firewall?",
  ],
];

const ofBgp: readonly (readonly [bgp: string, ...lines: string[]])[] = [
  [
    "{peers: [{address: 10.0.1.2}]}",
    "bgp.peers[0]: the key as is missing; expected a whole number from 1 to 4294967294",
  ],
  [
    "{peers: [{as: 64513}]}",
    "bgp.peers[0]: the key address is missing; expected an address, e.g. 10.0.1.11",
  ],
  [
    "{peers: [{adress: 10.0.1.2, as: 64513}]}",
    "bgp.peers[0].adress: no such key; did you mean address?",
  ],
  [
    "{peers: [{address: 10.0.1.2, as: 64513, password: x}]}",
    "bgp.peers[0].password: no such key; expected one of address, as",
  ],
  [
    "{peers: [{address: 10.0.9.9, as: 64513}]}",
    `bgp.peers[0].address: 10.0.9.9 ${peersHost}`,
  ],
  [
    "{peers: [{address: 203.0.113.8, as: 64513}]}",
    `bgp.peers[0].address: 203.0.113.8 ${peersHost}`,
  ],
  [
    "{peers: [{address: 10.0.1.255, as: 64513}]}",
    `bgp.peers[0].address: 10.0.1.255 ${first}`,
  ],
  [
    "{peers: [{address: 10.0.1.10, as: 0}]}",
    "bgp.peers[0].as: 0 is not a whole number from 1 to 4294967294",
    "bgp.peers[0].address: 10.0.1.10 is the address of master; expected a router's, " +
    "for the nodes know each other already",
  ],
  [
    "{reflector: [master]}",
    "bgp.reflector: no such key; did you mean reflectors?",
  ],
  [
    "{reflectors: [router]}",
    "bgp.reflectors[0]: router is no node; expected one of master, worker-1, worker-2",
  ],
  [
    '{reflectors: ["a\\nb"]}',
    'bgp.reflectors[0]: "a\\nb" is not a name; expected a-z, 0-9, "-" and "." inside, ' +
    "63 characters at most",
  ],
  [
    '{passwordFile: "/a\\nb"}',
    'bgp.passwordFile: "/a\\nb" is no file\'s absolute path; ' +
    "expected one that begins with / or ~/",
  ],
  [
    "{passwordFile: /etc/}",
    "bgp.passwordFile: /etc/ is no file's absolute path; " +
    "expected one that begins with / or ~/",
  ],
  ["{password: x}", "bgp.password: no such key; did you mean passwordFile?"],
];

Deno.test("a value that cannot be is told in one line, with what was expected", () => {
  const cases: readonly Case[] = [
    ...ofSegments,
    ...ofMachines,
    ...ofRoutes,
    ...ofBgp.map(([bgp, ...lines]): Case => [
      "routes: vxlan",
      `routes: bgp\nbgp: ${bgp}`,
      ...lines,
    ]),
  ];
  for (const [from, to, ...lines] of cases) {
    const text = changed(two, from, to);
    assertEquals(said(text), lines, text);
  }
});

Deno.test("a value of one family that cannot be is told in one line where there are two", () => {
  parse(dual);
  const six =
    "fd00:2::/64; expected one from fd00:2::1 to fd00:2::ffff:ffff:ffff:ffff";
  const cases: readonly Case[] = [
    [
      '[10.0.1.0/24, "fd00:1::/64"]',
      "10.0.1.0/24",
      "segments[0].cidr: 10.0.1.0/24 holds no IPv6; expected one of each family " +
      "that the clusterCIDR has",
    ],
    [
      '[10.0.1.2, "fd00:1::2"]',
      "10.0.1.2",
      "segments[0].router: 10.0.1.2 holds no IPv6; expected one of each family " +
      "that the clusterCIDR has",
    ],
    [
      '"fd00:2::/64"',
      '"fd00:1::/80"',
      "segments[1].cidr[1]: fd00:1::/80 overlaps segments[0], fd00:1::/64; " +
      "expected segments that have no address in common",
    ],
    [
      '"fd00:2::12"',
      '"fd00:1::12"',
      `nodes[2].address[1]: fd00:1::12 is no host address of the segment ${six}`,
    ],
    [
      '"fd00:2::12"',
      '"fd00:2::"',
      `nodes[2].address[1]: fd00:2:: is no host address of the segment ${six}`,
    ],
    [
      '"fd00:2::12"',
      '"fe80::1"',
      `nodes[2].address[1]: fe80::1 is no host address of the segment ${six}`,
    ],
    [
      '"fd00:1::2"]',
      '"fd00:1::2"]\n    mtu: 1279',
      "segments[0].mtu: 1279 leaves the tunnel 1229 bytes a packet, and IPv6 needs 1280; " +
      "expected ways between the nodes that take 1330 or more",
    ],
    [
      "routes: vxlan",
      "routes: vxlan\nvxlan: {mtu: 1329}",
      "vxlan.mtu: 1329 leaves the tunnel 1279 bytes a packet, and IPv6 needs 1280; " +
      "expected ways between the nodes that take 1330 or more",
    ],
    [
      "routes: vxlan",
      "routes: vxlan\nmtu: 1279",
      "mtu: 1279 is too small for IPv6; expected 1280 or more",
    ],
  ];
  for (const [from, to, ...lines] of cases) {
    const text = changed(dual, from, to);
    assertEquals(said(text), lines, text);
  }
});

Deno.test("of several faults each has its line", () => {
  const text = two.replace("vxlan", "ospf").replace("10.0.2.12", "10.9.9.9")
    .replace("router: 10.0.1.2", "router: 10.0.1.0") + "firewall: nft\n";
  assertEquals(said(text), [
    `segments[0].router: 10.0.1.0 ${first}`,
    `routes: ospf ${words}`,
    `nodes[2].address: 10.9.9.9 ${noSegment}`,
    "firewall: nft is not one of iptables, nftables",
  ]);
});
