/** All that ends packets in the namespaces of a path, of what these told. Pure. */
import { tunnelAddress, tunnelLink, vtepMac } from "../../net/vxlan.ts";
import { isTunnelled } from "../../cluster/tunnels.ts";
import type { Cluster, ClusterNode } from "../../cluster/cluster.ts";
import { iptablesObstacles } from "./iptables_chains.ts";
import { portObstacles } from "./bridge_ports.ts";
import {
  arpObstacles,
  qdiscObstacles,
  tcObstacles,
  tcxObstacles,
  xdpObstacles,
} from "./links.ts";
import { nftObstacles } from "./nft_chains.ts";
import {
  type Flow,
  type Obstacle,
  ownerOfPod,
  type Traffic,
} from "./obstacle.ts";
import { ownAddresses } from "./packets.ts";
import { addressObstacles } from "./pod_links.ts";
import { ebtablesObstacles } from "./ebtables.ts";
import { localRouteObstacles } from "./local_routes.ts";
import { podRuleObstacles } from "./pod_rules.ts";
import { sourceObstacles } from "./pod_sources.ts";
import { routeObstacles } from "./routes.ts";
import { settingObstacles } from "./settings.ts";
import { ipsecObstacles, neighbourObstacles } from "./stack.ts";
import type { KernelSurvey, PathLink } from "./survey.ts";

/** In the order of a packet's way into a machine and out of it (nf_hook, netdev). */
const kinds = [
  ...[xdpObstacles, tcxObstacles, tcObstacles, portObstacles, nftObstacles],
  ebtablesObstacles,
  ...[iptablesObstacles, podRuleObstacles, localRouteObstacles],
  ...[routeObstacles, sourceObstacles, ipsecObstacles, neighbourObstacles],
  ...[addressObstacles, arpObstacles, qdiscObstacles, settingObstacles],
];

/**
 * What ends packets of these flows; those that surely lose them first.
 *
 * @param surveys of the nodes and pods that the flows pass
 * @param cluster with the addresses of one family alone
 * @param owners the link-layer addresses of others, by their address
 */
export function findObstacles(
  surveys: readonly KernelSurvey[],
  cluster: Cluster,
  flows: readonly Flow[],
  owners: ReadonlyMap<string, string> = new Map(),
): readonly Obstacle[] {
  const known = new Map([
    ...owners,
    ...surveys.flatMap(ownersIn),
    // Whatever link bears one: the others know it by this MAC.
    ...(cluster.vxlan === undefined ? [] : cluster.nodes.flatMap(tunnelEnds)),
  ]);
  const found = surveys.flatMap((survey) => {
    const traffic = trafficOf(survey, surveys, cluster, flows, known);
    return obstaclesAt(survey, traffic);
  });
  return found.toSorted((a, b) =>
    Number(b.is === "loses") - Number(a.is === "loses")
  );
}

/** What ends packets of these flows in a machine that is no node. */
export function obstaclesAt(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  return kinds.flatMap((find) => find(survey, traffic));
}

function ownersIn({ links }: KernelSurvey): readonly [string, string][] {
  return links.flatMap(({ address, addr_info, link_type }) =>
    address === undefined || link_type !== "ether"
      ? []
      : addr_info.map(({ local }): [string, string] => [local, address])
  );
}

function tunnelEnds(
  { name, podCIDRs }: ClusterNode,
): readonly [string, string][] {
  return podCIDRs.map((podCIDR) => [tunnelAddress(podCIDR), vtepMac(name)]);
}

function trafficOf(
  survey: KernelSurvey,
  surveys: readonly KernelSurvey[],
  cluster: Cluster,
  flows: readonly Flow[],
  owners: ReadonlyMap<string, string>,
): Traffic {
  const { space } = survey;
  const own = ownAddresses(survey);
  if (space.pod === undefined) {
    return { ...nodeTraffic(survey, surveys, cluster), flows, owners };
  }
  return {
    cluster,
    flows: flows.filter(({ source, destination }) =>
      own.has(source) || own.has(destination)
    ),
    links: new Set(["eth0"]),
    owners,
    isPort: () => false,
    podPorts: new Map(),
    linkTo: (address) => own.has(address) ? undefined : "eth0",
  };
}

function nodeTraffic(
  survey: KernelSurvey,
  surveys: readonly KernelSurvey[],
  cluster: Cluster,
): Omit<Traffic, "flows" | "owners"> {
  const { space, links } = survey;
  const { bridge } = cluster;
  const own = ownAddresses(survey);
  const node = cluster.nodes.find(({ name }) => name === space.node);
  const uplink = links.find(({ addr_info }) =>
    addr_info.some(({ local }) => local === node?.address)
  )?.ifname;
  const ends = surveys.filter(({ space: { node, pod } }) =>
    node === space.node && pod !== undefined
  ).flatMap(({ links }) => links);
  const portOf = ({ link_index }: PathLink) =>
    links.find(({ ifindex }) => ifindex === link_index);
  const ports = ends.flatMap((end) => portOf(end) ?? []);
  const names = new Set(ports.map(({ ifname }) => ifname));
  const linkTo = (address: string) => {
    if (own.has(address)) return undefined;
    const owner = ownerOfPod(cluster, address);
    if (owner?.name === space.node) return bridge;
    return owner !== undefined && node !== undefined &&
        isTunnelled(cluster, node, owner)
      ? tunnelLink
      : uplink;
  };
  // Every chain of every table asks for the same addresses.
  const linksTo = new Map<string, { readonly name: string | undefined }>();
  return {
    cluster,
    links: new Set([
      bridge,
      ...(uplink === undefined ? [] : [uplink]),
      ...(cluster.vxlan === undefined ? [] : [tunnelLink]),
      ...ports.filter(({ master }) => master === bridge)
        .map(({ ifname }) => ifname),
    ]),
    bridge,
    isPort: (link) => names.has(link),
    podPorts: new Map(ends.flatMap((end): [string, string][] => {
      const port = portOf(end)?.ifname;
      return end.address === undefined || port === undefined
        ? []
        : [[end.address, port]];
    })),
    linkTo: (address) => {
      const link = linksTo.get(address) ?? { name: linkTo(address) };
      linksTo.set(address, link);
      return link.name;
    },
  };
}
