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
  const six = inFamily(two, 6);
  const ids = six.nodes.map((_, at) =>
    /router id ([\d.]+);/.exec(confOf(six, at))?.[1]
  );
  assertEquals(new Set(ids).size, 3, ids.join(" "));
  assert(!ids.includes(undefined));
});

Deno.test("a bird tells which configuration it has read by a constant of it", () => {
  assertEquals(confDigest(confOf(two, 1)).length, 8);
  assertNotEquals(confDigest(confOf(two, 1)), confDigest(confOf(two, 2)));
});
