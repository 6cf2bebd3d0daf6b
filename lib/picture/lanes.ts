/** Segments, the cables to them, and what goes along both: tunnels, BGP sessions. Pure. */
import type { Layout, NodeLayout } from "./layout.ts";
import type { PictureScene, SceneNode } from "./scene.ts";
import { labelAt, line, textAt } from "./shapes.ts";

/** How far below a segment its lanes are: what is up, and sessions that are down. */
const upLane = 6;
const downLane = 14;

/** The segment as a bus below each row, the rows' buses joined, and the cables to them. */
export function segments(
  { rows, outside, outsideCable, peers, router }: Layout,
  scene: PictureScene,
): string[] {
  const last = rows.at(-1)?.segment;
  const parts = rows.flatMap(({ nodes, segment: { x1, x2, y } }) => [
    line([x1, y], [x2, y], "segment"),
    ...nodes.map(({ cable, box, node }) =>
      line(
        [cable, box.y + box.height],
        [cable, y],
        node.uplink.up ? "cable" : "off",
      )
    ),
  ]);
  if (last === undefined) return parts;
  parts.push(...trunks(rows, router), ...lanes(rows));
  if (outside !== undefined && outsideCable !== undefined) {
    const x = outsideCable;
    parts.push(line([x, last.y], [x, outside.y], "cable"));
  }
  if (peers !== undefined) {
    const x = peers.x + 40;
    const kind = scene.peers?.down === true ? "off" : "session";
    parts.push(line([x, last.y], [x, peers.y], kind));
  }
  // Texts last: on a ground of their own, over what passes there.
  for (const [at, { name, cidrs }] of scene.segments.entries()) {
    const row = rows.findLast(({ segment }) => segment.at === at)?.segment;
    if (row === undefined) continue;
    const text = `${name} ${cidrs.join(" ")}`;
    parts.push(labelAt(row.x1 + 14, row.y - 9, text, "quiet"));
  }
  if (scene.lane !== undefined) {
    const [x, y] = [last.x1 + 24, last.y + 32];
    const { is, text } = scene.lane;
    parts.push(
      labelAt(x + 30, y, text),
      line([x - 2, y - 4], [x + 24, y - 4], is),
    );
  }
  return parts;
}

/** What joins the rows of a segment, and a cable from each segment to the router. */
function trunks(
  rows: Layout["rows"],
  router: Layout["router"],
): readonly string[] {
  const bySegment = Map.groupBy(rows, ({ segment }) => segment.at);
  const step = Math.min(5, 9 / Math.max(1, bySegment.size - 2));
  return [...bySegment].flatMap(([at, own]) => {
    const [top, bottom] = [own[0]?.segment, own.at(-1)?.segment];
    if (top === undefined || bottom === undefined) return [];
    const { x1 } = top;
    const joined = bottom.y > top.y
      ? [line([x1, top.y], [x1, bottom.y], "segment")]
      : [];
    if (router === undefined) return joined;
    // Beside the buses of the segments that it passes.
    const x = x1 - step * Math.max(0, at - 1);
    const isAbove = bottom.y < router.y;
    const y = isAbove ? bottom.y : top.y;
    return [
      ...joined,
      ...(x === x1 ? [] : [line([x, y], [x1, y], "cable")]),
      line([x, y], [x, isAbove ? router.y : router.y + router.height], "cable"),
    ];
  });
}

/** Tunnels and sessions beside the cables that they go along: each of them by the router. */
function lanes(rows: Layout["rows"]): readonly string[] {
  const nodes = rows.flatMap(({ nodes }) => nodes);
  return [
    ...lane(rows, ({ tunnelled }) => tunnelled, upLane, "tunnel"),
    ...lane(rows, ({ sessions }) => !!sessions?.up, upLane, "session"),
    ...lane(rows, ({ sessions }) => !!sessions?.down, downLane, "off"),
    ...nodes.flatMap((node) => signOf(node)),
  ];
}

/** A line that joins these nodes, beside their cables and below the segments. */
function lane(
  rows: Layout["rows"],
  has: (node: SceneNode) => boolean,
  offset: number,
  more: string,
): readonly string[] {
  const ends = rows.flatMap(({ nodes, segment }) =>
    nodes.filter(({ node }) => has(node))
      .map(({ cable, box }) => ({ x: cable + offset + 2, box, segment }))
  );
  const all = ends.map(({ segment: { y } }) => y + offset);
  const [first] = ends;
  if (first === undefined || ends.length < 2) return [];
  // Rows are joined at the left; in one row, the line is no longer than needed.
  const isOneRow = new Set(all).size === 1;
  const left = isOneRow
    ? Math.min(...ends.map(({ x }) => x))
    : first.segment.x1 + 1 + offset / 2;
  return [
    ...ends.flatMap(({ x, box, segment: { y } }) => [
      line([x, box.y + box.height], [x, y + offset], more),
      line([left, y + offset], [x, y + offset], more),
    ]),
    line([left, Math.min(...all)], [left, Math.max(...all)], more),
  ];
}

/** Whether a node's sessions are up, at its end of them; RR is a route reflector. */
function signOf({ node, cable, box }: NodeLayout): readonly string[] {
  if (node.sessions === undefined) return [];
  const isUp = node.sessions.down === 0;
  const text = `${isUp ? "✓" : "✗"} BGP${node.reflects ? " RR" : ""}`;
  const y = box.y + box.height + 13;
  return [textAt(cable + 24, y, text, isUp ? "good" : "bad")];
}
