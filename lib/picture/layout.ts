/** Where each part of a picture stands. Pure; all in pixels, from the upper left corner. */
import type { PictureScene, SceneNode } from "./scene.ts";

/** Text is set in a monospaced face, so that its width is known. */
export const character = 7.3;
export const lineHeight = 17;

const pod = { width: 150, gap: 28 };
const node = { padding: 14, width: 2 * 150 + 28 + 2 * 14, gap: 26 };
const margin = 20;

/** How many characters fit into a line of a node, and of a pod. */
export const room = {
  node: Math.floor((node.width - 2 * node.padding) / character),
  pod: Math.floor((pod.width - 12) / character),
};

/** A rectangle. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A node's parts, each where it stands. */
export interface NodeLayout {
  readonly node: SceneNode;
  readonly box: Box;
  /** The line of its name. */
  readonly head: number;
  readonly pods: readonly Box[];
  /** The line that its pods' veths run down to the bridge. */
  readonly spine?: { readonly x: number; readonly from: number };
  readonly bridge: Box;
  /** The first line of its facts. */
  readonly facts: number;
  /** The line of its uplink, at the lower edge. */
  readonly uplink: number;
  /** The middle of the cable to the segment. */
  readonly cable: number;
}

/** A row of nodes, and the segment below it. */
interface RowLayout {
  readonly nodes: readonly NodeLayout[];
  readonly segment: {
    /** Its place among the segments. */
    readonly at: number;
    readonly x1: number;
    readonly x2: number;
    readonly y: number;
  };
}

/** A whole picture. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly rows: readonly RowLayout[];
  /** Between the segments. */
  readonly router?: Box;
  readonly outside?: Box;
  /** Routers that nodes have BGP sessions with. */
  readonly peers?: Box;
  /** The middle of its own cable, which is no node's. */
  readonly outsideCable?: number;
  /** Where what is told below the picture begins. */
  readonly legend: number;
}

/** Lines of text as they fit; a word that is too long is cut. */
function wrapped(text: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= most) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines.map((line) => cut(line, most));
}

/** A text that fits, with … where it was cut. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** A name that fits: its end tells it from its like as well as its beginning. */
export function cutName(name: string, most: number): string {
  if (name.length <= most) return name;
  const end = Math.floor((most - 1) / 2);
  return `${name.slice(0, most - 1 - end)}…${name.slice(-end)}`;
}

/** The lines of a fact, with its sign and the word where it is new. */
export function factLines(text: string): string[] {
  return wrapped(text, room.node - 2);
}

/** The lines that are told below a picture, as they fit; what goes on is indented. */
export function legendLines(
  scene: PictureScene,
  lines: readonly string[],
): readonly string[] {
  const width = columnsOf(scene) * step - node.gap;
  const most = Math.floor(width / character);
  return lines.flatMap((line) => {
    const [, indent = "", text = line] = /^( *)(.*)$/s.exec(line) ?? [];
    return wrapped(text, most - indent.length - 4)
      .map((part, at) => `${indent}${at === 0 ? "" : "    "}${part}`);
  });
}

/** Places a scene. @param legendLines how many lines are told below it */
export function layOut(scene: PictureScene, legendLines: number): Layout {
  const columns = columnsOf(scene);
  const rows: RowLayout[] = [];
  const width = 2 * margin + columns * step - node.gap;
  let router: Box | undefined;
  let y = margin;
  for (const row of rowsOf(scene, columns)) {
    const at = row[0]?.segment ?? 0;
    const before = rows.at(-1)?.segment.at ?? at;
    if (scene.router !== undefined && before !== at && at === 0) {
      // It lies on the line that joins the rows' segments.
      router = machineBox(4, y - 14, scene.router.lines);
      y = router.y + router.height + 16;
    }
    const height = Math.max(...row.map(heightOf));
    const nodes = row.map((node, column) =>
      placeNode(node, margin + column * step, y, height)
    );
    const x2 = margin + columns * step - node.gap;
    const segment = { at, x1: margin - 10, x2, y: y + height + 34 };
    rows.push({ nodes, segment });
    y = segment.y + 34;
  }
  const last = rows.at(-1)?.segment.y ?? y;
  const below = last + (scene.lane === undefined ? 26 : 40);
  const box = scene.outside && machineBox(margin, below, scene.outside.lines);
  const { peers, bottom } = placePeers(scene, columns, below, box);
  const legend = bottom + 26;
  return {
    width,
    height: legend + Math.max(0, legendLines) * lineHeight + margin / 2,
    rows,
    ...(router === undefined ? {} : { router }),
    ...(peers === undefined ? {} : { peers }),
    ...(box === undefined
      ? {}
      : { outside: box, outsideCable: box.x + box.width - 60 }),
    legend,
  };
}

