/** Where a packet is in a picture, and along which lines it gets from there to elsewhere. Pure. */
import type { TraceHop } from "../trace/report.ts";
import { routerName } from "../cluster/segments.ts";
import type { Box, Layout, NodeLayout } from "./layout.ts";

/** A point of the picture. */
export type Point = readonly [x: number, y: number];

/** A place of the picture that packets come by. */
export interface Station {
  /** The same for the same place. */
  readonly key: string;
  /** Where its number stands, and where the next one does that comes by. */
  readonly mark: Point;
  readonly next: Point;
  /** Where there is room for a word beside it. */
  readonly word: Point;
  /** The corners from here to the segment, and along that to where its rows are joined. */
  readonly track: readonly Point[];
}

/** The station of a hop; undefined where the picture has no such machine. */
export function stationOf(
  hop: TraceHop,
  layout: Layout,
  bridge: string,
): Station | undefined {
  const { node: name, place } = hop;
  if (name === "outside") return outsideStation(place, layout);
  if (name === routerName && layout.router !== undefined) {
    return routerStation(layout.router, layout);
  }
  for (const { nodes, segment } of layout.rows) {
    const found = nodes.find(({ node }) => node.name === name);
    if (found === undefined) continue;
    const junction: readonly Point[] = [
      [found.cable, segment.y],
      [segment.x1, segment.y],
    ];
    return place === "segment" || place === "tunnel"
      ? onSegment(name, junction)
      : inNode(hop, found, bridge, junction);
  }
  return undefined;
}

/** How far apart the numbers of a place stand. */
const apart = 19;

function onSegment(name: string, junction: readonly Point[]): Station {
  const [[x, y] = [0, 0]] = junction;
  return {
    key: `${name} segment`,
    mark: [x, y],
    next: [apart, 0],
    word: [x + 14, y + 18],
    track: junction,
  };
}

function routerStation(
  { y, height }: Box,
  { rows }: Layout,
): Station | undefined {
  const below = rows.find(({ segment }) => segment.y > y)?.segment;
  if (below === undefined) return undefined;
  const mark: Point = [below.x1 + 4, y + height / 2];
  return {
    key: routerName,
    mark,
    next: [apart, 0],
    word: [below.x1 + 40, y + height - 6],
    track: [mark, [below.x1, y + height], [below.x1, below.y]],
  };
}

function outsideStation(
  place: TraceHop["place"],
  { rows, outside, outsideCable: x }: Layout,
): Station | undefined {
  const segment = rows.at(-1)?.segment;
  if (outside === undefined || x === undefined || segment === undefined) {
    return undefined;
  }
  const junction: readonly Point[] = [[x, segment.y], [segment.x1, segment.y]];
  if (place === "segment") return onSegment("outside", junction);
  const y = outside.y + outside.height / 2;
  return {
    key: "outside",
    mark: [x, y],
    next: [apart, 0],
    word: [x - 30, outside.y + outside.height - 8],
    track: [[x, y], ...junction],
  };
}

function inNode(
  { node: name, pod, link, place }: TraceHop,
  { node, box, pods, bridge, cable, spine }: NodeLayout,
  bridgeName: string,
  junction: readonly Point[],
): Station {
  const [lane, floor] = [box.x + box.width - 7, box.y + box.height - 5];
  const middle = bridge.y + bridge.height / 2;
  // Its number stands on the cable, just below the node.
  const plug: Point = [cable, box.y + box.height + 8];
  const uplink: readonly Point[] = [[cable, floor], plug, ...junction];
  const port: Point = [bridge.x + bridge.width - 14, middle];
  const onBridge: readonly Point[] = [
    ...[port, [lane, middle], [lane, floor]] as const,
    ...uplink,
  ];
  const word: Point = [bridge.x + bridge.width - 70, bridge.y - 2];
  const at = pod === undefined
    ? -1
    : node.pods.findIndex((one) => one.name === pod);
  const own = pods[at];
  if (own !== undefined && spine !== undefined) {
    const y = own.y + own.height / 2;
    const edge = own.x < spine.x ? own.x + own.width : own.x;
    const side = own.x < spine.x ? edge - 3 : edge + 3;
    const track: readonly Point[] = [
      ...[[side, y], [spine.x, y], [spine.x, middle]] as const,
      ...onBridge,
    ];
    const mark: Point = [own.x + own.width - 12, own.y + 12];
    const next: Point = [0, own.height - 24];
    return { key: `${name} ${pod}`, mark, next, word, track };
  }
  if (place === "veth" && spine !== undefined) {
    const lost: Point = [spine.x, bridge.y - 6];
    const track: readonly Point[] = [lost, [spine.x, middle], ...onBridge];
    return { key: `${name} veth`, mark: lost, next: [apart, 0], word, track };
  }
  if (link === bridgeName) {
    const next: Point = [-apart, 0];
    return { key: `${name} bridge`, mark: port, next, word, track: onBridge };
  }
  return {
    key: `${name} uplink`,
    mark: plug,
    next: [apart, 0],
    word: [cable + 3 * apart, plug[1] + 12],
    track: [plug, ...junction],
  };
}

/** The corners of the way between two stations. */
export function wayBetween(from: Station, to: Station): readonly Point[] {
  const [there, back] = [from.track, to.track];
  // What lies on both tracks is gone along only where they part.
  let shared = 0;
  while (
    shared < Math.min(there.length, back.length) &&
    isSame(there.at(-1 - shared), back.at(-1 - shared))
  ) shared++;
  const up = there.slice(0, there.length - shared);
  const down = back.slice(0, back.length - shared).toReversed();
  const top = shared === 0 ? undefined : there.at(-shared);
  // From cable to cable of one row the way does not go by where rows are joined.
  const beside = up.at(-1)?.[1] === down[0]?.[1] && shared === 1;
  return [...up, ...(top === undefined || beside ? [] : [top]), ...down];
}

function isSame(a: Point | undefined, b: Point | undefined): boolean {
  return a !== undefined && b !== undefined && a[0] === b[0] && a[1] === b[1];
}
