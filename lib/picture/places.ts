/** Where in a picture its machines and pods are, and where a traced packet goes by. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Inventory } from "../inventory/inventory.ts";
import { calledName } from "../net/ip_json.ts";
import type { TraceHop, TraceReport } from "../trace/report.ts";
import { type Box, type Layout, layOut } from "./layout.ts";
import { type SceneNode, sceneOf } from "./scene.ts";
import { type Point, stationOf, wayBetween } from "./trace_track.ts";

/** A machine or a pod in a picture. */
interface PicturePlace extends Box {
  /** A node's name, or "outside". */
  readonly node: string;
  readonly pod?: string;
  /** The pod's network namespace. */
  readonly sandbox?: string;
  /** Whether something of it was not there, or was otherwise, in the picture before. */
  readonly isNew: boolean;
}

/** The picture that drawSvg() draws of the same, as numbers. */
interface PicturePlaces {
  readonly width: number;
  readonly height: number;
  readonly places: readonly PicturePlace[];
  /** The corners of the way to each hop of a trace from the one before, its own place last. */
  readonly walk: (trace: TraceReport) => readonly (readonly Point[])[];
}

/** Finds the places of a picture. */
export function picturePlaces(
  now: Inventory,
  cluster: Cluster,
  before?: Inventory,
): PicturePlaces {
  const layout = layOut(sceneOf(now, cluster, before), 0);
  const places = layout.rows.flatMap(({ nodes }) =>
    nodes.flatMap(({ node, box, pods }): PicturePlace[] => {
      const sandboxes = sandboxesOf(now, node.name);
      return [
        { node: node.name, ...box, isNew: isChanged(node) },
        ...node.pods.flatMap(({ name, since }, at): PicturePlace[] => {
          const sandbox = sandboxes.get(name);
          const own = pods[at];
          if (own === undefined || since === "gone" || sandbox === undefined) {
            return [];
          }
          const isNew = since !== undefined;
          return [{ node: node.name, pod: name, sandbox, ...own, isNew }];
        }),
      ];
    })
  );
  const { width, height, outside } = layout;
  return {
    width,
    height: Math.round(height),
    places: outside === undefined
      ? places
      : [...places, { node: "outside", ...outside, isNew: false }],
    walk: ({ hops }) => walk(hops, layout, cluster.bridge),
  };
}

function sandboxesOf(
  { nodes }: Inventory,
  name: string,
): ReadonlyMap<string, string> {
  const host = nodes.find((node) => node.name === name)?.host;
  const pods = host?.is === "read" ? host.pods : [];
  return new Map(pods.map((pod) => [calledName(pod), pod.name]));
}

function isChanged({ pods, bridge, facts }: SceneNode): boolean {
  return bridge?.since !== undefined ||
    [...pods, ...facts].some(({ since }) => since !== undefined);
}

function walk(
  hops: readonly TraceHop[],
  layout: Layout,
  bridge: string,
): readonly (readonly Point[])[] {
  let last: ReturnType<typeof stationOf>;
  let direction: TraceHop["direction"] | undefined;
  return hops.map((hop) => {
    const station = stationOf(hop, layout, bridge);
    if (station === undefined) return [];
    const before = hop.direction === direction ? last : undefined;
    last = station;
    direction = hop.direction;
    const own = station.track.slice(0, 1);
    if (before === undefined || before.key === station.key) return own;
    return wayBetween(before, station);
  });
}