const step = node.width + node.gap;

/** A machine that is no node, with a line for each of these. */
function machineBox(x: number, y: number, lines: readonly string[]): Box {
  return { x, y, width: node.width, height: 14 + lines.length * lineHeight };
}

/** Beside the outside host, or below it where there is no room; and where all that ends. */
function placePeers(
  { peers }: PictureScene,
  columns: number,
  below: number,
  outside: Box | undefined,
): { peers?: Box; bottom: number } {
  const end = outside === undefined ? below : outside.y + outside.height;
  if (peers === undefined) return { bottom: end };
  const isBeside = outside === undefined || columns > 1;
  const x = margin + (outside === undefined || columns === 1 ? 0 : step);
  const box = machineBox(x, isBeside ? below : end + 26, peers.lines);
  return { peers: box, bottom: Math.max(end, box.y + box.height) };
}

/** Each segment's nodes by themselves, the first's at the bottom, beside the outside host. */
function* rowsOf(
  { segments, nodes }: PictureScene,
  columns: number,
): Generator<readonly SceneNode[]> {
  for (const segment of segments.keys().toArray().toReversed()) {
    const own = nodes.filter((node) => node.segment === segment);
    for (let at = 0; at < own.length; at += columns) {
      yield own.slice(at, at + columns);
    }
  }
}

function columnsOf({ segments, nodes }: PictureScene): number {
  return Math.max(
    ...segments.map((_, at) =>
      columnsFor(nodes.filter(({ segment }) => segment === at).length)
    ),
  );
}

/** Up to three stand in one row; more make about as many rows as columns. */
function columnsFor(count: number): number {
  if (count <= 3) return Math.max(1, count);
  return Math.min(5, Math.ceil(Math.sqrt(count * 1.4)));
}

function podHeight({ pods }: SceneNode): number {
  const most = Math.max(
    0,
    ...pods.map(({ lines, unplugged, since }) =>
      lines.length + (unplugged === undefined ? 0 : 1) +
      (since === undefined ? 0 : 1)
    ),
  );
  return 12 + (1 + most) * lineHeight;
}

const headHeight = 30;

function bridgeLines({ bridge }: SceneNode): number {
  if (bridge === undefined) return 1;
  return bridge.lines.length + (bridge.since === undefined ? 0 : 1);
}

function linesOfFacts({ facts, silent }: SceneNode): number {
  if (silent !== undefined) return factLines(silent).length + 1;
  return facts.reduce(
    (sum, { text, since }) =>
      sum + factLines(since === undefined ? text : `${text} (${since})`).length,
    0,
  );
}

function heightOf(node: SceneNode): number {
  const podRows = Math.ceil(node.pods.length / 2);
  return headHeight + podRows * (podHeight(node) + 10) +
    14 + bridgeLines(node) * lineHeight + 16 +
    linesOfFacts(node) * lineHeight + 14 + lineHeight + 8;
}

function placeNode(
  scene: SceneNode,
  x: number,
  y: number,
  height: number,
): NodeLayout {
  const left = x + node.padding;
  const top = y + headHeight;
  const each = podHeight(scene);
  const pods = scene.pods.map((_, at): Box => ({
    x: left + (at % 2) * (pod.width + pod.gap),
    y: top + Math.floor(at / 2) * (each + 10),
    width: pod.width,
    height: each,
  }));
  const podRows = Math.ceil(scene.pods.length / 2);
  const bridge: Box = {
    x: left,
    y: top + podRows * (each + 10) + 4,
    width: node.width - 2 * node.padding,
    height: 8 + bridgeLines(scene) * lineHeight,
  };
  const first = pods[0];
  return {
    node: scene,
    box: { x, y, width: node.width, height },
    head: y + 20,
    pods,
    ...(first === undefined ? {} : {
      spine: {
        x: left + pod.width + pod.gap / 2,
        from: first.y + each / 2,
      },
    }),
    bridge,
    facts: bridge.y + bridge.height + 22,
    uplink: y + height - 10,
    cable: x + node.width / 2,
  };
}
