/** All that ends packets in the namespaces of a path, of what these told. Pure. */
import type { Cluster } from "../../cluster/cluster.ts";
import { containsAddress, familyOf, parseCidr } from "../../net/cidr.ts";
import { iptablesObstacles } from "./iptables_chains.ts";
import {
  arpObstacles,
  portObstacles,
  qdiscObstacles,
  tcObstacles,
  xdpObstacles,
} from "./links.ts";
import { nftObstacles } from "./nft_chains.ts";
import type { Flow, Obstacle, Traffic } from "./obstacle.ts";
import { ownAddresses } from "./packets.ts";
import {
  echoObstacles,
  ipsecObstacles,
  neighbourObstacles,
  routeObstacles,
} from "./stack.ts";
import type { KernelSurvey } from "./survey.ts";

/** In the order of a packet's way into a machine and out of it (nf_hook, netdev). */
const kinds = [
  ...[xdpObstacles, tcObstacles, portObstacles, nftObstacles],
  ...[iptablesObstacles, routeObstacles, ipsecObstacles, neighbourObstacles],
  ...[arpObstacles, qdiscObstacles, echoObstacles],
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
  const known = new Map([...owners, ...surveys.flatMap(ownersIn)]);
  const found = surveys.flatMap((survey) => {
    const traffic = trafficOf(survey, surveys, cluster, flows, known);
    return kinds.flatMap((find) => find(survey, traffic));
  });
  return found.toSorted((a, b) =>
    Number(b.is === "loses") - Number(a.is === "loses")
  );
}

function ownersIn({ links }: KernelSurvey): readonly [string, string][] {
  return links.flatMap(({ address, addr_info, link_type }) =>
    address === undefined || link_type !== "ether"
      ? []
      : addr_info.map(({ local }): [string, string] => [local, address])
  );
}

function trafficOf(
  survey: KernelSurvey,
  surveys: readonly KernelSurvey[],
  { bridge, nodes }: Cluster,
  flows: readonly Flow[],
  owners: ReadonlyMap<string, string>,
): Traffic {
  const { space, links } = survey;
  const own = ownAddresses(survey);
  if (space.pod !== undefined) {
    return {
      flows: flows.filter(({ source, destination }) =>
        own.has(source) || own.has(destination)
      ),
      links: new Set(["eth0"]),
      owners,
      linkTo: (address) => own.has(address) ? undefined : "eth0",
    };
  }
  const node = nodes.find(({ name }) => name === space.node);
  const uplink = links.find(({ addr_info }) =>
    addr_info.some(({ local }) => local === node?.address)
  )?.ifname;
  const pods = node?.podCIDRs.map(parseCidr) ?? [];
  const isPod = (address: string) =>
    pods.some((podCIDR) =>
      podCIDR.family === familyOf(address) && containsAddress(podCIDR, address)
    );
  const peers = surveys.filter(({ space: { node, pod } }) =>
    node === space.node && pod !== undefined
  ).flatMap(({ links }) => links.map(({ link_index }) => link_index));
  const veths = links.filter(({ ifindex, master }) =>
    master === bridge && peers.includes(ifindex)
  ).map(({ ifname }) => ifname);
  return {
    flows,
    links: new Set([
      bridge,
      ...(uplink === undefined ? [] : [uplink]),
      ...veths,
    ]),
    bridge,
    owners,
    linkTo: (address) =>
      own.has(address) ? undefined : isPod(address) ? bridge : uplink,
  };
}
