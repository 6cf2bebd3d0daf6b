/** The doctor's checks of routes. Pure. */
import {
  CidrError,
  containsAddress,
  overlaps,
  parseCidr,
} from "../net/cidr.ts";
import { tunnelAddress } from "../net/vxlan.ts";
import type { ClusterNode } from "../cluster/cluster.ts";
import { nextHopOf, sessionBy } from "../cluster/bgp_sessions.ts";
import { isTunnelled } from "../cluster/tunnels.ts";
import { cmd, type Command } from "../exec/command.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  type OneFamily,
  shownBy,
  uplinkOf,
} from "./check.ts";
import type { InventoryRoute } from "../inventory/inventory.ts";
import { birdProtocol, routeProtocol } from "../steps/probes.ts";
import { takenWords } from "../diagnosis/kernel_path/routes.ts";
import { makeStage, onNode } from "../diagnosis/remedy.ts";

const asCidr = (to: string) => {
  try {
    return parseCidr(
      to.includes("/") ? to : `${to}/${to.includes(":") ? 128 : 32}`,
    );
  } catch (error) {
    if (!(error instanceof CidrError)) throw error;
    return undefined;
  }
};

const routes: Check = {
  name: "routes",
  well: "the pods of every other node are reached through that node",
  read(context) {
    const { host, node } = context;
    if (!["host", "vxlan", "bgp"].includes(context.cluster.routes)) {
      return [{
        is: "does not apply",
        what: "the cloud's router keeps the routes",
      }];
    }
    return [
      ...byFamily(context).flatMap(({ cluster, family, node: one }) =>
        cluster.nodes.filter(({ name }) => name !== node.name).flatMap((
          other,
        ) =>
          other.podCIDRs.flatMap((podCIDR): readonly Finding[] => {
            const ask = cmd`ip -${family} route show exact ${podCIDR}`;
            const found = host.routes.filter(({ to }) => to === podCIDR);
            const [route] = found;
            if (cluster.bgp && host.complete.includes("08-routes")) {
              const told = bgpRoute(context, other, podCIDR, found, ask);
              if (told !== undefined) return told;
            }
            if (route === undefined) {
              return [lacking(
                context,
                "08-routes",
                `no route to the pods of ${other.name} (${podCIDR})`,
                [shownBy(context, ask)],
              )];
            }
            const via = isTunnelled(cluster, one, other)
              ? tunnelAddress(podCIDR)
              : nextHopOf(cluster, one, other);
            // Packets are shared among the next hops of one route.
            const shared = found.slice(0, route.hops ?? 1);
            const astray = shared.filter((hop) => hop.via !== via);
            if (via === undefined || astray.length === 0) return [];
            const whom = via === other.address
              ? "it"
              : cluster.bgp
              ? `the router ${via}`
              : `its end of the tunnel, ${via}`;
            const elsewhere = astray.map(({ via, dev }) => via ?? dev).join(
              ", ",
            );
            return [{
              is: "fault",
              what: `the route to the pods of ${other.name} ` +
                (astray.length === shared.length
                  ? `does not go through ${whom}`
                  : `goes through ${whom} for some packets alone: others go ` +
                    `to ${elsewhere}`),
              evidence: [shownBy(context, ask)],
              remedies: [
                onNode(node.name, cmd`ip route del ${podCIDR}`),
                makeStage("08-routes", node.name),
              ],
            }];
          })
        )
      ),
      ...leftRoutes(context),
    ];
  },
};

/** Routes of ours to pods of no node: packets for that podCIDR's next owner go astray. */
function leftRoutes(context: CheckContext): readonly Finding[] {
  const { cluster, host, node } = context;
  if (!host.complete.includes("08-routes")) return [];
  const known = new Set(cluster.nodes.flatMap(({ podCIDRs }) => podCIDRs));
  return host.routes
    .filter(({ to, protocol }) => protocol === routeProtocol && !known.has(to))
    .filter(isFirstHop)
    .map(({ to, via, dev, family }): Finding => ({
      is: "warning",
      what:
        `a route of 08-routes is left to ${to} (via ${via ?? dev}), which ` +
        "is the podCIDR of no other node of the cluster",
      evidence: [shownBy(context, cmd`ip -${family} route show exact ${to}`)],
      remedies: [
        onNode(
          node.name,
          cmd`ip -${family} route del ${to} proto ${routeProtocol}`,
        ),
      ],
    }));
}

/**
 * What is wrong where bird has to keep the route; undefined where it does.
 *
 * @returns none where the check of the sessions tells why there is no route
 */
