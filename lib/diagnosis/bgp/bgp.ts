/** What is wrong with a node's BGP sessions, in bird's words, and with what comes by them. Pure. */
import { readSessions } from "../../bgp/seen_sessions.ts";
import {
  type BgpSession,
  reflectorsOf,
  sessionsOf,
} from "../../cluster/bgp_sessions.ts";
import type { Cluster, ClusterNode } from "../../cluster/cluster.ts";
import { shareSegment } from "../../cluster/segments.ts";
import type { Asked } from "../../node/batch.ts";
import type { Cause } from "../cause.ts";
import { announcedFault, isDue, readRefused } from "./announced_fault.ts";
import { type BgpAnswer, isWholeBgp, readBgp } from "./answer.ts";
import { birdFault, confDrift, passwordDrift } from "./bird_fault.ts";
import { downSessions } from "./down_sessions.ts";
import type { KnownBy } from "./session_fault.ts";

/** Something wrong with a node's sessions. */
interface BgpFault {
  /** The sessions that are down. */
  readonly sessions?: readonly BgpSession[];
  /**
   * No session can be, some are down, the node is not as stage 08 left it, or a
   * route was refused.
   */
  readonly is: "bird" | "down" | "drift" | "refused";
  /** Whose podCIDRs somebody else announces. */
  readonly owners?: readonly string[];
  /** By what is known why sessions are down. */
  readonly by?: KnownBy;
  readonly cause: Cause;
}

/** What the node's answer says that is wrong, likeliest first. */
export function bgpFaults(
  cluster: Cluster,
  node: ClusterNode,
  asked: Asked,
): readonly BgpFault[] {
  if (!isWholeBgp(asked)) return [];
  const answer = readBgp(cluster, node, asked);
  const bird = birdFault(answer);
  if (bird !== undefined) return [{ is: "bird", cause: bird }];
  const sessions = sessionsOf(cluster, node);
  const seen = readSessions(answer.lines("session").join("\n"));
  const drift = passwordDrift(answer) ?? confDrift(answer);
  const down = downSessions(answer, sessions, seen, drift)
    .map((found): BgpFault => ({ ...found, is: "down" }));
  return [
    ...down,
    // Else the sessions that are down have told it.
    ...(drift === undefined || down.length > 0
      ? []
      : [{ is: "drift", cause: drift } as const]),
    ...refused(answer, sessions),
  ];
}

function refused(
  answer: BgpAnswer,
  sessions: readonly BgpSession[],
): readonly BgpFault[] {
  const routes = readRefused(answer.lines("filtered").join("\n"))
    .filter((route) => !isDue(answer, route, sessions));
  const names = [...new Set(routes.map(({ session }) => session))];
  return names.map((name): BgpFault => {
    const own = routes.filter(({ session }) => session === name);
    const to = own.map(({ to }) => to);
    return { ...announcedFault(answer, name, to, sessions), is: "refused" };
  });
}

/**
 * The fault of BGP that keeps the routes of two nodes from each other.
 *
 * @param ends the nodes with the addresses of the family that is looked at
 */
export function bgpFaultBetween(
  cluster: Cluster,
  ends: readonly (readonly [ClusterNode, Asked | undefined])[],
): Cause | undefined {
  const names = ends.map(([{ name }]) => name);
  const faults = ends.flatMap(([node, asked]) =>
    asked === undefined ? [] : bgpFaults(cluster, node, asked)
      .filter((fault) => matters(fault, { cluster, node, asked, names, ends }))
  );
  const order = ["bird", "own", "said", "drift", "refused", "guess"];
  const rank = ({ is, by }: BgpFault) => order.indexOf(by ?? is);
  return faults.toSorted((one, other) => rank(one) - rank(other))[0]?.cause;
}

/** Whether it can be what keeps the routes of these two from each other. */
function matters(
  { is, sessions, owners = [] }: BgpFault,
  { cluster, node, asked, names, ends }: {
    readonly cluster: Cluster;
    readonly node: ClusterNode;
    readonly asked: Asked;
    readonly names: readonly string[];
    readonly ends: readonly (readonly [ClusterNode, Asked | undefined])[];
  },
): boolean {
  if (is === "refused") return owners.some((name) => names.includes(name));
  if (sessions === undefined) return true;
  const far = ends.find(([{ name }]) => name !== node.name)?.[0];
  if (far === undefined) return false;
  return sessions.some((session) => {
    // A router has to know of the pods where it is between the two.
    if (session.node === undefined) return !shareSegment(cluster, node, far);
    const isTheirs = names.includes(session.node) ||
      reflectorsOf(cluster).includes(session.node);
    return isTheirs && !knows(readBgp(cluster, node, asked), far);
  });
}

/** Whether a node's kernel has the way to another's pods, from whichever session. */
function knows({ lines }: BgpAnswer, { podCIDRs }: ClusterNode): boolean {
  const routes = lines("route").map((line) => line.split(" ")[0] ?? "");
  return podCIDRs.every((podCIDR) => routes.includes(podCIDR));
}
