/** Pictures of clusters, without looking at them. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { drawMermaid, drawSvg } from "./picture.ts";
import { type Layout, layOut } from "./layout.ts";
import { pictureChanges } from "./diff.ts";
import { sceneOf } from "./scene.ts";
import { twoSegmentsCluster } from "../cluster/cluster_testing.ts";
import {
  checkTexts,
  checkXml,
  clusterOf,
  inventoryOf,
  link,
  textsOf,
  withHost,
} from "./picture_testing.ts";
import type { Inventory } from "../inventory/inventory.ts";
import type { TraceHop, TraceReport } from "../trace/report.ts";

const cluster = clusterOf(3);
const whole = inventoryOf(cluster, 4);

Deno.test("every node, pod and address of a cluster is in its picture", () => {
  const svg = drawSvg(whole, { cluster });
  checkXml(svg);
  for (
    const text of [
      "master",
      "worker-2",
      "pod-3",
      "10.244.2.5",
      "cni0 10.244.1.1/24",
      "eth0 10.0.1.11/24",
      "outside",
      "203.0.113.8",
      "segment 10.0.1.0/24",
      "10.244.2.0/24 via 10.0.1.12 (worker-2)",
    ]
  ) assertStringIncludes(svg, text);
  assertEquals(drawSvg(whole, { cluster }), svg);
});

Deno.test("no text lies over another or leaves the picture, with 3 nodes and 12 pods or 10 and 60", () => {
  checkTexts(drawSvg(inventoryOf(cluster, 6), { cluster }));
  const large = clusterOf(10);
  checkTexts(drawSvg(inventoryOf(large, 6), { cluster: large }));
  const early = inventoryOf(cluster, 0, "03-cni-config");
  checkTexts(drawSvg(early, { cluster }));
  const odd = withHost(whole, "worker-1", (host) => ({
    ...host,
    pods: host.pods.map((pod) => ({
      ...pod,
      name: `coredns-${"5dd5756b68-".repeat(5)}`,
      addresses: [
        ...pod.addresses,
        {
          address: "fd00:1234:5678:9abc:def0:1234:5678:9abc",
          prefixLength: 64,
        },
      ],
    })),
  }));
  checkTexts(drawSvg(odd, { cluster, before: inventoryOf(cluster, 1) }));
});

Deno.test("what a node does not do is said with a sign and a word, and what is not yet due is no fault", () => {
  const factsAt = (inventory: Inventory) =>
    sceneOf(inventory, cluster).nodes[1]?.facts.map(({ tone, text }) =>
      `${tone}: ${text}`
    );
  assertEquals(factsAt(inventoryOf(cluster, 2, "05-plugin")), [
    "waiting: does not forward (ip_forward is off)",
    "waiting: masquerades nothing",
    "waiting: no route to 10.244.0.0/24 (master)",
    "waiting: no route to 10.244.2.0/24 (worker-2)",
  ]);
  const broken = withHost(whole, "worker-1", (host) => ({
    ...host,
    forward: [{ family: 4, policy: "DROP", rules: [] }],
    postrouting: [{
      family: 4,
      policy: "ACCEPT",
      rules: ["-A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE"],
    }],
    routes: [{ family: 4, to: "10.244.0.0/24", via: "10.0.1.1", dev: "eth0" }],
  }));
  assertEquals(factsAt(broken), [
    "bad: FORWARD drops what pods send",
    "bad: masquerades also pod to pod",
    "bad: 10.244.0.0/24 via 10.0.1.1 (master)",
    "bad: no route to 10.244.2.0/24 (worker-2)",
  ]);
  const svg = drawSvg(broken, { cluster });
  assertStringIncludes(svg, ">✗<");
  assertStringIncludes(drawSvg(whole, { cluster }), ">✓<");
});

Deno.test("a pod that is on no bridge, a link that is down and a node that is silent show it", () => {
  const unplugged = withHost(whole, "worker-1", (host) => ({
    ...host,
    links: host.links.map((link) => ({ ...link, up: link.name !== "cni0" })),
    pods: host.pods.map(({ hostLink: _, ...pod }, at) =>
      at === 0
        ? pod
        : { ...pod, hostLink: link("veth", 9, { up: false, master: "cni0" }) }
    ),
  }));
  const svg = drawSvg(unplugged, { cluster });
  assertStringIncludes(svg, "✗ no host veth");
  assertStringIncludes(svg, "✗ host veth down");
  assertStringIncludes(svg, "is down");
  const silent = withHost(whole, "worker-2", () => ({
    is: "unreachable",
    why: "no route to host",
  }));
  const other = drawSvg(silent, { cluster });
  assertStringIncludes(other, "✗ does not answer");
  assertStringIncludes(other, "no route to host");
  checkTexts(other);
});

Deno.test("what is new and what is gone since the picture before is marked with a word, and told", () => {
  const before = inventoryOf(cluster, 2, "05-plugin");
  const now = withHost(
    inventoryOf(cluster, 3, "06-forwarding"),
    "worker-2",
    (host) => ({ ...host, pods: host.pods.slice(1) }),
  );
  const svg = drawSvg(now, { cluster, before });
  assertStringIncludes(svg, "forwards for its pods (new)");
  assertStringIncludes(svg, 'class="pod new"');
  assertStringIncludes(svg, 'class="gone"');
  checkTexts(svg);
  assertEquals(pictureChanges(before, now, cluster), [
    "master: ✓ forwards for its pods",
    "pod worker-1/pod-2 is new",
    "worker-1: ✓ forwards for its pods",
    "pod worker-2/pod-2 is new",
    "pod worker-2/pod-0 is gone",
    "worker-2: ✓ forwards for its pods",
  ]);
  assertEquals(pictureChanges(now, now, cluster), []);
  assert(!drawSvg(now, { cluster, before: now }).includes("(new)"));
});

Deno.test("names from nodes cannot become markup", () => {
  const hostile = withHost(whole, "worker-1", (host) => ({
    ...host,
    pods: host.pods.map((pod) => ({
      ...pod,
      name: `"><script>1</script>&\u0007`,
    })),
  }));
  const svg = drawSvg(hostile, { cluster });
  assert(!svg.includes("<script"));
  assertStringIncludes(svg, "&lt;script");
  checkXml(svg);
  const mermaid = drawMermaid(hostile, { cluster });
  assert(!mermaid.includes("<script"), mermaid);
});

Deno.test("segments are drawn apart, with the router between them and the tunnels through it", () => {
  const two = twoSegmentsCluster({ name: "lab-two", stateDir: "/nowhere" });
  const seen = inventoryOf(two, 2);
  const joined = seen.nodes.reduce(
    (all, { name }) =>
      withHost(all, name, (host) => ({
        ...host,
        links: [...host.links, link("deno.vxlan", 9, { kind: "vxlan" })],
      })),
    seen,
  );
  const far = joined.nodes.map((node) => ({
    ...node,
    address: two.nodes.find(({ name }) => name === node.name)?.address ?? "",
  }));
  const now = { ...joined, nodes: far };
  const svg = drawSvg(now, { cluster: two });
  checkTexts(svg);
  const texts = textsOf(svg).map(({ text }) => text);
  for (
    const text of [
      "segment 10.0.1.0/24 fd00:10:0:1::/64",
      "segment-2 10.0.2.0/24 fd00:10:0:2::/64",
      "tunnels: VXLAN 1, UDP port 8472",
    ]
  ) assert(texts.includes(text), texts.join("\n"));
  assertStringIncludes(
    svg,
    "Tunnels join master, worker-1, worker-2 across it.",
  );
  assertStringIncludes(svg, 'class="tunnel"');
  // Cables and tunnels pass there: a text's ground is drawn after them.
  const ground =
    /<rect [^>]*class="paper"\/>\n<text [^>]*>(segment.*)<\/text>/g;
  assertEquals([...svg.matchAll(ground)].length, 2);
  assert(svg.lastIndexOf('class="cable"') < svg.indexOf(">segment-2 "), svg);
  const { rows, router } = layOut(sceneOf(now, two), 0);
  assertEquals(
    rows.map(({ nodes }) => nodes.map(({ node }) => node.name)),
    [["worker-2"], ["master", "worker-1"]],
  );
  assert(router !== undefined);
  for (const { nodes } of rows) {
    for (const { box } of nodes) {
      assert(
        box.y > router.y + router.height || box.y + box.height < router.y,
      );
    }
  }
  const mermaid = drawMermaid(now, { cluster: two });
  for (
    const text of ["segment-2 --- router", "n0r -. tunnel .- n2r"]
  ) assertStringIncludes(mermaid, text);
  assert(!mermaid.includes("n0r -. tunnel .- n1r"), mermaid);
});

Deno.test("the rows of a segment are joined, and segments by nothing but cables to the router", () => {
  const cluster = clusterOf(18);
  const at = (name: number) => Math.floor(name / 6) + 1;
  const three = {
    ...cluster,
    segments: [1, 2, 3].map((one) => ({
      cidrs: [`10.0.${one}.0/24`],
      router: [`10.0.${one}.1`],
    })),
    nodes: cluster.nodes.map((node, name) => ({
      ...node,
      address: `10.0.${at(name)}.${10 + name}`,
      addresses: [`10.0.${at(name)}.${10 + name}`],
    })),
  };
  const now = inventoryOf(three, 1);
  const svg = drawSvg(now, { cluster: three });
  const { rows, router } = layOut(sceneOf(now, three), 0);
  const buses = Map.groupBy(rows, ({ segment }) => segment.at);
  assertEquals([...buses].map(([at, { length }]) => [at, length]), [
    [2, 2],
    [1, 2],
    [0, 2],
  ]);
  const ends = [...svg.matchAll(
    /<line x1="(\d+)" y1="(\d+)" x2="\1" y2="(\d+)" class="segment"/g,
  )].map(([, , from, to]) => [Number(from), Number(to)]);
  assertEquals(
    ends,
    [...buses].map(([, own]) => own.map(({ segment: { y } }) => y)),
  );
  assert(router !== undefined);
  const cables = [...svg.matchAll(
    new RegExp(`<line x1="(\\d+)" y1="(\\d+)" x2="\\1" y2="${router.y}"`, "g"),
  )].map(([, x, y]) => [Number(x), Number(y)]);
  const below = (at: number) => buses.get(at)?.at(-1)?.segment.y ?? 0;
  assertEquals(cables, [[5, below(2)], [10, below(1)]]);
});

Deno.test("a picture fetches nothing, and can be read aloud", () => {
  const svg = drawSvg(whole, { cluster });
  assert(!/href|url\(|@import/.test(svg));
  assertStringIncludes(svg, 'role="img" aria-labelledby="title desc"');
  assertStringIncludes(
    svg,
    "worker-1 (worker), eth0 10.0.1.11/24, has the pods pod-0 10.244.1.2,",
  );
});

type Step = readonly [
  direction: TraceHop["direction"],
  node: string,
  pod: string | undefined,
  place: TraceHop["place"],
  link: string,
  outcome: TraceHop["outcome"],
];

function traceOf(steps: readonly Step[]): TraceReport {
  const [source, destination] = ["10.244.1.2", "10.244.2.3"];
  return {
    version: 1,
    cluster: "lab",
    family: 4,
    from: { node: "worker-1", pod: "pod-0", address: source },
    to: { node: "worker-2", pod: "pod-1", address: destination },
    packets: [],
    followed: "request",
    delivered: false,
    hops: steps.map(
      ([direction, node, pod, place, link, outcome]): TraceHop => ({
        direction,
        node,
        ...(pod === undefined ? {} : { pod }),
        place,
        link,
        source,
        destination,
        outcome,
        ...(outcome === "REWRITTEN"
          ? { after: { source: "10.0.1.11", destination } }
          : {}),
        by: outcome === "DROPPED"
          ? [{ kind: "policy", text: "-P FORWARD DROP" }]
          : [],
      }),
    ),
    lastGood: 2,
    remarks: [],
  };
}

/** From a pod of a node, to one of another, to where its answer is lost. */
const wayTo = (far: string): readonly Step[] => [
  ["there", "worker-1", "pod-0", "output", "eth0", "SENT"],
  ["there", "worker-1", undefined, "prerouting", "cni0", "RECEIVED"],
  ["there", "worker-1", undefined, "forward", "eth0", "FORWARDED"],
  ["there", "worker-1", undefined, "postrouting", "eth0", "REWRITTEN"],
  ["there", far, undefined, "forward", "cni0", "FORWARDED"],
  ["there", far, "pod-1", "input", "eth0", "DELIVERED"],
  ["back", far, "pod-1", "output", "eth0", "SENT"],
  ["back", far, undefined, "forward", "eth0", "FORWARDED"],
  ["back", far, undefined, "segment", "eth0", "DROPPED"],
];

