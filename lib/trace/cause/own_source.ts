/** Packets from an address that the receiving kernel takes for its own. Pure. */
import { cmd } from "../../exec/command.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import { evidence } from "../../diagnosis/evidence.ts";
import { newPods, type Remedy } from "../../diagnosis/remedy.ts";
import type { End, Place } from "../endpoints.ts";
import { isSamePlace } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import { kernelRouteOf, routeKey } from "../kernel_routes.ts";
import { placeName, remedyAt } from "../place_state.ts";
import { placeOf } from "./links.ts";

/** Have the two ends one address? Then the sender's kernel delivers to itself. */
export function oneAddressFault(
  { from, to, answersOf }: TraceFindings,
): Cause | undefined {
  const [place, other] = [placeOf(from), placeOf(to)];
  const { address } = from;
  if (address !== to.address || isSamePlace(place, other)) return undefined;
  const asked = answersOf(place).routes.get(routeKey({ destination: address }));
  return {
    kind: "duplicate-address",
    on: other.machine,
    what: `${placeName(place)} and ${placeName(other)} both have ${address}: ` +
      "what one of them sends there, its own kernel takes, and nothing leaves it",
    evidence: asked === undefined ? [] : [evidence(asked)],
    remedies: to.pod === undefined ? [] : newPods(other.machine),
  };
}

/** Has a place that a packet came to the sender's address itself? */
export function ownSourceFault(
  place: Place,
  sender: End,
  { answersOf, machines }: TraceFindings,
): Cause | undefined {
  if (isSamePlace(place, placeOf(sender))) return undefined;
  const { address } = sender;
  const answers = answersOf(place);
  const asked = answers.routes.get(routeKey({ destination: address }));
  if (
    asked === undefined || kernelRouteOf(answers, address)?.type !== "local"
  ) {
    return undefined;
  }
  const links = place.pod?.links ?? machines.get(place.machine)?.links ?? [];
  return {
    kind: "duplicate-address",
    on: place.machine,
    what: `${placeName(place)} has ${address} itself, the address of ` +
      `${placeName(placeOf(sender))}: to its kernel what comes from there is ` +
      "its own, and an answer never leaves it",
    evidence: [evidence(asked)],
    remedies: links.flatMap(({ ifname, addr_info }) =>
      addr_info.filter(({ local }) => local === address).map((
        { prefixlen },
      ): Remedy =>
        remedyAt(
          place,
          cmd`ip addr del ${`${address}/${prefixlen}`} dev ${ifname}`,
        )
      )
    ),
  };
}
