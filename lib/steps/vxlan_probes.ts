/** Stage 08 where tunnels join the nodes: what the kernel has of them. */
import { familyOf } from "../net/cidr.ts";
import { parseIpList } from "../net/ip_json.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { cmd, type Command, type Outcome } from "../exec/command.ts";
import type { Answer, Probe } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";
import { askLink, birdProtocol, routeProtocol, unknown } from "./probes.ts";
import { routesByDestination, routesQuestion } from "./route_table.ts";

/** What a node's end of the tunnels has to be. */
interface TunnelEnd {
  readonly vni: number;
  readonly port: number;
  /** The node's own address, from which the UDP packets come. */
  readonly local: string;
  readonly mac: string;
}

/** A link as `ip -j -d` tells it, in what is asked here. */
export interface TunnelLink {
  readonly flags?: readonly string[];
  readonly ifalias?: string;
  readonly mtu?: number;
  readonly address?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: {
      readonly id?: number;
      readonly port?: number;
      readonly local?: string;
      readonly local6?: string;
      readonly learning?: boolean;
    };
  };
}

/** Nothing is there of a link that is absent: neither entries nor addresses. */
function noLink({ ended, stderr }: Outcome): boolean {
  // ip exits with 1, bridge with 255.
  return ended === undefined &&
    /does not exist|Cannot find device/.test(stderr);
}

/**
 * What of a tunnel's end is not as it should be, in words; none where all is.
 *
 * @param link as `ip -j -d link` tells it
 */
export function otherwise(link: TunnelLink, end: TunnelEnd): string[] {
  const { id, port, local, local6, learning } = link.linkinfo?.info_data ?? {};
  const own = local ?? local6;
  return [
    ...(id === end.vni ? [] : [`its VNI is ${id}, not ${end.vni}`]),
    ...(port === end.port ? [] : [`its port is ${port}, not ${end.port}`]),
    ...(own === end.local ? [] : [
      `its packets come from ${
        own ?? "any address of the node"
      }, not from ${end.local}`,
    ]),
    ...(link.address === end.mac
      ? []
      : [`its MAC is ${link.address}, not ${end.mac}`]),
    ...(learning ? ["it learns where MACs are from what comes in"] : []),
  ];
}

/** Is there a tunnel's end of ours, as it should be? */
export function tunnelIs(end: TunnelEnd): Probe {
  return {
    ask: askLink(tunnelLink),
    read(outcome) {
      if (noLink(outcome)) return { is: "absent" };
      const [link] = outcome.code === 0
        ? parseIpList<TunnelLink>(outcome.stdout) ?? []
        : [];
      if (link === undefined) {
        return unknown(outcome, `whether ${tunnelLink} exists`);
      }
      const kind = link.linkinfo?.info_kind ?? "link without a kind";
      const remove = `remove it (ip link del ${tunnelLink})`;
      if (kind !== "vxlan" || ![undefined, mark].includes(link.ifalias)) {
        return {
          is: "different",
          found: `${tunnelLink} is a ${kind} that this tool did not make`,
          remedy: `${remove} if nothing needs it, and run this stage again`,
        };
      }
      const wrong = otherwise(link, end);
      if (wrong.length > 0) {
        return {
          is: "different",
          found: `${tunnelLink} is not as this stage makes it: ${
            wrong.join("; ")
          }`,
          remedy: `${remove}, and run this stage again`,
          ...(link.ifalias === mark ? { former: true } : {}),
        };
      }
      return link.ifalias === mark ? { is: "present", ours: true } : {
        is: "unmarked",
        found: `${tunnelLink} is a vxlan that this tool did not make`,
        remedy: `${remove} if nothing needs it, and run this stage again`,
      };
    },
  };
}

/** Has the tunnel's end this MTU? */
export function tunnelMtuIs(mtu: number): Probe {
  return {
    ask: askLink(tunnelLink),
    read(outcome) {
      if (noLink(outcome)) return { is: "absent" };
      const [link] = outcome.code === 0
        ? parseIpList<TunnelLink>(outcome.stdout) ?? []
        : [];
      if (link === undefined) {
        return unknown(outcome, `the MTU of ${tunnelLink}`);
      }
      return link.mtu === mtu ? { is: "present" } : { is: "absent" };
    },
  };
}

interface Entry {
  readonly lladdr?: string;
  readonly mac?: string;
  readonly dst?: string;
  readonly state?: string | readonly string[];
}

const neighbours = cmd`ip -j neigh show dev ${tunnelLink} nud permanent`;
const forwarding = cmd`bridge -j fdb show dev ${tunnelLink}`;

/** Does the kernel know the MAC of another node's end, so that it need not ask? */
export function neighbourIs(address: string, mac: string): Probe {
  return entryIs(
    neighbours,
    `the MAC of ${address}`,
    ({ dst, lladdr }) => dst === address && lladdr === mac,
  );
}

/** Does the tunnel's end know to which node frames for this MAC go? */
export function forwardingEntryIs(mac: string, node: string): Probe {
  return entryIs(
    forwarding,
    `where ${mac} is`,
    (entry) =>
      entry.mac === mac && entry.dst === node &&
      [entry.state].flat().includes("permanent"),
  );
}

/** @param ask for all entries, so that it is asked once */
function entryIs(
  ask: Command,
  what: string,
  isRight: (entry: Entry) => boolean,
): Probe {
  return {
    ask,
    read(outcome) {
      if (noLink(outcome)) return { is: "absent" };
      const entries = outcome.code === 0 ? entriesIn(outcome) : undefined;
      if (entries === undefined) return unknown(outcome, what);
      return entries.some(isRight) ? { is: "present", ours: true } : {
        is: "absent",
      };
    },
  };
}

const read = new WeakMap<Outcome, readonly Entry[] | undefined>();

/** Each of a thousand steps reads the same thousand entries. */
function entriesIn(outcome: Outcome): readonly Entry[] | undefined {
  if (!read.has(outcome)) {
    read.set(outcome, parseIpList<Entry>(outcome.stdout));
  }
  return read.get(outcome);
}

/** Does the route to this podCIDR go through the tunnel, to its owner's end? */
export function routeThroughTunnel(podCIDR: string, end: string): Probe {
  return {
    ask: routesQuestion(familyOf(podCIDR)),
    read(outcome): Answer {
      const routes = routesByDestination(outcome);
      if (routes === undefined) {
        return unknown(outcome, `the route to ${podCIDR}`);
      }
      const route = routes.get(podCIDR);
      if (route === undefined) return { is: "absent" };
      const { gateway, dev, protocol } = route;
      if (protocol !== routeProtocol) {
        return {
          is: "different",
          found: `${podCIDR} is routed by ${gateway ?? dev ?? "no gateway"} ` +
            `(proto ${protocol ?? "unknown"}), not through ${tunnelLink}`,
          remedy:
            `remove that route (ip route del ${podCIDR}) if nothing needs it, ` +
            "and run this stage again",
          ...(protocol === birdProtocol ? { former: true } : {}),
        };
      }
      return dev === tunnelLink && gateway === end
        ? { is: "present", ours: true }
        : { is: "absent" };
    },
  };
}
