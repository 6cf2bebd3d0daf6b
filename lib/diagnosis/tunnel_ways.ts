/** Where a node's own routes lead what is for the far end of a tunnel. Pure. */
import { readList } from "../net/ip_json.ts";
import { tunnelLink } from "../net/vxlan.ts";
import type { ClusterNode } from "../cluster/cluster.ts";
import { cmd, type Command } from "../exec/command.ts";
import type { Cause } from "./cause.ts";
import { makeStage, onNode, type Remedy } from "./remedy.ts";
import { type FibRoute, refusalType, routeText } from "./routing_policy.ts";
import { shownOf, type TunnelAnswer } from "./tunnel_causes.ts";

/**
 * That the node sends what is for a far end past the tunnel, or the tunnel's own
 * packets nowhere.
 *
 * @param end the far end's address in the tunnel
 */
export function wayAstray(
  known: TunnelAnswer,
  far: ClusterNode,
  end: string,
): Cause | undefined {
  const { node, cluster } = known;
  const address = far.vtep ?? far.address;
  const inner = answerTo(known, "inner", end);
  const route = readList<FibRoute>(inner ?? "")[0];
  if (inner !== undefined && route?.dev !== tunnelLink) {
    return wayCause(
      known,
      `${end}, ${far.name}'s end of the tunnel`,
      cmd`ip -j route get fibmatch ${end}`,
      inner,
      `does not go by ${tunnelLink}`,
    );
  }
  const outer = answerTo(known, "outer", end);
  const found = readList<FibRoute>(outer ?? "")[0];
  if (
    outer === undefined || found !== undefined && found.dev !== tunnelLink
  ) return undefined;
  const { port = 0 } = cluster.vxlan ?? {};
  return wayCause(
    known,
    `${address}, ${far.name}, in UDP packets to port ${port}`,
    cmd`ip -j route get fibmatch ${address} from ${
      node.vtep ?? node.address
    } ipproto udp dport ${port}`,
    outer,
    "goes into the tunnel itself",
  );
}

/** What the kernel said of the way to this end; undefined where it was not asked. */
function answerTo(
  { lines }: TunnelAnswer,
  name: string,
  end: string,
): string | undefined {
  const line = lines(name).find((line) => line.startsWith(`${end} `));
  return line?.slice(end.length + 1).trim();
}

function wayCause(
  known: TunnelAnswer,
  what: string,
  asked: Command,
  said: string,
  elsewhere: string,
): Cause {
  const { node: { name: on } } = known;
  const route = readList<FibRoute>(said)[0];
  const refused = route === undefined || route.type !== undefined &&
      route.type !== "unicast"
    ? route?.type ?? refusalType(said) ?? "no route"
    : undefined;
  return {
    kind: "route",
    on,
    what: `what ${on} sends to ${what}, ` +
      (refused !== undefined
        ? `goes nowhere: the kernel refuses it (${refused})`
        : `${elsewhere}: its route is "${routeText(route!)}"`),
    evidence: [shownOf(known, asked, said)],
    remedies: [...mends(on, route, said), makeStage("08-routes", on)],
  };
}

/** What takes away the route, or shows which one, or which rule, it is. */
function mends(
  on: string,
  route: FibRoute | undefined,
  said: string,
): readonly Remedy[] {
  if (route !== undefined && route.dst !== "default") {
    return [onNode(on, cmd`ip route del ${routeText(route).split(" ")}`)];
  }
  const type = refusalType(said);
  if (type === undefined) return [];
  return [{
    say:
      `on ${on}, remove the route of the type ${type} (ip route show table ` +
      `all type ${type}) or the rule of that action (ip rule) that is about it`,
  }];
}
