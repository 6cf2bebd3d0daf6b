/** A scene as SVG. Pure: the same scene gives the same text. */
import { segments } from "./lanes.ts";
import { line, rect, textAt } from "./shapes.ts";
import {
  type Box,
  cut,
  cutName,
  factLines,
  type Layout,
  layOut,
  legendLines,
  lineHeight,
  type NodeLayout,
  room,
} from "./layout.ts";
import { signs } from "./node_facts.ts";
import type { ScenePod, Since } from "./pods.ts";
import type { PictureScene } from "./scene.ts";
import { style } from "./style.ts";
import { element, escaped } from "./xml.ts";

/** What is told below a picture, and drawn over it. */
export interface Overlay {
  readonly lines: readonly string[];
  /** Draws what lies over the picture, once it is known where everything is. */
  readonly draw: (layout: Layout) => string;
}

/**
 * Draws a scene.
 *
 * @param title one line, for screen readers and a browser's tip
 * @param description what is in it, in sentences
 */
export function svgOf(
  scene: PictureScene,
  { title, description, overlay }: {
    readonly title: string;
    readonly description: string;
    readonly overlay?: Overlay;
  },
): string {
  const lines = legendLines(scene, overlay?.lines ?? []);
  const layout = layOut(scene, lines.length);
  const { width, height, rows, outside, router, peers, legend } = layout;
  const parts = [
    element("title", { id: "title" }, escaped(title)),
    element("desc", { id: "desc" }, escaped(description)),
    element("style", {}, style),
    element("rect", { class: "paper", width, height }),
    ...segments(layout, scene),
    ...rows.flatMap(({ nodes }) => nodes.map(drawNode)),
    ...(outside === undefined || scene.outside === undefined
      ? []
      : [drawMachine("outside", outside, scene.outside.lines)]),
    ...(router === undefined || scene.router === undefined
      ? []
      : [drawMachine("router", router, scene.router.lines)]),
    ...(peers === undefined || scene.peers === undefined
      ? []
      : [drawMachine("BGP peers", peers, scene.peers.lines)]),
    ...(overlay === undefined ? [] : [overlay.draw(layout)]),
    ...lines.map((line, at) =>
      textAt(rows[0]?.nodes[0]?.box.x ?? 0, legend + at * lineHeight, line)
    ),
  ];
  return element("svg", {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${width} ${Math.round(height)}`,
    width,
    height: Math.round(height),
    role: "img",
    "aria-labelledby": "title desc",
  }, `\n${parts.join("\n")}\n`) + "\n";
}

/** A machine that is no node. */
function drawMachine(
  name: string,
  box: Box,
  lines: readonly string[],
): string {
  return group(name, [
    rect(box, "node"),
    ...lines.map((text, at) =>
      textAt(
        box.x + 14,
        box.y + 20 + at * lineHeight,
        cut(text, room.node),
        at === 0 ? "name" : "",
      )
    ),
  ]);
}

function group(label: string, parts: readonly string[]): string {
  const name = element("title", {}, escaped(label));
  return element("g", {}, [name, ...parts].join("\n"));
}

function drawNode(layout: NodeLayout): string {
  const { node, box, head, pods, bridge, spine } = layout;
  const left = bridge.x;
  const silent = node.silent !== undefined;
  return group(node.name, [
    rect(box, silent ? "off" : "node"),
    textAt(left, head, cutName(node.name, 24), "name"),
    element(
      "text",
      {
        x: left + bridge.width,
        y: head,
        class: "quiet",
        "text-anchor": "end",
      },
      escaped(node.title),
    ),
    ...(silent
      ? [
        textAt(left, layout.facts, "✗ does not answer", "bad"),
        ...factLines(node.silent ?? "").map((text, at) =>
          textAt(left, layout.facts + (at + 1) * lineHeight, text)
        ),
      ]
      : [
        ...veths(layout, spine),
        ...node.pods.map((pod, at) => drawPod(pod, pods[at])),
        ...drawBridge(layout),
        ...drawFacts(layout),
      ]),
    textAt(
      left,
      layout.uplink,
      cut(node.uplink.text, room.node),
      node.uplink.up ? "" : "bad",
    ),
  ]);
}

/** From each pod that is plugged in to the spine, and down to the bridge. */
function veths(
  { node, pods, bridge }: NodeLayout,
  spine: NodeLayout["spine"],
): string[] {
  if (spine === undefined || node.bridge === undefined) return [];
  const plugged = pods.filter((_, at) => {
    const pod = node.pods[at];
    return pod?.unplugged === undefined && pod?.since !== "gone";
  });
  const [first] = plugged;
  if (first === undefined) return [];
  const middle = ({ y, height }: Box) => y + height / 2;
  return [
    line([spine.x, middle(first)], [spine.x, bridge.y], "veth"),
    ...plugged.map((box) => {
      const edge = box.x < spine.x ? box.x + box.width : box.x;
      return line([edge, middle(box)], [spine.x, middle(box)], "veth");
    }),
  ];
}

function frame(kind: string, since: Since, off = false): string {
  if (since === "gone") return "gone";
  if (off) return `${kind} off`;
  return since === "new" ? `${kind} new` : kind;
}

function drawPod(pod: ScenePod, box: Box | undefined): string {
  if (box === undefined) return "";
  const { name, lines, unplugged, since } = pod;
  const texts: [string, string][] = [
    [name, "name"],
    ...lines.map((text): [string, string] => [text, ""]),
    ...(unplugged === undefined
      ? []
      : [[`✗ ${unplugged}`, "bad"] as [string, string]]),
    ...(since === undefined ? [] : [[since, "since"] as [string, string]]),
  ];
  return group(name, [
    rect(box, frame("pod", since, unplugged !== undefined)),
    ...texts.map(([text, more], at) =>
      textAt(
        box.x + 6,
        box.y + 18 + at * lineHeight,
        more === "name"
          ? cutName(text, Math.floor(room.pod * 0.8))
          : cut(text, room.pod),
        more,
      )
    ),
  ]);
}

function drawBridge({ node, bridge: box }: NodeLayout): string[] {
  const { bridge } = node;
  if (bridge === undefined) {
    return [
      rect(box, "off"),
      textAt(box.x + 8, box.y + 16, "– no bridge", "waiting"),
    ];
  }
  const texts = bridge.since === undefined
    ? bridge.lines
    : [...bridge.lines, bridge.since];
  return [
    rect(box, frame("bridge", bridge.since, bridge.wrong)),
    ...texts.map((text, at) =>
      textAt(
        box.x + 8,
        box.y + 16 + at * lineHeight,
        cut(text, room.node - 2),
        at >= bridge.lines.length
          ? "since"
          : at === 0 && bridge.wrong
          ? "bad"
          : "",
      )
    ),
  ];
}

function drawFacts({ node, facts, bridge }: NodeLayout): string[] {
  const parts: string[] = [];
  let at = 0;
  for (const { text, tone, since } of node.facts) {
    const whole = since === undefined ? text : `${text} (${since})`;
    factLines(whole).forEach((text, line) => {
      const y = facts + at++ * lineHeight;
      const more = since === undefined ? tone : "since";
      if (line === 0) parts.push(textAt(bridge.x, y, signs[tone], more));
      parts.push(textAt(bridge.x + 16, y, text, more));
    });
  }
  return parts;
}
