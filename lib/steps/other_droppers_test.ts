// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { readDroppers } from "./other_droppers.ts";

const cluster = {
  clusterCIDRs: ["10.244.0.0/16", "fd00:10:244::/56"],
  bridge: "cni0",
  nodes: labCluster({ name: "lab", stateDir: "/nowhere" }).nodes,
};
const own = cluster.nodes.find(({ name }) => name === "worker-1");

/** A chain at a hook, of these rules. */
function chain(
  place: string,
  hook: string,
  policy: string,
  ...exprs: object[]
) {
  const [family, table, name] = place.split(" ");
  return [
    { chain: { family, table, name, hook, policy, type: "filter" } },
    ...exprs.map((expr, handle) => (
      { rule: { family, table, chain: name, handle, expr } }
    )),
  ];
}

const named = (...objects: object[]) =>
  readDroppers(JSON.stringify({ nftables: objects }), cluster)
    .map(({ what }) => what);

Deno.test("chains of others that drop what is forwarded are named, ours never", () => {
  const all = [{ drop: null }];
  const invalid = [
    { match: { op: "in", left: { ct: { key: "state" } }, right: "invalid" } },
    ...all,
  ];
  assertEquals(
    named(
      ...chain("inet deno_cni forward", "forward", "drop"),
      ...chain("inet filter forward", "forward", "drop"),
      ...chain("ip filter FORWARD", "forward", "drop"),
      ...chain("inet raw early", "prerouting", "accept", all),
      ...chain("inet good fwd", "forward", "accept", invalid),
      ...chain("inet filter input", "input", "drop"),
      ...chain("ip nat POSTROUTING", "postrouting", "accept"),
    ),
    [
      "the chain inet filter forward",
      "the chain ip filter FORWARD",
      "the chain inet raw early",
    ],
  );
  assertEquals(readDroppers("no JSON", cluster), []);
  const match = { payload: { protocol: "ip", field: "daddr" } };
  const right = { prefix: { addr: "10.244.2.0", len: 24 } };
  const forOne = [{ match: { op: "==", left: match, right } }, ...all];
  const nftables = chain("ip fw f", "forward", "accept", forOne);
  assertEquals(
    readDroppers(JSON.stringify({ nftables }), cluster, own)
      .map(({ what }) => what),
    ["the chain ip fw f"],
  );
});

Deno.test("of firewalld the chain is named in which it rejects, and how pods pass it", async () => {
  const text = await Deno.readTextFile(
    new URL("../net/testdata/firewalld.json", import.meta.url),
  );
  const [found, ...more] = readDroppers(text, cluster);
  assertEquals(more, []);
  assertEquals(
    found?.what,
    "the chain inet firewalld filter_FORWARD (in its chain filter_FWD_public)",
  );
  assertStringIncludes(
    found?.advice ?? "",
    "nft insert rule inet firewalld filter_FORWARD ip6 saddr fd00:10:244::/56",
  );
});

Deno.test("the old iptables is looked at, too, and where its program is gone that is said", () => {
  const of = (...lines: string[]) =>
    readDroppers(['{"nftables": []}', ...lines, ""].join("\n"), cluster)
      .map(({ what, advice }) => `${what}: ${advice}`);
  const [found = "", ...more] = of("# iptables-legacy", "-P FORWARD DROP");
  assertEquals(more, []);
  assertStringIncludes(found, "the chain FORWARD of iptables-legacy");
  assertStringIncludes(
    found,
    "iptables-legacy -w -I FORWARD -s 10.244.0.0/16 -j ACCEPT",
  );
  assertEquals(of("# iptables-legacy", "-P FORWARD ACCEPT"), []);
  const [gone = ""] = of("# ip6tables-legacy", "gone");
  assertStringIncludes(gone, "ip6tables-legacy -S FORWARD");
});
