/** What has changed between two pictures of a cluster, in words. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Inventory } from "../inventory/inventory.ts";
import { printable } from "../text/printable.ts";
import { signs } from "./node_facts.ts";
import { type SceneNode, sceneOf } from "./scene.ts";

/**
 * What has changed, a sentence each, for readers who do not see the picture.
 */
export function pictureChanges(
  before: Inventory,
  now: Inventory,
  cluster: Cluster,
): readonly string[] {
  const scene = sceneOf(now, cluster, before);
  const was = sceneOf(before, cluster);
  return scene.nodes.flatMap((node) => {
    const old = was.nodes.find(({ name }) => name === node.name);
    if (old?.silent !== node.silent) {
      return [
        node.silent === undefined
          ? `${node.name} answers`
          : `${node.name} does not answer`,
      ];
    }
    return [
      ...node.pods.flatMap((pod) => {
        const one = old?.pods.find(({ name }) => name === pod.name);
        if (pod.since !== undefined) {
          return [`pod ${node.name}/${pod.name} is ${pod.since}`];
        }
        if (one?.unplugged === pod.unplugged) return [];
        return [
          `pod ${node.name}/${pod.name} is ${
            pod.unplugged === undefined
              ? "plugged in"
              : `not plugged in: ${pod.unplugged}`
          }`,
        ];
      }),
      ...bridgeNews(node, old),
      ...node.facts.filter(({ since }) => since === "new").map((fact) =>
        `${node.name}: ${signs[fact.tone]} ${fact.text}`
      ),
      ...(old !== undefined && old.uplink.text !== node.uplink.text
        ? [`${node.name}: ${node.uplink.text}`]
        : []),
    ];
  }).map(printable);
}

function bridgeNews(
  { name, bridge }: SceneNode,
  old: SceneNode | undefined,
): readonly string[] {
  const now = bridge?.lines.join(" ");
  if (now === undefined || now === old?.bridge?.lines.join(" ")) return [];
  return [`${name}: ${now}`];
}
