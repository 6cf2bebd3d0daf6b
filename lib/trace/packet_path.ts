/** One packet's way through the places at which it was heard, and where it ends. Pure. */
import type { SeenPacket, TraceEvent } from "./nft_events.ts";
import { ownTable } from "./nft_events.ts";
import type { Place } from "./endpoints.ts";
import type { Sending } from "./probe_packets.ts";

/** A place, and all that was heard there. */
export interface Heard {
  readonly place: Place;
  readonly events: readonly TraceEvent[];
}

/** A hook of the kernel's packet filter. */
export type Hook =
  | "prerouting"
  | "input"
  | "forward"
  | "output"
  | "postrouting";

/** A rule or a policy that decided on a packet. */
export interface Met {
  readonly hook: Hook;
  readonly event: TraceEvent;
}

/** A packet at one place: which hooks it passed, and with what addresses. */
export interface Passage {
  readonly place: Place;
  /** As it came in, before anything else saw it. */
  readonly came?: SeenPacket;
  /** As a program here sent it. */
  readonly sent?: SeenPacket;
  /** As the filter let it through. */
  readonly through?: SeenPacket;
  /** As it was handed to a program here. */
  readonly taken?: SeenPacket;
  /** As it left, after its addresses were rewritten. */
  readonly left?: SeenPacket;
  /** The rules that decided on it. */
  readonly met: readonly Met[];
  /** What ended its way. */
  readonly dropped?: Met;
}

/** Where and how a way ends before its end. */
export type Stop =
  /** The filter dropped it. */
  | { readonly is: "dropped"; readonly at: Passage; readonly by: Met }
  /** Its sender did not send it. */
  | { readonly is: "unsent"; readonly at: Place }
  /** It came in, and was neither sent on nor taken. */
  | { readonly is: "unrouted"; readonly at: Passage }
  /** A machine on the way took it for itself. */
  | { readonly is: "taken"; readonly at: Passage }
  /** It left one place and never came to the next; `to` is unknown where nothing listens. */
  | { readonly is: "lost"; readonly from: Passage; readonly to?: Place };

/** One direction of a packet's way. */
export interface Way {
  readonly passages: readonly Passage[];
  readonly stop?: Stop;
}

/** Which of a trace's packets, and in which direction. */
interface PacketFilter {
  readonly sending: Pick<Sending, "id" | "server">;
  readonly direction: "there" | "back";
}

/** Whether a packet that was heard is the wanted one. */
function matchesFilter(
  { what, source, destination }: SeenPacket,
  { sending: { id, server }, direction }: PacketFilter,
): boolean {
  if (what.protocol === "icmp") {
    return what.id === id &&
      what.type === (direction === "there" ? "request" : "reply");
  }
  if (what.protocol !== "tcp" || server === undefined) return false;
  return direction === "there"
    ? what.dport === server.port && destination === server.address
    : what.sport === server.port && source === server.address;
}

/**
 * Follows a packet.
 *
 * @param heard in the order of its way
 * @param open whether it begins or ends beyond the places that were listened at
 */
export function walk(
  heard: readonly Heard[],
  wanted: PacketFilter,
  open: { readonly begin: boolean; readonly end: boolean },
): Way {
  const passages: Passage[] = [];
  for (const [at, { place, events }] of heard.entries()) {
    const first = at === 0;
    const last = at === heard.length - 1;
    const passage = passageOf(place, events, wanted);
    const before = passages.at(-1);
    if (passage === undefined) {
      if (first && !open.begin) {
        return { passages, stop: { is: "unsent", at: place } };
      }
      // A machine between is on the way only if the packet comes by.
      if (!last && isBetween(heard, at)) continue;
      if (before === undefined) {
        return { passages, stop: { is: "unsent", at: place } };
      }
      return { passages, stop: { is: "lost", from: before, to: place } };
    }
    passages.push(passage);
    const { dropped, taken, through, sent, left } = passage;
    if (dropped !== undefined) {
      return { passages, stop: { is: "dropped", at: passage, by: dropped } };
    }
    const ends = last && !open.end;
    if (ends && taken === undefined) {
      if (left === undefined) {
        return { passages, stop: { is: "unrouted", at: passage } };
      }
      return { passages, stop: { is: "lost", from: passage } };
    }
    if (ends) continue;
    if (taken !== undefined) {
      return { passages, stop: { is: "taken", at: passage } };
    }
    if (through === undefined && sent === undefined && left === undefined) {
      return { passages, stop: { is: "unrouted", at: passage } };
    }
  }
  return { passages };
}

/** Neither end's machine, but one that a route may go by. */
function isBetween(heard: readonly Heard[], at: number): boolean {
  const machines = heard.filter(({ place }) => place.pod === undefined);
  const place = heard[at]?.place;
  return place !== undefined && place.pod === undefined &&
    place !== machines[0]?.place && place !== machines.at(-1)?.place;
}

function passageOf(
  place: Place,
  events: readonly TraceEvent[],
  wanted: PacketFilter,
): Passage | undefined {
  const own = events.filter(({ packet }) => matchesFilter(packet, wanted));
  if (own.length === 0) return undefined;
  const seen: { -readonly [Key in keyof Passage]?: Passage[Key] } = {};
  const met: Met[] = [];
  for (const event of own) {
    const { table, chain, packet } = event;
    if (table === `inet ${ownTable}`) {
      if (event.met.is !== "chain") continue;
      if (chain === "prerouting") seen.came ??= packet;
      if (chain === "output") seen.sent ??= packet;
      if (chain === "input") seen.taken ??= packet;
      if (chain === "forward") seen.through ??= packet;
      if (chain === "postrouting") seen.left ??= packet;
      continue;
    }
    if (event.met.is === "chain") continue;
    const decided = { hook: hookOf(event, seen), event };
    if (event.met.verdict === "drop") seen.dropped ??= decided;
    else if (event.met.is === "rule" && event.met.verdict === "accept") {
      met.push(decided);
    }
  }
  return { ...seen, place, met };
}

/** The hook that a foreign chain hangs at, by what the packet has passed already. */
function hookOf(
  { chain, packet }: TraceEvent,
  { sent, through }: Pick<Passage, "sent" | "through">,
): Hook {
  if (sent !== undefined) {
    return /post/i.test(chain) ? "postrouting" : "output";
  }
  if (through !== undefined) return "postrouting";
  if (packet.out !== undefined) {
    return /post/i.test(chain) ? "postrouting" : "forward";
  }
  return /input/i.test(chain) ? "input" : "prerouting";
}
