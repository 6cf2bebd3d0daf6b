// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import {
  dualCluster,
  labCluster,
  twoSegmentsCluster,
} from "../cluster/cluster_testing.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { stageNames } from "../stage/stage.ts";
import {
  mendingSentences,
  mistakeSentences,
  tourTexts,
} from "./stage_texts.ts";
import { wrap } from "../text/wrap.ts";

const names = { name: "lab", stateDir: "/state/lab" };
const clusters: readonly Cluster[] = [
  labCluster(names),
  dualCluster(names),
  twoSegmentsCluster(names),
  ...[true, false].map((direct): Cluster => ({
    ...labCluster(names),
    routes: "vxlan",
    vxlan: { vni: 1, port: 8472, direct },
  })),
  {
    ...labCluster(names),
    routes: "bgp",
    bgp: { as: 4_200_000_000, peers: [] },
  },
  {
    ...twoSegmentsCluster(names),
    routes: "bgp",
    bgp: { as: 4_200_000_000, peers: [] },
  },
  { ...labCluster(names), firewall: "nftables" },
  { ...dualCluster(names), firewall: "nftables" },
];

/** Every text, as it is said of a cluster. */
function* texts(cluster: Cluster) {
  const [, node] = cluster.nodes;
  assert(node);
  for (const name of stageNames) {
    yield [name, tourTexts[name].sentences({ cluster, node })] as const;
  }
  yield ["mistake", mistakeSentences] as const;
  yield ["mending", mendingSentences] as const;
}

Deno.test("every stage has three sentences, each of which is one, and none is very long", () => {
  for (const cluster of clusters) {
    for (const [name, sentences] of texts(cluster)) {
      assertEquals(sentences.length, 3, name);
      for (const sentence of sentences) {
        assert(/^[A-Z].*[.]$/.test(sentence), `${name}: ${sentence}`);
        assert(
          !/[.!?] [A-Z]/.test(sentence),
          `${name}, two in one: ${sentence}`,
        );
        assert(!/ {2}|\n/.test(sentence), `${name}: ${sentence}`);
        const count = sentence.split(" ").length;
        assert(count <= 45, `${name}, ${count} words: ${sentence}`);
      }
    }
  }
});

Deno.test("no line of them is wider than a terminal", () => {
  for (const cluster of clusters) {
    for (const [name, sentences] of texts(cluster)) {
      const lines = wrap(sentences.join(" ")).split("\n");
      assert(lines.every((line) => line.length < 80), name);
    }
  }
});

Deno.test("they speak of the cluster that there is", () => {
  const [lab, dual] = clusters;
  assert(lab && dual);
  const said = (cluster: Cluster) =>
    [...texts({ ...cluster, bridge: "br7" })]
      .flatMap(([, sentences]) => sentences).join(" ");
  assert(said(lab).includes("br7") && !said(lab).includes("cni0"));
  assert(said(lab).includes("10.244.0.0/16"));
  assert(said(dual).includes("10.244.0.0/16 and fd00:10:244::/56"));
});

Deno.test("until there are pods, each stage has something to look at", () => {
  const [cluster, , two] = clusters;
  assert(cluster && two);
  const looks = (cluster: Cluster) =>
    stageNames.filter((name) => tourTexts[name].look?.(cluster));
  assertEquals(looks(cluster), stageNames.slice(0, 4));
  assertEquals(looks(two), [...stageNames.slice(0, 4), "08-routes"]);
  assertEquals(looks({ ...cluster, firewall: "nftables" }), [
    ...stageNames.slice(0, 4),
    "06-forwarding",
    "07-masquerade",
  ]);
});
