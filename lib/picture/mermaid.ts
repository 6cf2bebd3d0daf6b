/** A scene as a Mermaid flowchart (mermaid.js.org/syntax/flowchart.html). Pure. */
import { signs } from "./node_facts.ts";
import type { ScenePod } from "./pods.ts";
import type { PictureScene, SceneNode } from "./scene.ts";

/** Draws a scene. */
export function mermaidOf(scene: PictureScene): string {
  const lines = [
    "flowchart TB",
    ...scene.segments.map(({ name, cidrs }) =>
      `  ${name}[["${name} ${label(cidrs)}"]]`
    ),
    ...scene.nodes.flatMap((node, at) =>
      nodeLines(node, at, scene.segments[node.segment]?.name ?? "segment")
    ),
    ...tunnelLines(scene),
    ...sessionLines(scene),
    ...(scene.router === undefined ? [] : [
      `  router["${label(scene.router.lines)}"]`,
      ...scene.segments.map(({ name }) => `  ${name} --- router`),
    ]),
    ...(scene.outside === undefined ? [] : [
      `  outside["${label(scene.outside.lines)}"]`,
      "  segment --- outside",
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

/** More tunnels, or sessions, than this are one box; sessions that are down stay lines. */
const mostDrawn = 10;

/** A dotted line for each tunnel. */
function tunnelLines({ nodes, direct, lane }: PictureScene): string[] {
  const lines = nodes.flatMap((one, at) =>
    nodes.flatMap((other, then) =>
      then > at && (!direct || one.segment !== other.segment) &&
        one.tunnelled && other.tunnelled
        ? [`  n${at}r -. tunnel .- n${then}r`]
        : []
    )
  );
  return lines.length <= mostDrawn
    ? lines
    : [`  tunnels["${label([lane?.text ?? ""])}"]`];
}

/** A dotted line for each BGP session. */
function sessionLines(
  { nodes, sessions, peers, lane, router }: PictureScene,
): string[] {
  const ids = new Map(nodes.map(({ name }, at) => [name, `n${at}r`]));
  const own = router?.lines.join(" ").split(" ") ?? [];
  const idOf = (end: string) =>
    ids.get(end) ?? (own.includes(end) ? "router" : "peers");
  const isMany = sessions.length > mostDrawn;
  return [
    ...(peers === undefined ? [] : [`  peers["${label(peers.lines)}"]`]),
    ...(isMany ? [`  bgp["${label([lane?.text ?? ""])}"]`] : []),
    ...sessions.flatMap(({ ends: [one, other], down }) => {
      if (isMany && down === undefined) return [];
      const text = down === undefined ? "BGP" : label([`✗ BGP ${down}`]);
      return [`  ${idOf(one)} -. "${text}" .- ${idOf(other)}`];
    }),
  ];
}

function nodeLines(node: SceneNode, at: number, segment: string): string[] {
  const id = `n${at}`;
  if (node.silent !== undefined) {
    const text = label([node.name, "✗ does not answer", node.silent]);
    return [`  ${id}["${text}"]`, `  ${id} -.- ${segment}`];
  }
  const facts = node.facts.map(({ tone, text, since }) =>
    `${signs[tone]} ${text}${since === undefined ? "" : ` (${since})`}`
  );
  const bridge = node.bridge === undefined
    ? ["– no bridge"]
    : [...node.bridge.lines, ...word(node.bridge.since)];
  return [
    `  subgraph ${id}["${label([`${node.name} (${node.title})`])}"]`,
    ...node.pods.map((pod, number) =>
      `    ${id}p${number}(["${label(podLines(pod))}"])`
    ),
    `    ${id}b["${label(bridge)}"]`,
    `    ${id}r["${label([...facts, node.uplink.text])}"]`,
    ...node.pods.flatMap((pod, number) =>
      pod.unplugged !== undefined || pod.since === "gone"
        ? []
        : [`    ${id}p${number} --- ${id}b`]
    ),
    `    ${id}b --- ${id}r`,
    "  end",
    `  ${id}r ${node.uplink.up ? "---" : "-.-"} ${segment}`,
  ];
}

function podLines({ name, lines, unplugged, since }: ScenePod): string[] {
  return [
    name,
    ...lines,
    ...(unplugged === undefined ? [] : [`✗ ${unplugged}`]),
    ...word(since),
  ];
}

function word(since: ScenePod["since"]): string[] {
  return since === undefined ? [] : [since];
}

/** Lines of a label in quotes; a character that could end it, or be markup, as an entity code. */
function label(lines: readonly string[]): string {
  return lines.map((line) =>
    line.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "\ufffd").replace(
      /[^\p{L}\p{N} .:/(),→✓✗–…_-]/gu,
      (sign) => `#${sign.codePointAt(0)};`,
    )
  ).join("<br/>");
}
