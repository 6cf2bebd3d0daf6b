/** BIRD's configuration as data. */
// @ts-types="../std/snapshot.d.ts"
import { assertSnapshot } from "@std/testing/snapshot";
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import { labCluster, twoSegmentsCluster } from "../cluster/cluster_testing.ts";
import { inFamily } from "../cluster/address_family.ts";
import { confDigest, nodeConf, routerConf } from "./bird_conf.ts";

const peers = [
  { address: "10.0.1.2", as: 64_513 },
  { address: "10.0.2.1", as: 64_513 },
];
const two: Cluster = {
  ...twoSegmentsCluster({ name: "lab-two", stateDir: "/state/lab-two" }),
  routes: "bgp",
  bgp: { as: 64_512, peers },
};
const one: Cluster = {
  ...labCluster({ name: "lab", stateDir: "/state/lab" }),
  provider: "ssh",
  routes: "bgp",
  bgp: { as: 65_001, peers: [], reflectors: ["master"] },
};

/** A cluster of IPv6 alone, and its router. */
function withPeers({ whole: _, ...cluster }: Cluster): Cluster {
  const addresses = (cluster.segments ?? []).flatMap(({ router }) => router);
  const peers = addresses.map((address, at) => ({ address, as: 65_010 + at }));
  return { ...cluster, bgp: { as: 64_512, peers } };
}

function confOf(cluster: Cluster, at: number): string {
  const node = cluster.nodes[at];
  assert(node);
  return nodeConf(cluster, node);
}

Deno.test("a node of two segments and two families has this configuration", async (t) => {
  await assertSnapshot(t, confOf(two, 1));
});

Deno.test("the router between them believes what nodes announce, and announces nothing", async (t) => {
  await assertSnapshot(t, routerConf(two) ?? "none");
});

Deno.test("a reflector passes on what its clients announce; a client announces its own alone", async (t) => {
  await assertSnapshot(t, confOf(one, 0));
  assert(!confOf(one, 1).includes("RTS_BGP then accept"), confOf(one, 1));
  assert(!confOf(one, 1).includes("rr client"), confOf(one, 1));
});

Deno.test("the router is to each segment's nodes of the autonomous system that they know it by", () => {
  const conf = routerConf(withPeers(inFamily(two, 6))) ?? "";
  assertEquals(conf.match(/local \S+ as \d+/g), [
    "local fd00:10:0:1::2 as 65010",
    "local fd00:10:0:1::2 as 65010",
    "local fd00:10:0:2::1 as 65011",
  ]);
});

Deno.test("of a node its own podCIDRs are believed, of one that reflects those of others, of a router nothing", () => {
  const imports = (conf: string) =>
    conf.match(/import where .*(?=;)/g)?.slice(1);
  assertEquals(
    imports(confOf(two, 1))?.slice(1),
    [
      ...["where net = 10.244.0.0/24", "where net = fd00:10:244::/64"],
      ...["where net = 10.244.2.0/24", "where net = fd00:10:244:2::/64"],
      ...["where false", "where false"],
    ].map((words) => `import ${words}`),
  );
  assertEquals(imports(confOf(one, 1)), [
    "import where net ~ [ 10.244.0.0/16{24,24} ] && net !~ own_pods_4",
  ]);
});

Deno.test("no session fills a bird's memory, and a reflector's has room for all nodes", () => {
  const limit = /^ {4}receive limit (\d+) action block;$/gm;
  for (const cluster of [two, one]) {
    const conf = confOf(cluster, 1);
    const limits = [...conf.matchAll(limit)].map(([, most]) => Number(most));
    assertEquals(limits.length, conf.match(/import keep filtered on/g)?.length);
    assert(limits.every((most) => most > cluster.nodes.length), conf);
  }
});

Deno.test("the password is not in the configuration, which takes it from a file that bird alone reads", () => {
  const bgp = { as: 64_512, peers, passwordFile: "/root/secret" };
  const text = confOf({ ...two, bgp }, 1);
  assertEquals(
    text.match(/^include "\/etc\/bird\/deno-cni.password";$/gm)?.length,
    3,
  );
  assert(!text.includes("/root/secret"), text);
});

Deno.test("nodes of IPv6 alone have identifiers of their own", () => {
  const six = withPeers(inFamily(two, 6));
  const ids = six.nodes.map((_, at) =>
    /router id ([\d.]+);/.exec(confOf(six, at))?.[1]
  );
  ids.push(/router id ([\d.]+);/.exec(routerConf(six) ?? "")?.[1]);
  assertEquals(new Set(ids).size, 4, ids.join(" "));
  assert(!ids.includes(undefined));
});

Deno.test("a bird tells which configuration it has read by a constant of it", () => {
  assertEquals(confDigest(confOf(two, 1)).length, 8);
  assertNotEquals(confDigest(confOf(two, 1)), confDigest(confOf(two, 2)));
});

Deno.test("a route of IPv6 is announced by the node's address, not by a link-local one", () => {
  const text = confOf(inFamily(two, 6), 1);
  assertEquals(text.match(/bgp_next_hop = (\S+);/g)?.length, 3);
});
