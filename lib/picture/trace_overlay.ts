/** A trace over a picture: its way there, stop by stop, and where it ended. Pure. */
import type { Box, Layout, NodeLayout } from "./layout.ts";
import type { Overlay } from "./svg.ts";
import { element, escaped } from "./xml.ts";
import type { TraceEnd, TraceHop, TraceReport } from "../trace/report.ts";

/** A point of the picture. */
type Point = readonly [x: number, y: number];

/** Where the way there stops in a picture, each once, and what happened there. */
interface Stop {
  readonly hops: readonly TraceHop[];
}

/** What is drawn over a picture of the cluster that was traced. */
export function traceOverlay(trace: TraceReport, bridge: string): Overlay {
  const stops = stopsOf(trace.hops);
  return {
    lines: [
      `${endOf(trace.from)} → ${endOf(trace.to)}: ${
        trace.delivered ? "delivered" : "not delivered"
      }`,
      ...stops.map((stop, at) => `${at + 1} ${told(stop)}`),
      ...(trace.cause === undefined ? [] : [`✗ ${trace.cause.what}`]),
    ],
    draw: (layout) => drawWay(stops, layout, bridge),
  };
}

function endOf({ node, pod, address }: TraceEnd): string {
  if (node === undefined) return address;
  return pod === undefined ? node : `${node}/${pod}`;
}

/** The way there, hops at one machine and link together. */
function stopsOf(hops: readonly TraceHop[]): readonly Stop[] {
  const stops: { hops: TraceHop[] }[] = [];
  for (const hop of hops.filter(({ direction }) => direction === "there")) {
    const last = stops.at(-1);
    const before = last?.hops[0];
    if (before !== undefined && where(before) === where(hop)) {
      last?.hops.push(hop);
    } else stops.push({ hops: [hop] });
  }
  return stops;
}

function where({ node, pod, link, place }: TraceHop): string {
  return [node, pod, place === "segment" ? "segment" : link].join(" ");
}

function told({ hops }: Stop): string {
  const [first] = hops;
  const last = hops.at(-1);
  if (first === undefined || last === undefined) return "";
  const at = first.place === "segment"
    ? "segment"
    : endOf({ ...first, address: "" });
  const link = first.link === undefined ? "" : ` ${first.link}`;
  const by = last.by[0]?.text;
  return `${at}${link}: ${last.outcome}` +
    (last.outcome === "DROPPED" && by !== undefined ? ` (${by})` : "");
}

function drawWay(
  stops: readonly Stop[],
  layout: Layout,
  bridge: string,
): string {
  const points = stops.flatMap((stop, at): { point: Point; at: number }[] => {
    const [hop] = stop.hops;
    const point = hop && pointOf(hop, layout, bridge);
    return point === undefined ? [] : [{ point, at }];
  });
  const way = points.flatMap(({ point, at }, index) => {
    const before = points[index - 1];
    const from = before && stops[before.at]?.hops[0];
    const to = stops[at]?.hops[0];
    if (before === undefined || from === undefined || to === undefined) {
      return [point];
    }
    const along = from.node === to.node
      ? within(from, to, before.point, point, layout)
      : junctions([from.node, to.node], layout);
    return [...along, point];
  }).map((point) => point.join()).join(" ");
  return element(
    "g",
    {},
    [
      element("title", {}, escaped("The packet's way")),
      element("polyline", { points: way, class: "way" }),
      ...points.map(({ point: [x, y], at }) =>
        element("circle", { cx: x, cy: y, r: 10, class: "stop" }) +
        element("text", { x, y: y + 4, class: "number" }, String(at + 1))
      ),
      ...dropped(stops, points),
    ].join("\n"),
  );
}

function dropped(
  stops: readonly Stop[],
  points: readonly { readonly point: Point; readonly at: number }[],
): string[] {
  return points.flatMap(({ point: [x, y], at }) => {
    const ended = stops[at]?.hops.some(({ outcome }) => outcome === "DROPPED");
    if (ended !== true) return [];
    return [
      element("text", { x: x + 14, y: y - 8, class: "bad" }, "✗ DROPPED"),
    ];
  });
}

function pointOf(
  { node: name, pod, link, place }: TraceHop,
  { rows, outside }: Layout,
  bridge: string,
): Point | undefined {
  if (name === "outside" && outside !== undefined && place !== "segment") {
    return center(outside);
  }
  for (const { nodes, segment } of rows) {
    const found = nodes.find(({ node }) => node.name === name);
    if (found === undefined) continue;
    if (place === "segment") return [found.cable, segment.y];
    return inNode(found, pod, link === bridge);
  }
  return undefined;
}

/** The corners of the way within a node: along its pods' veths, and beside its facts. */
function within(
  from: TraceHop,
  to: TraceHop,
  [x1, y1]: Point,
  [x2, y2]: Point,
  { rows }: Layout,
): Point[] {
  const found = rows.flatMap(({ nodes }) => nodes)
    .find(({ node }) => node.name === from.node);
  if (found?.spine === undefined) return [];
  const { x } = found.spine;
  if (from.pod !== undefined && to.pod === undefined) return [[x, y1], [x, y2]];
  if (from.pod === undefined && to.pod !== undefined) return [[x, y1], [x, y2]];
  return x1 > x2 ? [[x1, y2 - 14]] : [[x2, y1 - 14]];
}

/** Where machines are joined to the segment: from one to another a packet goes along it. */
function junctions(
  names: readonly string[],
  { rows, outside }: Layout,
): Point[] {
  return names.flatMap((name): Point[] => {
    for (const { nodes, segment } of rows) {
      const found = nodes.find(({ node }) => node.name === name);
      if (found !== undefined) return [[found.cable, segment.y]];
    }
    const last = rows.at(-1)?.segment.y;
    return name !== "outside" || outside === undefined || last === undefined
      ? []
      : [[outside.x + outside.width / 2, last]];
  });
}

function inNode(
  { node, pods, bridge, cable, uplink }: NodeLayout,
  pod: string | undefined,
  onBridge: boolean,
): Point {
  if (pod !== undefined) {
    const box = pods[node.pods.findIndex(({ name }) => name === pod)];
    if (box !== undefined) return [box.x + box.width - 14, box.y + 14];
  }
  return onBridge
    ? [bridge.x + bridge.width - 14, bridge.y + bridge.height / 2]
    : [cable, uplink + 10];
}

function center({ x, y, width, height }: Box): Point {
  return [x + width - 20, y + height / 2];
}
