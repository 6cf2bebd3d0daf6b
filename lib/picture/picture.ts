/** The cluster as it is, as a picture: SVG, or Mermaid. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Inventory } from "../inventory/inventory.ts";
import { mermaidOf } from "./mermaid.ts";
import { type PictureScene, sceneOf } from "./scene.ts";
import { svgOf } from "./svg.ts";
import { traceOverlay } from "./trace_overlay.ts";
import type { TraceReport } from "../trace/report.ts";

/** What is drawn besides the cluster. */
interface PictureOptions {
  readonly cluster: Cluster;
  /** The cluster at the picture before: what is new since is marked. */
  readonly before?: Inventory;
  /** Drawn over it. */
  readonly trace?: TraceReport;
}

/** The cluster as SVG. */
export function drawSvg(
  now: Inventory,
  { cluster, before, trace }: PictureOptions,
): string {
  const scene = sceneOf(now, cluster, before);
  return svgOf(scene, {
    title: `The cluster ${now.cluster}`,
    description: inWords(scene),
    ...(trace === undefined
      ? {}
      : { overlay: traceOverlay(trace, cluster.bridge) }),
  });
}

/** The cluster as a Mermaid flowchart. */
export function drawMermaid(
  now: Inventory,
  { cluster, before }: Omit<PictureOptions, "trace">,
): string {
  return mermaidOf(sceneOf(now, cluster, before));
}

function inWords(
  { nodes, segments, router, sessions, lane }: PictureScene,
): string {
  const told = sessions.length === 0 ? [] : [
    `${lane?.text}.`,
    ...sessions.flatMap(({ ends: [one, other], down }) =>
      down === undefined
        ? []
        : [`The session of ${one} with ${other} is down (${down}).`]
    ),
  ];
  const each = nodes.map(({ name, title, silent, pods, bridge, uplink }) => {
    if (silent !== undefined) return `${name} (${title}) does not answer.`;
    const list = pods.map(({ name, lines }) => [name, ...lines].join(" "));
    const has = list.length === 0 ? "no pods" : `the pods ${list.join(", ")}`;
    return `${name} (${title}), ${uplink.text}, has ${has} and ${
      bridge === undefined ? "no bridge" : `the bridge ${bridge.lines[0]}`
    }.`;
  });
  const tunnelled = nodes.filter(({ tunnelled }) => tunnelled)
    .map(({ name }) => name);
  const joined = tunnelled.length < 2
    ? []
    : [`Tunnels join ${tunnelled.join(", ")}${router ? " across it" : ""}.`];
  if (router === undefined) {
    const cidrs = segments.flatMap(({ cidrs }) => cidrs).join(", ");
    const on = `All are on the segment ${cidrs}.`;
    return [...each, on, ...joined, ...told].join(" ");
  }
  const on = segments.map(({ cidrs }, at) => {
    const names = nodes.filter(({ segment }) => segment === at)
      .map(({ name }) => name);
    return `On the segment ${cidrs.join(", ")}: ${names.join(", ") || "none"}.`;
  });
  return [
    ...each,
    ...on,
    "A router is between them.",
    ...joined,
    ...told,
  ].join(" ");
}
