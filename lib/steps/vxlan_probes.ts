/** Stage 08 where tunnels join the nodes: what a node has of the far ends. */
import { familyOf } from "../net/cidr.ts";
import { parseIpList } from "../net/ip_json.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { cmd, type Command, type Outcome } from "../exec/command.ts";
import type { Answer, Probe } from "../stage/stage.ts";
import { birdProtocol, routeProtocol, unknown } from "./probes.ts";
import { routesByDestination, routesQuestion } from "./route_table.ts";
import { noLink } from "./vxlan_link.ts";

interface Neighbour {
  readonly lladdr?: string;
  readonly dst?: string;
}

/** An entry as `bridge -j fdb` tells it. */
export interface ForwardingEntry {
  readonly mac?: string;
  readonly dst?: string;
  readonly state?: string | readonly string[];
  /** What is the link's own where an entry does not say (bridge(8)). */
  readonly port?: number;
  readonly vni?: number;
  readonly viaIf?: string;
}

type Entry = Neighbour & ForwardingEntry;

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
      entry.mac === mac && entry.dst === node && astray(entry) === undefined &&
      [entry.state].flat().includes("permanent"),
  );
}

/** By what an entry's frames go another way than the link's; undefined where they do not. */
export function astray(
  { port, vni, viaIf }: ForwardingEntry,
): string | undefined {
  const own = { port, vni, via: viaIf };
  const words = Object.entries(own).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`]
  );
  return words.length === 0 ? undefined : words.join(" ");
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
