/** Rules of policy routing that send a packet elsewhere than the main table would. Pure. */
import { evidence } from "../../diagnosis/evidence.ts";
import {
  policyWords,
  removeRule,
  type RoutedPacket,
  ruleText,
} from "../../diagnosis/routing_policy.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import { familyOf } from "../../net/cidr.ts";
import {
  kernelRouteOf,
  routedPacket,
  routeKey,
  ruleOf,
} from "../kernel_routes.ts";
import { placeName, remedyAt } from "../place_state.ts";
import { longestMatch } from "../../net/route_match.ts";
import type { End, Place } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import type { Way } from "../packet_path.ts";

/** Has such a rule sent a packet astray, on its way up to where that ended? */
export function policyRoutingFault(
  { passages, stop }: Way,
  sender: End,
  receiver: End,
  findings: TraceFindings,
): Cause | undefined {
  if (stop === undefined || stop.is === "dropped") return undefined;
  if (stop.is === "unsent") {
    // Before a source is chosen a packet has none; then it has the sender's.
    const { address: destination } = receiver;
    const packets = [{ destination }, { destination, source: sender.address }];
    return packets.map((packet) => faultAt(stop.at, packet, findings))
      .find((fault) => fault !== undefined);
  }
  for (const passage of passages.toReversed()) {
    const packet = routedPacket(passage);
    const fault = packet && faultAt(passage.place, packet, findings);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultAt(
  place: Place,
  packet: RoutedPacket,
  findings: TraceFindings,
): Cause | undefined {
  const answers = findings.answersOf(place);
  const asked = answers.routes.get(routeKey(packet));
  const rule = ruleOf(answers, packet);
  if (asked === undefined || rule === undefined) return undefined;
  const own = place.pod ?? findings.machines.get(place.machine);
  const where = placeName(place);
  const what = policyWords({
    ...{ where, rule, packet },
    found: kernelRouteOf(answers, packet),
    main: longestMatch(own?.routes ?? [], packet.destination),
    said: asked.outcome.stderr,
  });
  if (what === undefined) return undefined;
  const family = familyOf(packet.destination);
  return {
    kind: "routing-rule",
    on: place.machine,
    what,
    evidence: [
      {
        where,
        command: `ip -${family} rule`,
        printed: `${rule.priority}: ${ruleText(rule)}`,
      },
      evidence(asked),
    ],
    remedies: [remedyAt(place, removeRule(family, rule))],
  };
}
