/** What a session brought that a node does not take. Pure. */
import { containsCidr, parseCidr } from "../../net/cidr.ts";
import type { BgpSession } from "../../cluster/bgp_sessions.ts";
import type { ClusterNode } from "../../cluster/cluster.ts";
import { cmd } from "../../exec/command.ts";
import { someNames } from "../../text/some_names.ts";
import type { Cause } from "../cause.ts";
import { makeStage } from "../remedy.ts";
import { type BgpAnswer, firstLines, printedOn } from "./answer.ts";
import { atFarEnd, whom } from "./session_fault.ts";

/** A route that a session brought, and that the node does not take. */
interface RefusedRoute {
  readonly to: string;
  readonly session: string;
}

/** Reads `birdc show route filtered`. */
export function readRefused(text: string): readonly RefusedRoute[] {
  let to = "";
  return text.split("\n").flatMap((line) => {
    const [, first, session] =
      /^(\S*\/\d+)? +(?:unicast|blackhole|unreachable|prohibit) \[(\S+) /
        .exec(line) ?? [];
    to = first ?? to;
    return session === undefined ? [] : [{ to, session }];
  });
}

/** What a session brought and must not. */
interface Announced {
  readonly cause: Cause;
  /** The nodes whose podCIDRs, or parts of them, are among it. */
  readonly owners: readonly string[];
}

/** How much of what one session brought is told in a sentence. */
const most = 4;

/** Names what came and must not, and who announces it. */
export function announcedFault(
  answer: BgpAnswer,
  session: string,
  routes: readonly string[],
  sessions: readonly BgpSession[],
): Announced {
  const { node } = answer;
  const from = sessions.find(({ name }) => name === session);
  const who = from === undefined ? session : whom(from);
  const far = from?.node;
  // What takes packets away from pods comes first.
  const owned = routes.filter((to) => ownerOf(answer, to) !== undefined);
  const others = routes.filter((to) => !owned.includes(to))
    .toSorted((one, other) => +!isDefault(one) - +!isDefault(other));
  const all = [...owned, ...others];
  const told = all.slice(0, most).map((to) => words(answer, to, far));
  const more = all.length - told.length;
  const owners = owned.flatMap((to) => ownerOf(answer, to)?.name ?? []);
  return {
    owners: [...new Set(owners)],
    cause: {
      kind: "bgp",
      on: node.name,
      what: `${who} announces ${told.join("; ")}${
        more > 0 ? `; and ${more} more` : ""
      }: ${node.name} does not take that`,
      evidence: [
        printedOn(
          answer,
          cmd`birdc -r show route filtered`,
          firstLines(all.map((to) => `${to} [${session}]`)),
        ),
      ],
      remedies: from === undefined
        ? [makeStage("08-routes", node.name)]
        : atFarEnd(answer, from)(`no longer announce ${someNames(all)}`),
    },
  };
}

function isDefault(to: string): boolean {
  return parseCidr(to).prefixLength === 0;
}

/**
 * Whether a session is to bring a route: where it is not taken, the node's own
 * configuration is not up to date, and that is told.
 */
export function isDue(
  { cluster: { whole, ...one } }: BgpAnswer,
  { to, session }: RefusedRoute,
  sessions: readonly BgpSession[],
): boolean {
  const from = sessions.find(({ name }) => name === session);
  return (whole ?? one).nodes.some(({ name, podCIDRs }) =>
    name === from?.node && podCIDRs.includes(to)
  );
}

/** The node whose podCIDR a route is, or lies in. */
function ownerOf(
  { cluster: { whole, ...one } }: BgpAnswer,
  to: string,
): ClusterNode | undefined {
  const cidr = parseCidr(to);
  return (whole ?? one).nodes.find(({ podCIDRs }) =>
    podCIDRs.some((podCIDR) => containsCidr(parseCidr(podCIDR), cidr))
  );
}

function words(
  answer: BgpAnswer,
  to: string,
  far: string | undefined,
): string {
  const { clusterCIDRs } = answer.cluster.whole ?? answer.cluster;
  const cidr = parseCidr(to);
  if (isDefault(to)) return `a default route (${to})`;
  const owner = ownerOf(answer, to);
  if (owner === undefined) {
    const isPods = clusterCIDRs.some((whole) =>
      containsCidr(parseCidr(whole), cidr)
    );
    return isPods
      ? `${to}, which is of the pod network and no node's podCIDR`
      : `${to}, which is not of the pod network (${clusterCIDRs.join(", ")})`;
  }
  const isWhole = owner.podCIDRs.includes(to);
  if (owner.name === far) {
    return `${to}, a part of its podCIDR and not all of it`;
  }
  return isWhole
    ? `${to}, which is ${owner.name}'s podCIDR, as ${owner.name} does`
    : `${to}, which is a part of ${owner.name}'s podCIDR`;
}
