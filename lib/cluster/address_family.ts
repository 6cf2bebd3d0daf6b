/**
 * One family of a cluster, as if it had no other: two families are two networks
 * on the same machines, and stage 09 looks at each by itself.
 */
import { type Family, familyOf, ofFamily } from "../net/cidr.ts";
import type { Cluster, ClusterNode, Segment } from "./cluster.ts";

/** The families that a cluster's pods have, in the cluster's order. */
export function familiesOf(
  { clusterCIDRs }: Pick<Cluster, "clusterCIDRs">,
): readonly Family[] {
  return clusterCIDRs.map(familyOf);
}

/** The cluster with the addresses of one family alone. */
export function inFamily(cluster: Cluster, family: Family): Cluster {
  const { clusterCIDRs, nodeMasks, segmentCIDRs, segments, outside, nodes } =
    cluster;
  const at = familiesOf(cluster).indexOf(family);
  const own = (list: readonly string[]) =>
    list.filter((text) => familyOf(text) === family);
  return {
    ...cluster,
    ...(clusterCIDRs.length === 1 ? {} : { whole: cluster }),
    clusterCIDRs: own(clusterCIDRs),
    nodeMasks: nodeMasks.slice(at, at + 1),
    segmentCIDR: ofFamily(segmentCIDRs, family) ?? cluster.segmentCIDR,
    segmentCIDRs: own(segmentCIDRs),
    ...(segments === undefined ? {} : {
      segments: segments.map(({ cidrs, router, ...segment }): Segment => ({
        ...segment,
        cidrs: own(cidrs),
        router: own(router),
      })),
    }),
    outside: {
      gateway: ofFamily(outside.gateways, family) ?? outside.gateway,
      gateways: own(outside.gateways),
      address: ofFamily(outside.addresses, family) ?? outside.address,
      addresses: own(outside.addresses),
      // Each page is at the address that has its place in the list.
      ...(outside.urls === undefined ? {} : {
        urls: outside.urls.filter((_, at) =>
          familyOf(outside.addresses[at] ?? "") === family
        ),
      }),
    },
    nodes: nodes.map((node): ClusterNode => ({
      ...node,
      address: ofFamily(node.addresses, family) ?? node.address,
      addresses: own(node.addresses),
      podCIDRs: own(node.podCIDRs),
    })),
  };
}

/** The cluster with the addresses of all its families. */
export function wholeOf(cluster: Cluster): Cluster {
  return cluster.whole ?? cluster;
}
