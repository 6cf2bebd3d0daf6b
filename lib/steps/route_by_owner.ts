/** Stage 08 where the nodes keep the routes themselves: who can be a next hop. */
import { birdProtocol, routeProtocol, unknown } from "./probes.ts";
import { routesByDestination, wayAmong } from "./route_table.ts";
import type { Command, Outcome } from "../exec/command.ts";
import type { Answer, Probe } from "../stage/stage.ts";

/** Who owns a podCIDR. */
interface Owner {
  readonly name: string;
  /** The owner's address. */
  readonly via: string;
}

/**
 * Does the route to this podCIDR go by its owner? And, where it is still to be
 * made: is the owner on a segment of this node's, so that it can take a packet
 * which bears another address than its own? The kernel knows: `ip route get`
 * (ip-route(8)) names a gateway where there is one in between.
 *
 * @param ask waysQuestion(), which all steps of a node share
 * @param at which of the addresses that it asks for is the owner's
 */
export function routeByOwner(
  podCIDR: string,
  owner: Owner,
  ask: Command,
  at: number,
): Probe {
  return {
    ask,
    read: (outcome) =>
      readRoute(podCIDR, owner.via, outcome) ?? readWayTo(owner, at, outcome),
  };
}

/** What is to be said of the route as it is; undefined where it is to be made. */
function readRoute(
  podCIDR: string,
  via: string,
  outcome: Outcome,
): Answer | undefined {
  const routes = outcome.ended === undefined
    ? routesByDestination(outcome)
    : undefined;
  if (routes === undefined) {
    return unknown(outcome, `the route to ${podCIDR}`);
  }
  const route = routes.get(podCIDR);
  if (route === undefined) return undefined;
  const { gateway, protocol } = route;
  const ours = protocol === routeProtocol;
  const former = protocol === birdProtocol ? { former: true as const } : {};
  if (gateway === via) return { is: "present", ...(ours ? { ours } : former) };
  if (ours) return undefined;
  return {
    is: "different",
    found: `${podCIDR} is routed by ${gateway ?? "no gateway"} ` +
      `(proto ${protocol ?? "unknown"}), not by ${via}`,
    remedy:
      `remove that route (ip route del ${podCIDR}) if nothing needs it, ` +
      "and run this stage again",
    ...former,
  };
}

function readWayTo({ name, via }: Owner, at: number, outcome: Outcome): Answer {
  const way = wayAmong(outcome, at);
  if (way === undefined) return unknown(outcome, `the way to ${via}`);
  const whom = `${name} (${via})`;
  if (typeof way === "string") {
    return /unreachable|No route to host/i.test(way)
      ? unreached(whom, via)
      : unknown({ ...outcome, stderr: way }, `the way to ${via}`);
  }
  const gateway = way.gateway ?? way.via?.host;
  if (gateway !== undefined) return apart(whom, via, gateway);
  return way.type === "local" ? itself(whom, via) : { is: "absent" };
}

function apart(whom: string, via: string, gateway: string): Answer {
  return {
    is: "different",
    found: `${whom} is not on this node's segment: the kernel goes there by ` +
      `the gateway ${gateway}. A route by it would lose every packet, for the ` +
      "gateway does not know the pods",
    remedy: "look at `ip route get " + via +
      "`; then correct the node's address in the cluster file, " +
      "put the nodes on one segment, take tunnels between them (routes: vxlan), " +
      "let the nodes tell each other and the router (routes: bgp), " +
      "or let the router in between keep the routes: by hand, " +
      "or, for machines that stage 01 makes in a cloud, with routes: aws or routes: gcp",
  };
}

/** Without its own link or address a node has no way, to whatever segment. */
function unreached(whom: string, via: string): Answer {
  return {
    is: "different",
    found:
      `${whom} is not reached from this node: the kernel has no way there. ` +
      "No route can go by it",
    remedy: "look at `ip addr` and `ip route get " + via +
      "`: this node's link is gone, down, or without its address (in a lab, " +
      "01-provision makes a machine anew that has lost its link); " +
      "or correct the other node's address in the cluster file",
  };
}

function itself(whom: string, via: string): Answer {
  return {
    is: "different",
    found:
      `${whom} is not another machine: the kernel says that this address ` +
      "is the node's own. A route by it would lead nowhere",
    remedy: "look at `ip addr show to " + via +
      "`; then take the address from this node, or correct the other node's " +
      "in the cluster file",
  };
}
