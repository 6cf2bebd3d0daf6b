/** A trace over a picture: its way there and back, stop by stop, and where it ended. Pure. */
import type { Layout } from "./layout.ts";
import type { Overlay } from "./svg.ts";
import {
  type Point,
  type Station,
  stationOf,
  wayBetween,
} from "./trace_track.ts";
import { element, escaped } from "./xml.ts";
import type { TraceEnd, TraceHop, TraceReport } from "../trace/report.ts";

/** Where a packet stops in a picture, and what happened there. */
interface Stop {
  readonly hops: readonly TraceHop[];
  /** Its number, through both ways. */
  readonly number: number;
}

const directions = ["there", "back"] as const;

/** What is drawn over a picture of the cluster that was traced. */
export function traceOverlay(trace: TraceReport, bridge: string): Overlay {
  const there = stopsOf(trace.hops, "there", 1);
  const back = stopsOf(trace.hops, "back", there.length + 1);
  const ways = { there, back };
  return {
    lines: [
      `${endOf(trace.from)} → ${endOf(trace.to)}: ${
        trace.delivered ? "delivered" : "not delivered"
      }`,
      ...directions.flatMap((direction) => {
        const stops = ways[direction];
        if (stops.length === 0) return [];
        const look = direction === "there" ? "a whole line" : "a broken line";
        return [
          `${direction} (${look})`,
          ...stops.map((stop) => `  ${stop.number} ${told(stop)}`),
        ];
      }),
      ...(trace.cause === undefined ? [] : [`✗ ${trace.cause.what}`]),
    ],
    draw: (layout) => {
      const taken = new Map<string, number>();
      const drawn = directions.map((direction) =>
        drawWay(ways[direction], direction, layout, bridge, taken)
      );
      // Numbers lie over the lines of both ways.
      return [
        ...drawn.map(({ line }) => line),
        ...drawn.map(({ marks }) => marks),
      ].filter((part) => part !== "").join("\n");
    },
  };
}

function endOf({ node, pod, address }: TraceEnd): string {
  if (node === undefined) return address;
  return pod === undefined ? node : `${node}/${pod}`;
}

/** A way, hops at one machine and link together. */
function stopsOf(
  hops: readonly TraceHop[],
  direction: TraceHop["direction"],
  first: number,
): readonly Stop[] {
  const stops: { hops: TraceHop[]; number: number }[] = [];
  for (const hop of hops.filter((one) => one.direction === direction)) {
    const last = stops.at(-1);
    const before = last?.hops[0];
    if (before !== undefined && where(before) === where(hop)) {
      last?.hops.push(hop);
    } else stops.push({ hops: [hop], number: first + stops.length });
  }
  return stops;
}

function where({ node, pod, link, place }: TraceHop): string {
  const between = place === "segment" || place === "veth" ? place : link;
  return [node, pod, between].join(" ");
}

function told({ hops }: Stop): string {
  const [first] = hops;
  if (first === undefined) return "";
  const at = first.place === "segment"
    ? `the segment, from ${first.node}`
    : endOf({ ...first, address: "" });
  const link = first.link === undefined ? "" : ` ${first.link}`;
  return `${at}${link}: ${hops.map(outcomeOf).join(", ")}`;
}

function outcomeOf({ outcome, by, after }: TraceHop): string {
  const [first] = by;
  if (outcome === "DROPPED" && first !== undefined) {
    return `${outcome} (${first.text})`;
  }
  return outcome === "REWRITTEN" && after !== undefined
    ? `${outcome} to ${after.source} → ${after.destination}`
    : outcome;
}

/** @param taken how many numbers stand at a station already */
function drawWay(
  stops: readonly Stop[],
  direction: TraceHop["direction"],
  layout: Layout,
  bridge: string,
  taken: Map<string, number>,
): { readonly line: string; readonly marks: string } {
  const found = stops.flatMap((stop) => {
    const [hop] = stop.hops;
    const station = hop && stationOf(hop, layout, bridge);
    return station === undefined ? [] : [{ stop, station }];
  });
  if (found.length === 0) return { line: "", marks: "" };
  const points = found.flatMap(({ station }, at) => {
    const before = found[at - 1]?.station;
    return before === undefined
      ? station.track.slice(0, 1)
      : wayBetween(before, station);
  });
  const title = direction === "there"
    ? "The packet's way"
    : "Its answer's way back";
  // Side by side where both go along one line.
  const aside = direction === "there" ? -3 : 3;
  const line = element("polyline", {
    points: points.filter((point, at) => `${point}` !== `${points[at - 1]}`)
      .map(([x, y]) => `${x + aside},${y + aside}`).join(" "),
    class: `way ${direction}`,
  });
  const marks = found.map(({ stop, station }) =>
    drawStop(stop, station, direction, taken)
  ).join("\n");
  const group = (content: string) =>
    element("g", {}, `${element("title", {}, escaped(title))}\n${content}`);
  return { line: group(line), marks: group(marks) };
}

function drawStop(
  { hops, number }: Stop,
  { key, mark, next, word }: Station,
  direction: TraceHop["direction"],
  taken: Map<string, number>,
): string {
  const before = taken.get(key) ?? 0;
  taken.set(key, before + 1);
  const [x, y]: Point = [
    mark[0] + before * next[0],
    mark[1] + before * next[1],
  ];
  const isLost = hops.some(({ outcome }) => outcome === "DROPPED");
  const kind = isLost ? "lost" : direction;
  return [
    element("circle", { cx: x, cy: y, r: 9, class: `stop ${kind}` }),
    element("text", { x, y: y + 4, class: "number" }, String(number)),
    ...(isLost
      ? [element(
        "text",
        { x: word[0], y: word[1], class: "bad over" },
        "✗ DROPPED",
      )]
      : []),
  ].join("");
}