type Corner = readonly [x: number, y: number];

/** The corners of the ways that are drawn, without what sets them side by side. */
function waysOf(svg: string): readonly (readonly Corner[])[] {
  return [...svg.matchAll(/<polyline points="([^"]*)" class="way (\w+)"/g)]
    .map(([, points = "", direction]) =>
      points.split(" ").map((point): Corner => {
        const [x = 0, y = 0] = point.split(",").map(Number);
        const aside = direction === "there" ? -3 : 3;
        return [x - aside, y - aside];
      })
    );
}

/** Checks that a way goes along lines of the picture, and by no pod or node that it has no hop at. */
function checkWays(svg: string, layout: Layout, entered: RegExp): void {
  const boxes = layout.rows.flatMap(({ nodes }) =>
    nodes.flatMap(({ node, box, pods }) => [
      { name: node.name, box },
      ...pods.map((box, at) => ({
        name: `${node.name}/${node.pods[at]?.name}`,
        box,
      })),
    ])
  ).filter(({ name }) => !entered.test(name));
  for (const way of waysOf(svg)) {
    for (const [at, [x2, y2]] of way.entries()) {
      const [x1, y1] = way[at - 1] ?? [x2, y2];
      assert(x1 === x2 || y1 === y2, `a slanting line to ${x2},${y2}`);
      for (const { name, box: { x, y, width, height } } of boxes) {
        const beside = Math.max(x1, x2) <= x || Math.min(x1, x2) >= x + width;
        const above = Math.max(y1, y2) <= y || Math.min(y1, y2) >= y + height;
        assert(beside || above, `through ${name}`);
      }
    }
  }
}

