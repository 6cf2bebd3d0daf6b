/** Which chains of which nodes the packets of a path meet. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { type Path, startsAtPod } from "./matrix.ts";
import type { Packet } from "../net/iptables.ts";

/** A packet of a path at one node. */
export interface Hop {
  readonly node: string;
  readonly chain: "INPUT" | "FORWARD" | "OUTPUT";
  readonly packet: Packet;
}

/** The addresses of a path's ends, as its packets carry them. */
interface Ends {
  readonly source: string;
  readonly destination: string;
  /** The source as the far node sees it, where it was rewritten on the way. */
  readonly rewritten: string;
}

/**
 * The packets of a path, there and back, at each node's filter.
 *
 * @param link the name of a node's link to the other nodes
 */
export function packetsOfPath(
  path: Path,
  ends: Ends,
  { bridge }: Pick<Cluster, "bridge">,
  link: (node: string) => string,
): readonly Hop[] {
  const { kind, from, to } = path;
  const { source, destination, rewritten } = ends;
  const there = (
    node: string,
    chain: Hop["chain"],
    links: Pick<Packet, "in" | "out">,
    seenAs = source,
  ): Hop => ({
    node,
    chain,
    packet: { source: seenAs, destination, ...links, reply: false },
  });
  const forward: Hop[] = (() => {
    switch (kind) {
      case "pod-to-own-node":
        return [there(from, "INPUT", { in: bridge })];
      case "pod-to-pod-same-node":
        return [there(from, "FORWARD", { in: bridge, out: bridge })];
      case "node-to-own-pod":
        return [there(from, "OUTPUT", { out: bridge })];
      case "pod-to-outside":
        return [there(from, "FORWARD", { in: bridge, out: link(from) })];
      case "pod-to-other-node":
        return [
          there(from, "FORWARD", { in: bridge, out: link(from) }),
          there(to, "INPUT", { in: link(to) }, rewritten),
        ];
      case "pod-to-pod-other-node":
        return [
          there(from, "FORWARD", { in: bridge, out: link(from) }),
          there(to, "FORWARD", { in: link(to), out: bridge }, rewritten),
        ];
      case "node-to-other-pod":
        return [
          there(from, "OUTPUT", { out: link(from) }),
          there(to, "FORWARD", { in: link(to), out: bridge }),
        ];
    }
  })();
  return [...forward, ...forward.toReversed().map(back)];
}

/** The answer to a packet, where the packet was seen. */
function back({ node, chain, packet }: Hop): Hop {
  const opposite = { INPUT: "OUTPUT", OUTPUT: "INPUT", FORWARD: "FORWARD" };
  const { in: inLink, out } = packet;
  return {
    node,
    chain: opposite[chain] as Hop["chain"],
    packet: {
      source: packet.destination,
      destination: packet.source,
      ...(out === undefined ? {} : { in: out }),
      ...(inLink === undefined ? {} : { out: inLink }),
      reply: true,
    },
  };
}

/** The places on a path at which its source may be rewritten: where it leaves a node. */
export function leavings(path: Path, hops: readonly Hop[]): readonly Hop[] {
  return hops.filter(({ packet, chain }) =>
    !packet.reply && chain !== "INPUT" &&
    (startsAtPod(path) || packet.out !== undefined)
  );
}
