/** Stage 08 where the nodes keep the routes themselves: who can be a next hop. */
import { familyOf } from "../net/cidr.ts";
import { cmd } from "../exec/command.ts";
import { routeIs, unknown } from "./probes.ts";
import type { Answer, Probe } from "../stage/stage.ts";

const script = 'ip "$1" -j route show exact "$2" && ip "$1" -j route get "$3"';

/**
 * Does the route to this podCIDR go by its owner? And, where it is still to be
 * made: is the owner on a segment of this node's, so that it can take a packet
 * which bears another address than its own? The kernel knows: `ip route get`
 * (ip-route(8)) names a gateway where there is one in between.
 *
 * @param owner the owner's name, for the message
 * @param via the owner's address
 */
export function routeByOwner(
  podCIDR: string,
  owner: string,
  via: string,
): Probe {
  const family = familyOf(podCIDR) === 6 ? "-6" : "-4";
  return {
    ask: cmd`sh -c ${script} ask ${family} ${podCIDR} ${via}`,
    read(outcome) {
      const [shown = "", way = ""] = outcome.stdout.trim().split("\n");
      // The second question may fail by itself; then the first has its answer.
      const asked = shown === "" ? outcome : { ...outcome, code: 0 };
      const answer = outcome.ended === undefined
        ? routeIs(podCIDR, via).read({ ...asked, stdout: shown })
        : unknown(outcome, `the route to ${podCIDR}`);
      if (answer.is !== "absent") return answer;
      if (/unreachable|No route to host/i.test(outcome.stderr)) {
        return apart(owner, via, "has no way there");
      }
      if (outcome.code !== 0) return unknown(outcome, `the way to ${via}`);
      return readWay(way, owner, via) ?? answer;
    },
  };
}

interface Way {
  readonly type?: string;
  readonly gateway?: string;
  /** A next hop of the other family. */
  readonly via?: { readonly host?: string };
}

function readWay(text: string, owner: string, via: string): Answer | undefined {
  let ways: readonly Way[];
  try {
    ways = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { is: "unknown", reason: `cannot tell the way to ${via}: ${text}` };
  }
  const gateway = ways[0]?.gateway ?? ways[0]?.via?.host;
  if (gateway !== undefined) {
    return apart(owner, via, `goes there by the gateway ${gateway}`);
  }
  return ways[0]?.type === "local"
    ? apart(owner, via, "says that this address is the node's own")
    : undefined;
}

function apart(owner: string, via: string, how: string): Answer {
  return {
    is: "different",
    found:
      `${owner} (${via}) is not on this node's segment: the kernel ${how}. ` +
      "A route by it would lose every packet, for the gateway does not know the pods",
    remedy: "look at `ip route get " + via +
      "`; then correct the node's address in the cluster file, " +
      "put the nodes on one segment, take tunnels between them (routes: vxlan), " +
      "or let the router in between keep the routes: by hand, " +
      "or, for machines that stage 01 makes in a cloud, with routes: aws or routes: gcp",
  };
}
