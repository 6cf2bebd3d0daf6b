/** An obstacle as the cause of a path that does not work, and a path's packets. Pure. */
import type { Cause, CauseKind } from "../cause.ts";
import type { Flow, Obstacle, ObstacleKind } from "./obstacle.ts";

/** Those kinds that have a name of their own among causes. */
const named: Readonly<Partial<Record<ObstacleKind, CauseKind>>> = {
  address: "duplicate-address",
  iptables: "rule",
  nat: "masquerade",
  neighbour: "neighbour",
  nft: "rule",
  "nft-forward": "rule",
  "pod-address": "pod-address",
  "pod-route": "pod-route",
  route: "route",
  "routing-rule": "routing-rule",
  setting: "setting",
  source: "pod-route",
  veth: "pod-link",
};

/** The cause of a path's not working that an obstacle is. */
export function obstacleCause(
  { kind, space, what, evidence, remedies }: Obstacle,
): Cause {
  const cause = named[kind] ?? "packet-path";
  return { kind: cause, on: space.node, what, evidence, remedies };
}

/**
 * A path's packets and their answers.
 *
 * @param sources the sender's address, and what it is rewritten to
 */
export function flowsBetween(
  sources: readonly string[],
  destination: string,
): { readonly there: readonly Flow[]; readonly back: readonly Flow[] } {
  const distinct = [...new Set(sources)].filter((one) => one !== destination);
  return {
    there: distinct.map((source) => ({ source, destination, reply: false })),
    back: distinct.map((source) => (
      { source: destination, destination: source, reply: true }
    )),
  };
}
