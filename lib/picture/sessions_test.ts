/** Pictures of BGP sessions: which are up, which are down, the nodes that reflect, and routers. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
// @ts-types="../std/snapshot.d.ts"
import { assertSnapshot } from "@std/testing/snapshot";
import { sessionsOf } from "../cluster/bgp_sessions.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { twoSegmentsCluster } from "../cluster/cluster_testing.ts";
import type { Inventory } from "../inventory/inventory.ts";
import { pictureChanges } from "./diff.ts";
import { drawMermaid, drawSvg } from "./picture.ts";
import {
  checkTexts,
  checkXml,
  clusterOf,
  inventoryOf,
  link,
  textsOf,
  withHost,
} from "./picture_testing.ts";

/** The cluster with what its nodes' birds say; these sessions are down. */
function seen(
  cluster: Cluster,
  down: readonly (readonly [node: string, session: string])[] = [],
): Inventory {
  return cluster.nodes.reduce(
    (all, node) =>
      withHost(all, node.name, (host) => ({
        ...host,
        sessions: sessionsOf(cluster, node).map(({ name }) =>
          down.some(([on, session]) => on === node.name && session === name)
            ? { name, state: "Active", error: "Socket: Connection refused" }
            : { name, state: "Established" }
        ),
      })),
    inventoryOf(cluster, 1),
  );
}

const two: Cluster = (() => {
  const { vxlan: _, ...cluster } = twoSegmentsCluster({
    name: "lab-two",
    stateDir: "/nowhere",
  });
  return {
    ...cluster,
    routes: "bgp",
    bgp: {
      as: 64_512,
      peers: [
        { address: "10.0.1.2", as: 64_513 },
        { address: "10.0.2.1", as: 64_513 },
      ],
    },
  };
})();

/** What a reader hears of it. */
const inWords = (svg: string) => /<desc [^>]*>([^<]*)/.exec(svg)?.[1] ?? "";

Deno.test("sessions that are up and one that is down are told apart by line, sign and word", async (t) => {
  const well = drawSvg(seen(two), { cluster: two });
  checkXml(well);
  checkTexts(well);
  assertStringIncludes(well, 'class="session"');
  assert(!/class="off"/.test(well));
  assertStringIncludes(inWords(well), "BGP sessions, AS 64512: ✓ 6 up.");
  const now = seen(two, [["worker-1", "to-worker-2"]]);
  const svg = drawSvg(now, { cluster: two });
  checkXml(svg);
  checkTexts(svg);
  assertStringIncludes(svg, 'class="off"');
  const texts = textsOf(svg).map(({ text }) => text);
  assertEquals(texts.filter((text) => /^. BGP$/.test(text)).toSorted(), [
    "✓ BGP",
    "✗ BGP",
    "✗ BGP",
  ]);
  assertStringIncludes(
    inWords(svg),
    "The session of worker-1 with worker-2 is down (Active, Socket: Connection refused).",
  );
  assertStringIncludes(
    pictureChanges(seen(two), now, two).join("\n"),
    "worker-1: ✗ BGP with worker-2: Active, Socket: Connection refused",
  );
  await assertSnapshot(t, drawMermaid(now, { cluster: two }));
});

Deno.test("a session of which one end says nothing is down, and before any bird runs there is none", () => {
  const silent = withHost(seen(two), "worker-2", () => ({
    is: "unreachable",
    why: "no route to host",
  }));
  const words = inWords(drawSvg(silent, { cluster: two }));
  assertStringIncludes(words, "worker-2 is down (no answer)");
  const early = inventoryOf(two, 0, "07-masquerade");
  assert(!drawSvg(early, { cluster: two }).includes("BGP"));
});

Deno.test("22 nodes with a reflector, a peer and a session that is down stay readable", () => {
  const bgp = {
    as: 4_200_000_000,
    peers: [{ address: "10.0.1.254", as: 65_000 }],
  };
  const cluster: Cluster = { ...clusterOf(22), routes: "bgp", bgp };
  const now = seen(cluster, [["worker-7", "to-master"]]);
  const svg = drawSvg(now, { cluster });
  checkTexts(svg);
  const texts = textsOf(svg).map(({ text }) => text);
  for (
    const text of [
      "✗ BGP RR",
      "BGP 10.0.1.254, AS 65000: ✓ 22 up",
      "BGP sessions, AS 4200000000: ✗ 1 of 43 down",
    ]
  ) assert(texts.includes(text), texts.join("\n"));
  assertEquals(texts.filter((text) => text === "✓ BGP").length, 20);
  const cables = (svg: string, kind: string) =>
    [...svg.matchAll(/<line [^>]*>/g)].filter(([text]) =>
      text.includes(`class="${kind}"`)
    ).length;
  const down: Cluster["nodes"] = cluster.nodes;
  const lost = drawSvg(
    seen(cluster, down.map(({ name }) => [name, "peer:10.0.1.254"])),
    { cluster },
  );
  assertStringIncludes(lost, "AS 65000: ✗ 22 of 22 down");
  // To the peer no session leads that is up.
  assertEquals(cables(svg, "session") - cables(lost, "session"), 1);
  const mermaid = drawMermaid(now, { cluster });
  assertEquals(mermaid.match(/-\. "/g)?.length, 1, mermaid);
  // As narrow as a picture gets, the peer's box is below the outside host's.
  for (const nodes of [1, 2]) {
    const few: Cluster = { ...clusterOf(nodes), routes: "bgp", bgp };
    checkTexts(drawSvg(seen(few), { cluster: few }));
  }
});

Deno.test("tunnels are drawn where they lead to other nodes, and not where all share a segment and do without", () => {
  const drawn = (direct: boolean) => {
    const vxlan = { vni: 1, port: 8472, direct };
    const cluster: Cluster = { ...clusterOf(3), routes: "vxlan", vxlan };
    const now = cluster.nodes.reduce(
      (all, { name }) =>
        withHost(all, name, (host) => ({
          ...host,
          links: [...host.links, link("deno.vxlan", 9, { kind: "vxlan" })],
        })),
      inventoryOf(cluster, 1),
    );
    const svg = drawSvg(now, { cluster });
    checkTexts(svg);
    return svg + drawMermaid(now, { cluster });
  };
  assertStringIncludes(
    drawn(false),
    "Tunnels join master, worker-1, worker-2.",
  );
  assert(!/class="tunnel"|tunnels:|- tunnel/.test(drawn(true)));
  for (
    const text of [
      'class="tunnel"',
      "tunnels: VXLAN 1, UDP port 8472",
      "n1r -. tunnel .- n2r",
    ]
  ) assertStringIncludes(drawn(false), text);
});
