/** Cluster files of many nodes, for what is measured on them. */

/** The kinds of routes that are measured. */
export const kinds = ["host", "vxlan", "bgp"] as const;

/** A kind of routes. */
export type Kind = typeof kinds[number];

/**
 * A cluster whose nodes share a segment, each with a way of that kind to every
 * other: tunnels, too, lead to all of them.
 *
 * @param count how many nodes, 16,000 at most
 */
export function manyNodes(
  name: string,
  provider: "lab" | "ssh",
  kind: Kind,
  count: number,
): string {
  const lines = [
    `name: ${name}`,
    `provider: ${provider}`,
    "clusterCIDR: 10.240.0.0/12",
    "segmentCIDR: 10.0.0.0/16",
    `routes: ${kind}`,
    ...(kind === "vxlan" ? ["vxlan:", "  direct: false"] : []),
    ...(provider === "lab"
      ? ["outside:", "  gateway: 10.0.0.1", "  address: 203.0.113.8"]
      : []),
    "nodes:",
  ];
  for (let at = 0; at < count; at++) {
    lines.push(
      `  - name: node-${at}`,
      `    role: ${at === 0 ? "control-plane" : "worker"}`,
      `    address: 10.0.${1 + Math.floor(at / 250)}.${2 + at % 250}`,
    );
  }
  return lines.join("\n") + "\n";
}
