/** A cluster that the scripts made, handed over to the agents of its nodes. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { wayMtu } from "../cluster/tunnels.ts";
import type { NodeRecord } from "./node_record.ts";

/**
 * Why a cluster cannot be handed over, and what to do about it; undefined where it can.
 * Nodes write no routes of a cloud's router, and an agent is on a node.
 */
export function handOverObstacle({ routes }: Cluster): string | undefined {
  return routes !== "aws" && routes !== "gcp" ? undefined : (
    `routes: ${routes}: the cloud's router keeps the routes, and an agent has no access to ` +
    "it; expected routes: vxlan, which the nodes keep themselves. Change it, run the " +
    "stages once more, and then hand the cluster over"
  );
}

/**
 * The network part of a cluster's file, as JSON, which is YAML as well: with it, agents
 * plan what the stages have made.
 */
export function networkText(cluster: Cluster): string {
  const { clusterCIDRs, nodeMasks, bridge, cniVersion, mtu, plugin } = cluster;
  const { routes, vxlan, bgp, firewall, provider } = cluster;
  return JSON.stringify(
    {
      ...(provider === "lab" ? { provider } : {}),
      clusterCIDR: clusterCIDRs,
      nodeMask: nodeMasks,
      bridge,
      cniVersion,
      mtu,
      plugin,
      firewall,
      routes,
      // What the segments take is known to the file alone.
      ...(vxlan === undefined
        ? {}
        : { vxlan: { ...vxlan, mtu: wayMtu(cluster) } }),
      bgp: bgp &&
        { ...bgp, peers: bgp.peers.length > 0 ? bgp.peers : undefined },
    },
    null,
    2,
  );
}

/** What of the manifest holds the network, by its name there. */
const networkFile = "  cluster.yaml: |\n";

/**
 * The manifest with this cluster's network in its ConfigMap.
 *
 * @returns undefined where it has none to put it in
 */
export function manifestFor(
  cluster: Cluster,
  manifest: string,
): string | undefined {
  const at = manifest.indexOf(networkFile);
  if (at < 0) return undefined;
  const from = at + networkFile.length;
  const old = /^(?: {4}.*\n|\n)*/.exec(manifest.slice(from))?.[0] ?? "";
  const text = networkText(cluster).replaceAll(/^/gm, "    ");
  return `${manifest.slice(0, from)}${text}\n${
    manifest.slice(from + old.length)
  }`;
}

/** A cluster's nodes, as Kubernetes would tell of them. */
export function recordsOfCluster({ nodes }: Cluster): readonly NodeRecord[] {
  return nodes.map(({ name, role, addresses, podCIDRs, vtep }) => ({
    name,
    isControlPlane: role === "control-plane",
    addresses,
    podCIDRs,
    ...(vtep === undefined ? {} : { vtep }),
  }));
}