Deno.test("a trace is drawn stop by stop, along the segment, to where it was lost, and told below", () => {
  const trace = traceOf(wayTo("worker-2"));
  const svg = drawSvg(whole, { cluster, trace });
  checkXml(svg);
  assertEquals(waysOf(svg).length, 2);
  const { rows } = layOut(sceneOf(whole, cluster), 0);
  const level = rows[0]?.segment.y;
  assertEquals(waysOf(svg)[0]?.filter(([, y]) => y === level).length, 2);
  assertStringIncludes(svg, "✗ DROPPED");
  for (
    const text of [
      "worker-1/pod-0 → worker-2/pod-1: not delivered",
      "1 worker-1/pod-0 eth0: SENT",
      "3 worker-1 eth0: FORWARDED, REWRITTEN to 10.0.1.11 → 10.244.2.3",
      "6 worker-2/pod-1 eth0: SENT",
      "8 the segment, from worker-2 eth0: DROPPED (-P FORWARD DROP)",
    ]
  ) assertStringIncludes(svg, text);
});

Deno.test("a trace's lines enter no box that the packet did not, and hide no word, with 3, 4 or 10 nodes", () => {
  for (const count of [3, 4, 10]) {
    const cluster = clusterOf(count);
    const now = inventoryOf(cluster, 6);
    const far = `worker-${count - 1}`;
    const trace = traceOf(wayTo(far));
    const svg = drawSvg(now, { cluster, trace });
    checkTexts(svg);
    const entered = new RegExp(
      `^(worker-1|worker-1/pod-0|${far}|${far}/pod-1)$`,
    );
    checkWays(svg, layOut(sceneOf(now, cluster), 0), entered);
  }
});

