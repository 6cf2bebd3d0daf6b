/** Segments, the cables to them, and what goes along both: tunnels, BGP sessions. Pure. */
import type { Layout, NodeLayout } from "./layout.ts";
import type { PictureScene, SceneNode } from "./scene.ts";
import { line, textAt } from "./shapes.ts";

/** How far below a segment its lanes are: what is up, and sessions that are down. */
const upLane = 6;
const downLane = 14;

/** The segment as a bus below each row, the rows' buses joined, and the cables to them. */
export function segments(
  { rows, outside, outsideCable, peers }: Layout,
  scene: PictureScene,
): string[] {
  const first = rows[0]?.segment;
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
  if (first === undefined || last === undefined) return parts;
  if (last.y > first.y) {
    parts.push(line([last.x1, first.y], [last.x1, last.y], "segment"));
  }
  parts.push(...lanes(rows));
  for (const [at, { name, cidrs }] of scene.segments.entries()) {
    const row = rows.findLast(({ segment }) => segment.at === at)?.segment;
    if (row === undefined) continue;
    const text = `${name} ${cidrs.join(" ")}`;
    parts.push(textAt(row.x1 + 14, row.y - 9, text, "quiet over"));
  }
  if (outside !== undefined && outsideCable !== undefined) {
    const x = outsideCable;
    parts.push(line([x, last.y], [x, outside.y], "cable"));
  }
  if (peers !== undefined) {
    const x = peers.x + 40;
    parts.push(line([x, last.y + upLane], [x, peers.y], "session"));
  }
  if (scene.lane !== undefined) {
    parts.push(textAt(last.x1 + 24, last.y + 32, scene.lane, "over"));
  }
  return parts;
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
