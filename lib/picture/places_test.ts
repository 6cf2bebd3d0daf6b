/** Where in a picture things are. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import type { TraceHop, TraceReport } from "../trace/report.ts";
import { picturePlaces } from "./places.ts";
import { drawSvg } from "./picture.ts";
import { clusterOf, inventoryOf, withHost } from "./picture_testing.ts";

const cluster = clusterOf(10);
const now = inventoryOf(cluster, 12);

Deno.test("each node and pod of a picture has its place, in the box that is drawn there", () => {
  const { places, width, height } = picturePlaces(now, cluster);
  const svg = drawSvg(now, { cluster });
  assert(svg.includes(`viewBox="0 0 ${width} ${height}"`));
  for (const { x, y, width } of places) {
    assert(svg.includes(`<rect x="${x}" y="${y}" width="${width}"`));
  }
  const pods = places.filter(({ node, pod }) =>
    node === "worker-1" && pod !== undefined
  ).map(({ pod }) => pod);
  assertEquals(pods.length, 12);
  assert(places.every(({ isNew }) => !isNew));
});

Deno.test("what is otherwise than before is new where it is, and nowhere else", () => {
  const later = withHost(now, "worker-2", (host) => ({ ...host, routes: [] }));
  const { places } = picturePlaces(later, cluster, now);
  assertEquals(
    places.filter(({ isNew }) => isNew).map(({ node, pod }) => [node, pod]),
    [["worker-2", undefined]],
  );
});

Deno.test("a packet walks from where it was, along the lines, into no box but those of its hops", () => {
  const hop = (node: string, place: TraceHop["place"], link?: string) => ({
    ...{ direction: "there", node, place, outcome: "FORWARDED", by: [] },
    ...{ source: "10.244.1.2", destination: "10.244.9.3" },
    ...(link === undefined ? {} : { link }),
  } as TraceHop);
  const [pod] = picturePlaces(now, cluster).places.flatMap(({ node, pod }) =>
    node === "worker-1" && pod !== undefined ? [pod] : []
  );
  const hops = [
    { ...hop("worker-1", "output", "eth0"), pod: pod! },
    hop("worker-1", "prerouting", "cni0"),
    hop("worker-1", "forward", "eth0"),
    hop("worker-1", "postrouting", "eth0"),
    hop("worker-9", "prerouting", "eth0"),
  ];
  const { walk, places } = picturePlaces(now, cluster);
  const steps = walk({ hops } as unknown as TraceReport);
  assertEquals(steps.length, hops.length);
  for (const [at, points] of steps.slice(1).entries()) {
    const before = steps[at]?.at(-1);
    if (points.length > 1) assertEquals(points[0], before);
  }
  const entered = places.filter(({ x, y, width, height }) =>
    steps.flat().some(([left, top]) =>
      x < left && left < x + width && y < top && top < y + height
    )
  ).map(({ node, pod }) => pod ?? node);
  assertEquals(entered.toSorted(), ["worker-1", pod].toSorted());
});
