/** A packet's way as a reader sees it: hops, each with what decided there. Pure. */
import { tunnelLink } from "../net/vxlan.ts";
import type { Decision, TraceHop } from "./report.ts";
import type { SeenPacket } from "./nft_events.ts";
import { kernelRouteOf, routeDecision, routedPacket } from "./kernel_routes.ts";
import {
  neighbourDecision,
  type PlaceAnswers,
  ruleDecision,
} from "./place_state.ts";
import type { Place } from "./endpoints.ts";
import type { Stop, Way } from "./packet_path.ts";
import type { Hook, Passage } from "./passages.ts";

/** What hops are told with. */
export interface Told {
  readonly bridge: string;
  readonly answersOf: (place: Place) => PlaceAnswers;
  /** The setting by which a machine does not send this on, if one is known. */
  readonly refusalOf: (passage: Passage) => Decision | undefined;
  /** The ends, for a hop that no packet was seen at. */
  readonly source: string;
  readonly destination: string;
}

/** The hops of one direction. The one where it ended, if it did, is the last. */
export function traceHops(
  { passages, stop }: Way,
  direction: TraceHop["direction"],
  told: Told,
): readonly TraceHop[] {
  const hops = onceRound(passages)
    .flatMap((passage) => hopsAt(passage, direction, told));
  if (stop === undefined) return hops;
  return [...hops, endHop(stop, direction, told)];
}

/** Of a packet that goes in a circle, its first round and the place where it ends. */
function onceRound(passages: readonly Passage[]): readonly Passage[] {
  return passages.filter(({ place }, at) => {
    const before = passages.slice(0, at).filter((one) => one.place === place);
    return before.length < 2 || at === passages.length - 1;
  });
}

/** A hop without what decided there. */
function hop(
  direction: TraceHop["direction"],
  where: Place,
  place: TraceHop["place"],
  outcome: TraceHop["outcome"],
  packet: Pick<SeenPacket, "source" | "destination">,
  link: string | undefined,
  by: TraceHop["by"] = [],
): TraceHop {
  const { machine: node, pod } = where;
  return {
    direction,
    node,
    ...(pod === undefined ? {} : { pod: pod.name }),
    place,
    ...(link === undefined ? {} : { link }),
    source: packet.source,
    destination: packet.destination,
    outcome,
    by,
  };
}

function hopsAt(
  passage: Passage,
  direction: TraceHop["direction"],
  told: Told,
): readonly TraceHop[] {
  const { place, came, sent, through, taken, left } = passage;
  const answers = told.answersOf(place);
  const at = hop.bind(undefined, direction, place);
  const rules = (hook: Hook) =>
    passage.met.filter((met) => met.hook === hook)
      .map(({ event }) => ruleDecision(answers, event));
  const routeFor = ({ destination }: SeenPacket) =>
    routeDecision(answers, routedPacket(passage) ?? destination, told.bridge);
  const hops: TraceHop[] = [];
  if (sent !== undefined) {
    const by = [...rules("output"), routeFor(sent)];
    hops.push(at("output", "SENT", sent, sent.out, by));
  }
  if (came !== undefined && (taken === undefined || place.pod === undefined)) {
    hops.push(at("prerouting", "RECEIVED", came, came.in));
  }
  const onward = through ?? taken;
  if (came !== undefined && onward !== undefined && isOther(came, onward)) {
    const by = rules("prerouting");
    const one = at("prerouting", "REWRITTEN", came, came.in, by);
    hops.push(rewritten(one, onward));
  }
  if (through !== undefined) {
    const bridged = through.in === told.bridge && through.out === told.bridge;
    const by = [...rules("forward"), ...(bridged ? [] : [routeFor(through)])];
    hops.push(at("forward", "FORWARDED", through, through.out, by));
  }
  const before = through ?? sent;
  if (left !== undefined && before !== undefined && isOther(before, left)) {
    // Of what begins here, output gives another destination before the route is chosen.
    const isOutput = sent !== undefined && rules("postrouting").length === 0 &&
      before.destination !== left.destination;
    const by = rules(isOutput ? "output" : "postrouting");
    const where = isOutput ? "output" : "postrouting";
    const one = at(where, "REWRITTEN", before, left.out, by);
    hops.push(rewritten(one, left));
  }
  if (taken !== undefined) {
    hops.push(at("input", "DELIVERED", taken, taken.in, rules("input")));
  }
  return hops;
}

function isOther(before: SeenPacket, after: SeenPacket): boolean {
  return before.source !== after.source ||
    before.destination !== after.destination;
}

function rewritten(
  hop: TraceHop,
  { source, destination }: SeenPacket,
): TraceHop {
  const by = hop.by.length > 0 ? hop.by : [{
    kind: "conntrack" as const,
    text: "an answer to what was rewritten gets the old address back",
  }];
  return { ...hop, by, after: { source, destination } };
}

/** The hop at which a way ends too early. */
function endHop(
  stop: Stop,
  direction: TraceHop["direction"],
  told: Told,
): TraceHop {
  const routeAt = (place: Place, { destination }: Pick<Told, "destination">) =>
    routeDecision(told.answersOf(place), destination, told.bridge);
  const drop = (
    where: Place,
    place: TraceHop["place"],
    packet: Pick<SeenPacket, "source" | "destination">,
    link: string | undefined,
    by: Decision,
  ) => hop(direction, where, place, "DROPPED", packet, link, [by]);
  switch (stop.is) {
    case "unsent":
      return drop(stop.at, "output", told, undefined, routeAt(stop.at, told));
    case "dropped": {
      const { at: { place }, by: { event, hook } } = stop;
      const { packet } = event;
      const rule = ruleDecision(told.answersOf(place), event);
      return drop(place, hook, packet, packet.out ?? packet.in, rule);
    }
    case "unrouted": {
      const { place, came } = stop.at;
      const packet = came ?? told;
      const by = told.refusalOf(stop.at) ?? routeDecision(
        told.answersOf(place),
        routedPacket(stop.at) ?? packet.destination,
        told.bridge,
      );
      return drop(place, "routing", packet, came?.in, by);
    }
    case "taken": {
      const { place, taken } = stop.at;
      const packet = taken ?? told;
      return drop(place, "input", packet, taken?.in, routeAt(place, packet));
    }
    case "lost":
      return lostHop(stop, direction, told);
  }
}

function lostHop(
  { from }: Stop & { readonly is: "lost" },
  direction: TraceHop["direction"],
  told: Told,
): TraceHop {
  const { place, left, sent, through } = from;
  const packet = left ?? through ?? sent;
  const answers = told.answersOf(place);
  const destination = packet?.destination ?? told.destination;
  const bridged = packet?.in === told.bridge && packet.out === told.bridge;
  // A bridged frame bears its link-layer addresses already.
  const gateway = kernelRouteOf(answers, routedPacket(from) ?? destination)
    ?.gateway;
  const isVeth = place.pod !== undefined || packet?.out === told.bridge;
  const ends = {
    source: packet?.source ?? told.source,
    destination,
  };
  const by = bridged
    ? []
    : [neighbourDecision(answers, gateway ?? destination)];
  return hop(
    direction,
    place,
    isVeth ? "veth" : packet?.out === tunnelLink ? "tunnel" : "segment",
    "DROPPED",
    ends,
    packet?.out,
    by,
  );
}
