/** What a session brought that a node does not take. Pure. */
import { containsCidr, parseCidr } from "../../net/cidr.ts";
import type { BgpSession } from "../../cluster/bgp_sessions.ts";
import { cmd } from "../../exec/command.ts";
import type { Cause } from "../cause.ts";
import { makeStage } from "../remedy.ts";
import { type BgpAnswer, shown } from "./answer.ts";
import { whom } from "./session_fault.ts";

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

/** Names what came and must not, and who announces it. */
export function announcedFault(
  answer: BgpAnswer,
  { to, session }: RefusedRoute,
  sessions: readonly BgpSession[],
): Cause {
  const { node } = answer;
  const from = sessions.find(({ name }) => name === session);
  const who = from === undefined ? session : whom(from);
  const far = from?.node;
  return {
    kind: "bgp",
    on: node.name,
    what: `${who} announces ${words(answer, to, far)}; ${node.name} does not ` +
      "take it",
    evidence: [
      shown(answer, cmd`birdc -r show route filtered`, `${to} [${session}]`),
    ],
    remedies: far === undefined
      ? [{ say: `let ${who} no longer announce ${to}` }]
      : [makeStage("08-routes", far)],
  };
}

function words(
  { cluster: { whole, ...one } }: BgpAnswer,
  to: string,
  far: string | undefined,
): string {
  const { nodes, clusterCIDRs } = whole ?? one;
  const cidr = parseCidr(to);
  if (cidr.prefixLength === 0) return `a default route (${to})`;
  const owner = nodes.find(({ podCIDRs }) =>
    podCIDRs.some((podCIDR) => containsCidr(parseCidr(podCIDR), cidr))
  );
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
