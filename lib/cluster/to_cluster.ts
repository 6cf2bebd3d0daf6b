/** A checked cluster file as the stages plan with it. Pure. */
import type { Draft } from "./validate.ts";
import { defaultRoutes } from "./schema_cloud.ts";
import { type InFile, nodeMaskOf, pageHost } from "./schema.ts";
import { bgpOf } from "./schema_bgp.ts";
import { usualVxlan } from "./schema_vxlan.ts";
import type { Cluster, Segment } from "./cluster.ts";

/**
 * The cluster that a file describes.
 *
 * @param draft one in which no mistake was found: nothing is missing from it
 * @param file as the user named it
 * @param stateRoot the folder of all clusters' state folders, absolute
 */
export function toCluster(
  draft: Draft<InFile>,
  file: string,
  stateRoot: string,
): Cluster {
  const { name, provider, clusterCIDR, bridge, cniVersion, mtu, ...rest } =
    draft as InFile;
  const segmentCIDRs = rest.segments?.[0]?.cidr ?? rest.segmentCIDR;
  const routes = rest.routes ?? defaultRoutes(provider);
  return {
    name,
    provider,
    clusterCIDRs: clusterCIDR,
    nodeMasks: clusterCIDR.map((text, at) => nodeMaskOf(draft, text, at)),
    bridge,
    cniVersion,
    ...(mtu === undefined ? {} : { mtu }),
    plugin: rest.plugin,
    ...(rest.runtime === "none" ? {} : { runtime: rest.runtime }),
    ...(rest.podsPerNode === undefined
      ? {}
      : { podsPerNode: rest.podsPerNode }),
    segmentCIDR: firstOf(segmentCIDRs),
    segmentCIDRs,
    ...(rest.segments === undefined ? {} : { segments: segmentsOf(rest) }),
    outside: outsideOf(rest.outside),
    ...(rest.kubernetes === undefined ? {} : { kubernetes: rest.kubernetes }),
    ...(rest.ssh === undefined ? {} : { ssh: rest.ssh }),
    routes,
    ...(routes === "vxlan" ? { vxlan: rest.vxlan ?? usualVxlan } : {}),
    ...(routes === "bgp" ? { bgp: bgpOf(rest, clusterCIDR) } : {}),
    ...(rest.firewall === "iptables" ? {} : { firewall: rest.firewall }),
    ...(rest.aws === undefined ? {} : { aws: rest.aws }),
    ...(rest.gcp === undefined ? {} : { gcp: rest.gcp }),
    nodes: rest.nodes.map(({ name, role, address, podCIDRs = [], ssh }) => ({
      name,
      role,
      address: firstOf(address),
      addresses: address,
      ...(routes === "vxlan" ? { vtep: firstOf(address) } : {}),
      podCIDRs,
      ...(ssh === undefined ? {} : { ssh }),
    })),
    stateDir: `${stateRoot}/${name}`,
    file,
  };
}

function segmentsOf({ segments = [] }: Pick<InFile, "segments">): Segment[] {
  return segments.map(({ cidr, router, mtu }) => ({
    cidrs: cidr,
    router,
    ...(mtu === undefined ? {} : { mtu }),
  }));
}

/** The addresses of a host whose pages are given are those of the pages. */
function outsideOf(
  { gateway, address, url }: InFile["outside"],
): Cluster["outside"] {
  const addresses = url?.map((url) => pageHost(url) ?? "") ?? address;
  return {
    gateway: firstOf(gateway),
    gateways: gateway,
    address: firstOf(addresses),
    addresses,
    ...(url === undefined ? {} : { urls: url }),
  };
}

function firstOf(list: readonly string[]): string {
  const [first] = list;
  if (first === undefined) throw new TypeError("a checked list is not empty");
  return first;
}
