/** A packet that ends between the machines of a lab with several segments. Pure. */
import type { Cause } from "../../diagnosis/cause.ts";
import { routerWidth } from "../../diagnosis/segments/router_width.ts";
import { type SegmentWay, waysBetween } from "../../diagnosis/segments/way.ts";
import { ownFacts } from "../../diagnosis/segments/own_way.ts";
import { wayFault } from "../../diagnosis/segments/way_fault.ts";
import type { End } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import type { Stop } from "../packet_path.ts";

/**
 * What keeps the two ends' machines from reaching each other at all, where the
 * packet has left the first one's pods, or another machine has it.
 */
export function lostBetweenSegments(
  stop: Stop,
  sender: End,
  receiver: End,
  findings: TraceFindings,
): Cause | undefined {
  const { cluster, facts, router } = findings;
  if (!isBetween(stop, sender, receiver, findings)) return undefined;
  return wayFault(
    cluster,
    waysOf(sender, receiver, findings),
    router,
    (name) => {
      const { kernel = [] } = facts.get(name) ?? {};
      return ownFacts(kernel.find(({ space }) => space.pod === undefined));
    },
  );
}

/** A link of the router that loses packets of full length. */
export function narrowBetweenSegments(
  findings: TraceFindings,
): Cause | undefined {
  const { cluster, router, from, to } = findings;
  return routerWidth(cluster, waysOf(from, to, findings), router);
}

function isBetween(
  stop: Stop,
  sender: End,
  receiver: End,
  { cluster }: TraceFindings,
): boolean {
  switch (stop.is) {
    case "lost":
      return stop.from.place.pod === undefined &&
        stop.from.left?.out !== cluster.bridge;
    case "unsent":
      return stop.at.pod === undefined;
    case "unrouted":
      return stop.at.place.machine !== sender.machine &&
        stop.at.place.machine !== receiver.machine;
    // What dropped or took it is known.
    case "dropped":
    case "taken":
      return false;
  }
}

function waysOf(
  sender: End,
  receiver: End,
  { cluster }: TraceFindings,
): readonly SegmentWay[] {
  const [one, other] = [sender, receiver].map(({ machine }) =>
    cluster.nodes.find(({ name }) => name === machine)
  );
  if (one !== undefined && other !== undefined) {
    const hasPod = sender.pod !== undefined || receiver.pod !== undefined;
    return waysBetween(cluster, one, other, hasPod);
  }
  // The outside host, or what is behind it.
  const node = one ?? other;
  const end = one === undefined ? sender : receiver;
  const { machine: name = end.address, address } = end;
  return node === undefined ? [] : [{ from: node, to: { name, address } }];
}
