/** Why a packet ends where it ends, and what mends it. Pure. */
import { outsideName } from "../../lab/names.ts";
import {
  bridgeAddressFault,
  bridgeFault,
  forwardingFault,
  masqueradeFault,
  segmentFault,
} from "../../diagnosis/faults.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import type { NodeFacts } from "../../diagnosis/evidence.ts";
import { settingFault } from "../../diagnosis/setting_faults.ts";
import {
  duplicateFault,
  gatewayFault,
  placeOf,
  rememberedFault,
  strangeGateway,
  takenFault,
} from "./links.ts";
import {
  misrouted,
  outsideHasNoWay,
  passedBy,
  reversePathFault,
  wayMissing,
} from "./routes.ts";
import { droppedBy, rewrittenFault, unseenDrop } from "./rules.ts";
import { mtuFault } from "./mtu.ts";
import {
  nobodyHasIt,
  noPodHasIt,
  silent,
  unansweredCause,
  unexplained,
} from "./receiver.ts";
import {
  answerObstacle,
  dropObstacle,
  farObstacle,
  lengthObstacle,
  lossyObstacle,
  obstacleFault,
} from "./obstacle.ts";
import { oneAddressFault, ownSourceFault } from "./own_source.ts";
import { factsAt, plugged, settingAt } from "./place_faults.ts";
import { kernelRouteOf } from "../kernel_routes.ts";
import { lifetimeFault, redirectFault, untrackedFault } from "./altered.ts";
import { lostBetweenSegments } from "./segments.ts";
import { policyRoutingFault } from "./policy_routing.ts";
import type { End, Place } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import type { Stop } from "../packet_path.ts";

/** One direction: who sends, who receives. */
interface Direction {
  readonly is: "there" | "back";
  readonly sender: End;
  readonly receiver: End;
}

/** The likeliest cause of what is wrong; undefined when nothing is. */
export function causeOf(findings: TraceFindings): Cause | undefined {
  const { followed: { there, back, sending, answered }, from, to } = findings;
  if (!answered && sending.kind === "full-mtu") {
    return lengthObstacle(findings) ?? duplicateFault(findings) ??
      mtuFault(findings);
  }
  const one = oneAddressFault(findings);
  if (one !== undefined) return one;
  const redirected = redirectFault(findings);
  if (redirected !== undefined) return redirected;
  const far = answered ? undefined : farObstacle(findings);
  if (far !== undefined) return far;
  const ways = [
    [there, { is: "there", sender: from, receiver: to }],
    [back, { is: "back", sender: to, receiver: from }],
  ] as const;
  for (const [way, direction] of ways) {
    if (way.stop === undefined) continue;
    const { sender, receiver } = direction;
    const altered = policyRoutingFault(way, sender, receiver, findings) ??
      lifetimeFault(way, receiver, findings) ??
      (direction.is === "back" ? untrackedFault(findings) : undefined) ??
      strangeGateway(findings) ?? passedBy(way, receiver, findings);
    if (altered !== undefined) return altered;
    // Another machine may have answered in the receiver's place.
    for (const suspect of suspects(way.stop, direction, findings)) {
      if (suspect !== undefined) return suspect;
    }
    return obstacleFault(way.stop, direction.is === "back", findings) ??
      unexplained(way.stop, direction.receiver, findings);
  }
  return rewrittenFault(findings) ?? duplicateFault(findings) ??
    strangeGateway(findings) ??
    (answered
      ? undefined
      : untrackedFault(findings) ?? lossyObstacle(findings) ??
        unansweredCause(findings));
}

function* suspects(
  stop: Stop,
  direction: Direction,
  findings: TraceFindings,
): Generator<Cause | undefined> {
  const { sender, receiver } = direction;
  yield lostBetweenSegments(stop, sender, receiver, findings);
  switch (stop.is) {
    case "dropped":
      yield dropObstacle(stop, direction.is === "back", findings) ??
        droppedBy(stop, findings);
      return;
    case "unsent":
      yield* unsent(stop.at, direction, findings);
      return;
    case "taken":
      yield takenFault(stop.at, direction.receiver, findings);
      return;
    case "unrouted":
      yield* unrouted(stop, direction, findings);
      return;
    case "lost":
      yield* lost(stop, direction, findings);
  }
}

/** A program's packet did not leave its own machine or pod, or there was none. */
function* unsent(
  place: Place,
  { is, receiver }: Direction,
  findings: TraceFindings,
): Generator<Cause | undefined> {
  const facts = factsAt(findings, place);
  if (facts !== undefined) {
    yield bridgeFault(facts, findings.cluster);
    yield settingAt(facts, findings, "disable_ipv6");
    yield plugged(place, findings, true);
    if (place.pod === undefined) {
      yield segmentFault(facts, findings.cluster);
    }
  }
  if (is === "there") {
    yield* wayMissing(place, receiver, findings);
    const isOutside = place.machine === outsideName;
    if (isOutside) yield outsideHasNoWay(place, receiver, findings);
    return;
  }
  yield* answerless(place, receiver, findings);
}

