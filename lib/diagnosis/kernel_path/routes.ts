/** Routes of a node or a pod that lead its packets elsewhere, or nowhere. Pure. */
import { familyOf, gateway as gatewayOf } from "../../net/cidr.ts";
import { cmd, type Command } from "../../exec/command.ts";
import { makeStage } from "../remedy.ts";
import {
  mendIn,
  type Obstacle,
  ownerOfPod,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import {
  longestMatch,
  networkHas,
  prefixLengthOf,
} from "../../net/route_match.ts";
import { ownAddresses } from "./packets.ts";
import { type PathRoute, pathRoutes } from "./path_routes.ts";
import { tunnelObstacles } from "./route_tunnels.ts";
import type { KernelSurvey, Space } from "./survey.ts";

/** The kinds of routes that take a packet nowhere (ip-route(8)). */
const refusing = ["blackhole", "unreachable", "prohibit", "throw"];

function refuses(type: string | undefined): boolean {
  return type !== undefined && refusing.includes(type);
}

/** What a route does that takes a pod's packets from their way, in words. */
export function takenWords(
  node: string,
  { type, dst }: { readonly type?: string | undefined; readonly dst: string },
  owners: string,
): string {
  return refuses(type)
    ? `${node} has a route that leads nowhere for pods of ${owners}: ` +
      `${type} ${dst}`
    : `on ${node} the network ${dst} takes what is for pods of ${owners}`;
}

/** Routes that are the most exact ones for a packet, and not the right ones. */
export function routeObstacles(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  const own = ownAddresses(survey);
  const routes = pathRoutes(survey);
  const found = new Map<PathRoute, Wrong>();
  const destinations = new Set(
    traffic.flows.map(({ destination }) => destination),
  );
  for (const destination of destinations) {
    if (own.has(destination)) continue;
    const best = longestMatch(routes[familyOf(destination)], destination);
    if (best === undefined || found.has(best)) continue;
    const wrong = wrongOf(best, destination, survey, traffic);
    if (wrong !== undefined) found.set(best, wrong);
  }
  return [
    ...tunnelObstacles(survey, traffic),
    ...[...found].map(([route, wrong]): Obstacle => ({
      kind: space.pod === undefined ? "route" : "pod-route",
      ...wrong,
      space,
      evidence: [
        shownIn(
          space,
          cmd`ip route show ${route.dst}`,
          printedLine(route, survey),
        ),
      ],
    })),
  ];
}

/** What is wrong with the most exact route for a destination. */
type Wrong = Pick<Obstacle, "is" | "what" | "remedies">;

function wrongOf(
  route: PathRoute,
  destination: string,
  survey: KernelSurvey,
  traffic: Traffic,
): Wrong | undefined {
  const { space } = survey;
  if (space.pod === undefined) {
    const lost = ownLost(route, destination, survey, traffic);
    if (lost !== undefined) return lost;
  }
  const what = space.pod === undefined
    ? ofNode(route, destination, survey, traffic)
    : ofPod(route, survey, traffic);
  if (what !== undefined) {
    return { is: "loses", what, remedies: mends(route, survey, traffic) };
  }
  const loose = narrow(route, survey);
  return loose === undefined ? undefined : {
    is: "may lose",
    what: loose,
    remedies: [mendIn(space, widened(route))],
  };
}

/**
 * A wider route has what is for the node's own pods, since that of the bridge is
 * gone: nothing is wrong with the wider one.
 */
function ownLost(
  { type, dst, dev }: PathRoute,
  destination: string,
  { space, links }: KernelSurvey,
  { cluster }: Traffic,
): Wrong | undefined {
  const { bridge, nodes } = cluster;
  const podCIDR = nodes.find(({ name }) => name === space.node)?.podCIDRs
    .find((podCIDR) => networkHas(podCIDR, destination));
  if (podCIDR === undefined || dev === bridge || refuses(type)) {
    return undefined;
  }
  if (prefixLengthOf(dst) >= prefixLengthOf(podCIDR)) return undefined;
  const [own = ""] = gatewayOf(podCIDR).split("/");
  const isWhole = links.some(({ ifname, flags, addr_info }) =>
    ifname === bridge && flags.includes("UP") &&
    addr_info.some(({ local }) => local === own)
  );
  const family = familyOf(own) === 6 ? ["-6"] : [];
  return {
    is: "loses",
    what: `${space.node} has no route to its own pods (${podCIDR} dev ` +
      `${bridge}), and ${dst} takes what is for them`,
    remedies: isWhole
      ? [mendIn(
        space,
        cmd`ip ${family} route replace ${podCIDR} dev ${bridge} proto kernel scope link src ${own}`,
      )]
      : [makeStage("04-bridge", space.node)],
  };
}

/** The same route without its MTU. */
function widened({ dst, gateway, dev, metric, protocol }: PathRoute): Command {
  return cmd`ip route replace ${[
    dst,
    ...(gateway === undefined ? [] : ["via", gateway]),
    ...(dev === undefined ? [] : ["dev", dev]),
    ...(protocol === undefined ? [] : ["proto", protocol]),
    ...(metric === undefined ? [] : ["metric", String(metric)]),
  ]}`;
}

function ofNode(
  route: PathRoute,
  destination: string,
  { space: { node } }: KernelSurvey,
  { cluster, bridge, links, isPort }: Traffic,
): string | undefined {
  const { type, dst, dev = "", gateway } = route;
  const owner = ownerOfPod(cluster, destination);
  if (refuses(type)) {
    return owner === undefined
      ? `${node} has a route that leads nowhere: ${type} ${dst}`
      : takenWords(node, route, owner.name);
  }
  if (isPort(dev)) {
    return `${node} has a route to a pod's veth: ${dst} dev ${dev}`;
  }
  if (owner === undefined) return undefined;
  if (owner.name === node) {
    return dev === bridge ? undefined : takenWords(node, route, owner.name);
  }
  // A wider one gives way to 08's, and of that one the stages' own checks tell.
  const isNarrow = owner.podCIDRs.some((podCIDR) =>
    prefixLengthOf(route.dst) > prefixLengthOf(podCIDR)
  );
  if (cluster.routes !== "host" || !isNarrow) return undefined;
  return gateway === owner.address && links.has(dev)
    ? undefined
    : takenWords(node, route, owner.name);
}

function ofPod(
  route: PathRoute,
  { space }: KernelSurvey,
  { cluster, bridge = cluster.bridge, links }: Traffic,
): string | undefined {
  const { type, dst, gateway, dev } = route;
  if (refuses(type)) {
    return `${spaceName(space)} has a route that leads nowhere: ${type} ${dst}`;
  }
  if (dev !== undefined && !links.has(dev)) {
    return `${spaceName(space)} has a route into another link than eth0: ` +
      `${dst} dev ${dev}`;
  }
  const right = gatewayIn(space, cluster);
  if (gateway === undefined || right === undefined || gateway === right) {
    return undefined;
  }
  return `pod ${spaceName(space)} sends to the gateway ${gateway}, and its ` +
    `gateway, the bridge ${bridge}, is ${right}`;
}

/** A route that carries less than its link does. */
function narrow(
  { dst, dev, metrics }: PathRoute,
  { space, links }: KernelSurvey,
): string | undefined {
  const mtu = metrics?.find(({ mtu }) => mtu !== undefined)?.mtu ?? 0;
  const link = links.find(({ ifname }) => ifname === dev);
  if (mtu === 0 || link === undefined || mtu >= link.mtu) return undefined;
  return narrowWords(spaceName(space), { dst, dev }, mtu);
}

/** What a route with an MTU of its own does, in words. */
export function narrowWords(
  where: string,
  { dst, dev = "" }: {
    readonly dst: string;
    readonly dev?: string | undefined;
  },
  mtu: number,
): string {
  return `${where} has a route that takes packets of ${mtu} bytes at most: ` +
    `${dst} dev ${dev} mtu ${mtu}`;
}

/** The gateway of a node's pods. */
function gatewayIn(
  { node }: Space,
  { nodes }: Traffic["cluster"],
): string | undefined {
  const podCIDR = nodes.find(({ name }) => name === node)?.podCIDRs[0];
  return podCIDR === undefined ? undefined : gatewayOf(podCIDR).split("/")[0];
}

function mends(
  { type, dst, dev, gateway, metric, protocol, nhid }: PathRoute,
  survey: KernelSurvey,
  { cluster }: Traffic,
): Obstacle["remedies"] {
  const { space, links } = survey;
  const right = gatewayIn(space, cluster);
  const address = links.find(({ ifname }) => ifname === dev)?.addr_info
    .find(({ local }) => dst !== "default" && networkHas(dst, local));
  const remove = protocol === "kernel" && address !== undefined
    ? cmd`ip addr del ${address.local}/${address.prefixlen} dev ${dev ?? ""}`
    : nhid !== undefined
    ? cmd`ip route del ${dst} nhid ${nhid}`
    : cmd`ip route del ${[
      ...(type === undefined || type === "unicast" ? [] : [type]),
      dst,
      ...(gateway === undefined ? [] : ["via", gateway]),
      ...(dev === undefined || type !== undefined ? [] : ["dev", dev]),
      ...(metric === undefined ? [] : ["metric", String(metric)]),
    ]}`;
  const replace = space.pod !== undefined && gateway !== undefined &&
    dst === "default" && right !== undefined;
  return [
    mendIn(space, remove),
    ...(replace
      ? [mendIn(space, cmd`ip route replace default via ${right}`)]
      : []),
  ];
}

/** A route's line, as `ip route` prints it. */
function printedLine(
  { type, dst, dev, gateway }: PathRoute,
  survey: KernelSurvey,
): string {
  const begin = [...(type === undefined ? [] : [type]), dst].join(" ");
  const line = (survey.parts.get("routes.text") ?? "").split("\n").find((
    line,
  ) =>
    (line === begin || line.startsWith(`${begin} `)) &&
    (gateway === undefined || line.includes(`via ${gateway} `)) &&
    (dev === undefined || line.includes(`dev ${dev}`))
  );
  return line?.trim() ?? begin;
}