function bgpRoute(
  context: CheckContext,
  other: ClusterNode,
  podCIDR: string,
  found: readonly InventoryRoute[],
  ask: Command,
): readonly Finding[] | undefined {
  const { cluster, host, node } = context;
  const foreign = found.find(({ protocol }) => protocol !== birdProtocol);
  if (foreign !== undefined) {
    const { protocol = "unknown", via, dev } = foreign;
    return [{
      is: "fault",
      what:
        `the route to the pods of ${other.name} (${podCIDR}) is not bird's ` +
        `(proto ${protocol}, via ${
          via ?? dev ?? "nothing"
        }): it stays, whatever ` +
        "the nodes tell each other",
      evidence: [shownBy(context, ask)],
      remedies: [
        onNode(
          node.name,
          cmd`ip -${
            podCIDR.includes(":") ? 6 : 4
          } route del ${podCIDR} proto ${protocol}`,
        ),
        makeStage("08-routes", node.name),
      ],
    }];
  }
  if (found.length > 0) return undefined;
  const by = sessionBy(cluster, node, other);
  const state = host.sessions?.find(({ name }) => name === by?.name)?.state;
  return state !== "Established" ? [] : [{
    is: "fault",
    what:
      `no route to the pods of ${other.name} (${podCIDR}): the BGP session ` +
      `with ${by?.node ?? other.name} is up, and does not bring it`,
    evidence: [shownBy(context, ask)],
    // Either end may be configured otherwise than stage 08 does it.
    remedies: [
      makeStage("08-routes", other.name),
      makeStage("08-routes", node.name),
    ],
  }];
}

const overlap: Check = {
  name: "overlap",
  well: "no other network of the node has addresses of the pod network",
  read: (context) =>
    byFamily(context).flatMap((one) => {
      const { host, cluster } = context;
      const known = new Set(
        one.cluster.nodes.flatMap(({ name, podCIDRs }) =>
          name === context.node.name ? [] : podCIDRs
        ),
      );
      return host.routes
        .filter(({ to, dev, protocol }) =>
          (dev !== cluster.bridge || protocol !== "kernel") &&
          protocol !== routeProtocol && !known.has(to)
        )
        .filter(isFirstHop)
        .flatMap((route) => overlapFinding(context, one, route));
    }),
};

/** Whether it is the first next hop of its route: what is said of a route is said once. */
function isFirstHop(
  { to, protocol, hops }: InventoryRoute,
  at: number,
  routes: readonly InventoryRoute[],
): boolean {
  return hops === undefined ||
    routes.findIndex((route) =>
        route.to === to && route.protocol === protocol &&
        route.hops !== undefined
      ) === at;
}

function overlapFinding(
  context: CheckContext,
  { cluster, family }: OneFamily,
  route: InventoryRoute,
): readonly Finding[] {
  const { host, node } = context;
  const cidr = asCidr(route.to);
  const whole = cluster.clusterCIDRs.map(parseCidr)
    .find((clusterCIDR) => cidr !== undefined && overlaps(clusterCIDR, cidr));
  if (cidr === undefined || whole === undefined) return [];
  // A wider one gives way to the routes of the podCIDRs.
  if (cidr.prefixLength < whole.prefixLength) return [];
  const hit = cluster.nodes.filter(({ podCIDRs }) =>
    podCIDRs.some((podCIDR) => {
      const pods = parseCidr(podCIDR);
      return cidr.prefixLength >= pods.prefixLength && overlaps(pods, cidr);
    })
  );
  const link = host.links.find(({ name }) => name === route.dev);
  const address = link?.addresses.find(({ address }) =>
    containsAddress(cidr, address)
  );
  // One that leads to the owner takes nothing away.
  if (hit.length > 0 && hit.every(({ address }) => address === route.via)) {
    return [];
  }
  // Of the address that makes such a route the check of the packet path tells.
  const isPods = cluster.nodes.some(({ podCIDRs }) =>
    podCIDRs.some((podCIDR) =>
      address !== undefined &&
      containsAddress(parseCidr(podCIDR), address.address)
    )
  );
  if (route.protocol === "kernel" && hit.length > 0 && isPods) return [];
  const command = route.protocol === "kernel" && address !== undefined
    ? cmd`ip addr del ${address.address}/${address.prefixLength} dev ${
      route.dev ?? ""
    }`
    : route.nhid !== undefined
    ? cmd`ip route del ${route.to} nhid ${route.nhid}`
    : cmd`ip route del ${
      route.type === undefined ? [] : [route.type]
    } ${route.to}`;
  // The node's own network stays: it is the pods' that has to be another.
  const isOwn = link !== undefined && route.protocol === "kernel" &&
    link.name === uplinkOf(host, node.addresses)?.name;
  return [{
    is: hit.length > 0 ? "fault" : "warning",
    what: hit.length > 0
      ? takenWords(
        node.name,
        { type: route.type, dst: route.to },
        hit.map(({ name }) => name).join(", "),
      )
      : `the network ${route.to} lies in the pod network: whoever is there ` +
        "and the pods cannot reach each other",
    evidence: [
      shownBy(context, cmd`ip -${family} route show exact ${route.to}`),
    ],
    remedies: isOwn
      ? [{
        say:
          `choose another clusterCIDR in ${context.cluster.file}, and make ` +
          "the cluster anew",
      }]
      : [onNode(node.name, command)],
  }];
}

export const routeChecks: readonly Check[] = [routes, overlap];
