/** A packet's way as a reader sees it: hops, each with what decided there. Pure. */
import type { Decision, TraceHop } from "./report.ts";
import type { SeenPacket } from "./nft_events.ts";
import {
  kernelRouteOf,
  neighbourDecision,
  type PlaceAnswers,
  routeDecision,
  ruleDecision,
} from "./place_state.ts";
import type { Place } from "./endpoints.ts";
import type { Hook, Passage, Stop, Way } from "./packet_path.ts";

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
  const hops = passages.flatMap((passage) => hopsAt(passage, direction, told));
  if (stop === undefined) return hops;
  return [...hops, endHop(stop, direction, told)];
}

function at({ machine, pod }: Place): Pick<TraceHop, "node" | "pod"> {
  return { node: machine, ...(pod === undefined ? {} : { pod: pod.name }) };
}

const ends = ({ source, destination }: SeenPacket) => ({ source, destination });

const linkOf = (link: string | undefined) => link === undefined ? {} : { link };

function hopsAt(
  passage: Passage,
  direction: TraceHop["direction"],
  told: Told,
): readonly TraceHop[] {
  const { place, came, sent, through, taken, left } = passage;
  const answers = told.answersOf(place);
  const base = { direction, ...at(place) };
  const rules = (hook: Hook) =>
    passage.met.filter((met) => met.hook === hook)
      .map(({ event }) => ruleDecision(answers, event));
  const routeFor = ({ destination }: SeenPacket) =>
    routeDecision(answers, destination, told.bridge);
  const hops: TraceHop[] = [];
  if (sent !== undefined) {
    hops.push({
      ...base,
      place: "output",
      ...linkOf(sent.out),
      ...ends(sent),
      outcome: "SENT",
      by: [...rules("output"), routeFor(sent)],
    });
  }
  if (came !== undefined && (taken === undefined || place.pod === undefined)) {
    hops.push({
      ...base,
      place: "prerouting",
      ...linkOf(came.in),
      ...ends(came),
      outcome: "RECEIVED",
      by: [],
    });
  }
  const onward = through ?? taken;
  if (came !== undefined && onward !== undefined) {
    hops.push(...rewritten(came, onward, {
      ...base,
      place: "prerouting",
      by: rules("prerouting"),
    }));
  }
  if (through !== undefined) {
    const bridged = through.in === told.bridge && through.out === told.bridge;
    hops.push({
      ...base,
      place: "forward",
      ...linkOf(through.out),
      ...ends(through),
      outcome: "FORWARDED",
      by: [...rules("forward"), ...(bridged ? [] : [routeFor(through)])],
    });
  }
  const before = through ?? sent;
  if (left !== undefined && before !== undefined) {
    hops.push(...rewritten(before, left, {
      ...base,
      place: "postrouting",
      by: rules("postrouting"),
    }));
  }
  if (taken !== undefined) {
    hops.push({
      ...base,
      place: "input",
      ...linkOf(taken.in),
      ...ends(taken),
      outcome: "DELIVERED",
      by: rules("input"),
    });
  }
  return hops;
}

function rewritten(
  before: SeenPacket,
  after: SeenPacket,
  hop: Pick<TraceHop, "direction" | "node" | "pod" | "place" | "by">,
): readonly TraceHop[] {
  if (
    before.source === after.source && before.destination === after.destination
  ) return [];
  const { by, ...rest } = hop;
  return [{
    ...rest,
    ...linkOf(hop.place === "postrouting" ? after.out : before.in),
    ...ends(before),
    outcome: "REWRITTEN",
    after: ends(after),
    by: by.length > 0 ? by : [{
      kind: "conntrack",
      text: "an answer to what was rewritten gets the old address back",
    }],
  }];
}

/** The hop at which a way ends too early. */
function endHop(
  stop: Stop,
  direction: TraceHop["direction"],
  told: Told,
): TraceHop {
  const outcome = "DROPPED";
  switch (stop.is) {
    case "unsent": {
      const { source, destination } = told;
      return {
        direction,
        ...at(stop.at),
        place: "output",
        source,
        destination,
        outcome,
        by: [
          routeDecision(told.answersOf(stop.at), destination, told.bridge),
        ],
      };
    }
    case "dropped": {
      const { place } = stop.at;
      const { event, hook } = stop.by;
      return {
        direction,
        ...at(place),
        place: hook,
        ...linkOf(event.packet.out ?? event.packet.in),
        ...ends(event.packet),
        outcome,
        by: [ruleDecision(told.answersOf(place), event)],
      };
    }
    case "unrouted": {
      const { place, came } = stop.at;
      const packet = came ?? told;
      const refusal = told.refusalOf(stop.at);
      const answers = told.answersOf(place);
      return {
        direction,
        ...at(place),
        place: "routing",
        ...linkOf(came?.in),
        source: packet.source,
        destination: packet.destination,
        outcome,
        by: [
          refusal ?? routeDecision(answers, packet.destination, told.bridge),
        ],
      };
    }
    case "taken": {
      const { place, taken } = stop.at;
      const packet = taken ?? told;
      return {
        direction,
        ...at(place),
        place: "input",
        ...linkOf(taken?.in),
        source: packet.source,
        destination: packet.destination,
        outcome,
        by: [
          routeDecision(
            told.answersOf(place),
            packet.destination,
            told.bridge,
          ),
        ],
      };
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
  const gateway = kernelRouteOf(answers, destination)?.gateway;
  const isVeth = place.pod !== undefined || packet?.out === told.bridge;
  return {
    direction,
    ...at(place),
    place: isVeth ? "veth" : "segment",
    ...linkOf(packet?.out),
    source: packet?.source ?? told.source,
    destination,
    outcome: "DROPPED",
    by: bridged ? [] : [neighbourDecision(answers, gateway ?? destination)],
  };
}