/** The receiver took the packet and did not send an answer. */
function* answerless(
  place: Place,
  asker: End,
  findings: TraceFindings,
): Generator<Cause | undefined> {
  const { there } = findings.followed;
  yield ownSourceFault(place, asker, findings);
  const seen = there.passages.at(-1)?.taken?.source;
  const answers = findings.answersOf(place);
  if (seen !== undefined && kernelRouteOf(answers, seen) === undefined) {
    const asking = asker.machine && findings.facts.get(asker.machine);
    if (seen === asker.address && asker.pod !== undefined && asking) {
      yield masqueradeFault(asking);
    }
    yield* wayMissing(place, asker, findings);
  }
  yield answerObstacle(place, findings);
  yield silent(place, findings);
}

/** It came to a machine, which did not send it on. */
function* unrouted(
  { at }: Stop & { readonly is: "unrouted" },
  direction: Direction,
  findings: TraceFindings,
): Generator<Cause | undefined> {
  const { place, came } = at;
  const facts = factsAt(findings, place);
  const { sender, receiver, is } = direction;
  yield ownSourceFault(place, sender, findings);
  yield plugged(place, findings, true);
  if (place.machine === sender.machine) {
    yield plugged(placeOf(sender), findings, false);
  }
  const isEnd = place.machine === sender.machine ||
    place.machine === receiver.machine;
  if (!isEnd || facts === undefined) {
    // A machine that is not on the way: who sent it here?
    const destination = came?.destination ?? receiver.address;
    yield* misrouted(sender, receiver, is === "back", destination, findings);
    yield duplicateFault(findings) ?? rememberedFault(findings);
    if (place.machine === outsideName) {
      yield outsideHasNoWay(place, receiver, findings);
    }
    return;
  }
  yield forwardingFault(facts);
  yield settingFault(
    facts,
    findings.cluster,
    // A strict rp_filter comes last, as reversePathFault(): a wrong route explains it.
    ({ setting, device }) =>
      setting !== "rp_filter" &&
      (setting !== "forwarding" || device === came?.in),
  );
  yield segmentFault(facts, findings.cluster);
  const hasPod = [sender, receiver].some(({ machine, pod }) =>
    machine === place.machine && pod !== undefined
  );
  if (hasPod) {
    yield bridgeFault(facts, findings.cluster);
    yield bridgeAddressFault(facts, findings.cluster);
  }
  yield* wayMissing(place, receiver, findings);
  const refused = reversePathFault(at, findings);
  if (refused !== undefined) {
    yield* wayMissing(place, sender, findings);
    yield refused;
  }
  yield unseenDrop(at, is === "back", findings);
}

/** It left one place and never came to the next. */
function* lost(
  stop: Stop & { readonly is: "lost" },
  direction: Direction,
  findings: TraceFindings,
): Generator<Cause | undefined> {
  const { from, to } = stop;
  const { place, left } = from;
  const { cluster } = findings;
  const facts = factsAt(findings, place);
  if (place.pod !== undefined) {
    yield* offTheSegment(place, to, facts, findings);
    yield duplicateFault(findings) ?? rememberedFault(findings);
    return;
  }
  const { sender, receiver, is } = direction;
  const onBridge = left?.out === cluster.bridge;
  const isHome = place.machine === receiver.machine &&
    receiver.pod !== undefined;
  if (to?.pod !== undefined || (onBridge && isHome)) {
    if (facts) yield bridgeFault(facts, cluster);
    if (facts && !onBridge) yield bridgeAddressFault(facts, cluster);
    yield plugged(to ?? placeOf(receiver), findings, false);
    yield duplicateFault(findings) ?? rememberedFault(findings);
    return;
  }
  const far = to && factsAt(findings, to);
  for (const one of [facts, far]) {
    if (one) yield settingAt(one, findings, "disable_ipv6", "arp_ignore");
  }
  if (facts !== undefined) yield segmentFault(facts, cluster);
  if (far) yield segmentFault(far, cluster);
  // Another pod's address as the gateway: the node only passes the frame on.
  if (onBridge) yield gatewayFault(placeOf(sender), findings);
  const destination = left?.destination ?? receiver.address;
  yield* misrouted(sender, receiver, is === "back", destination, findings);
  yield duplicateFault(findings) ?? rememberedFault(findings);
  yield obstacleFault(stop, is === "back", findings);
  if (to === undefined && onBridge) yield noPodHasIt(place, receiver, findings);
  if (to === undefined && !onBridge) yield nobodyHasIt(from, findings);
}

/** A pod's frame did not come through its veth and the bridge. */
function* offTheSegment(
  place: Place,
  to: Place | undefined,
  facts: NodeFacts | undefined,
  findings: TraceFindings,
): Generator<Cause | undefined> {
  if (facts === undefined) return;
  yield bridgeFault(facts, findings.cluster);
  yield plugged(place, findings, true);
  const { from, to: end } = findings;
  // Pods of one node find each other without the gateway.
  if (from.machine === end.machine && from.pod && end.pod) {
    yield plugged({ machine: place.machine, pod: end.pod }, findings, true);
    yield plugged({ machine: place.machine, pod: from.pod }, findings, true);
    return;
  }
  yield settingAt(facts, findings, "disable_ipv6", "arp_ignore");
  yield bridgeAddressFault(facts, findings.cluster);
  yield gatewayFault(place, findings);
  if (to !== undefined) yield plugged(to, findings, false);
}