Deno.test("the way to the outside goes by its own cable, which is no node's", () => {
  const trace = traceOf([
    ["there", "master", undefined, "output", "eth0", "SENT"],
    ["there", "outside", undefined, "input", "segment", "DELIVERED"],
  ]);
  const svg = drawSvg(whole, { cluster, trace });
  const layout = layOut(sceneOf(whole, cluster), 0);
  const cables = layout.rows.flatMap(({ nodes }) =>
    nodes.map(({ cable }) => cable)
  );
  assert(layout.outsideCable !== undefined);
  assert(!cables.includes(layout.outsideCable));
  assertEquals(waysOf(svg)[0]?.at(-1)?.[0], layout.outsideCable);
  checkWays(svg, layout, /^master$/);
});

Deno.test("a long sentence below a picture is broken where the picture ends", () => {
  const trace = {
    ...traceOf(wayTo("worker-2")),
    cause: {
      kind: "rule" as const,
      on: "worker-1",
      what: "a rule of worker-1 drops what goes to its pods, ".repeat(9),
      evidence: [],
      mend: [],
    },
  };
  checkTexts(drawSvg(whole, { cluster, trace }));
});

Deno.test("pods stand in the order of their numbers, and long names differ by their ends", () => {
  const many = withHost(whole, "worker-1", (host) => ({
    ...host,
    pods: ["app-10", "app-2", "coredns-5dd5756b68-abcde"].flatMap((name, at) =>
      host.pods.slice(at, at + 1).map((pod) => ({ ...pod, name }))
    ),
  }));
  const names = sceneOf(many, cluster).nodes[1]?.pods.map(({ name }) => name);
  assertEquals(names, ["app-2", "app-10", "coredns-5dd5756b68-abcde"]);
  assertStringIncludes(drawSvg(many, { cluster }), "…-abcde<");
});

Deno.test("a bridge that is down is drawn as one that carries nothing", () => {
  const down = withHost(whole, "worker-1", (host) => ({
    ...host,
    links: host.links.map((link) => ({ ...link, up: link.name !== "cni0" })),
  }));
  const svg = drawSvg(down, { cluster });
  assertStringIncludes(svg, "✗ cni0 10.244.1.1/24 is down");
  assertStringIncludes(svg, 'class="bridge off"');
});

Deno.test("as Mermaid, pods hang on their bridge and nodes on the segment", () => {
  const text = drawMermaid(inventoryOf(cluster, 1), { cluster });
  const lines = text.split("\n").map((line) => line.trim());
  assertEquals(lines[0], "flowchart TB");
  for (
    const line of [
      'segment[["segment 10.0.1.0/24"]]',
      'subgraph n1["worker-1 (worker)"]',
      'n1p0(["pod-0<br/>10.244.1.2"])',
      "n1p0 --- n1b",
      "n1r --- segment",
      "segment --- outside",
    ]
  ) assert(lines.includes(line), `${line} is not in\n${text}`);
});
