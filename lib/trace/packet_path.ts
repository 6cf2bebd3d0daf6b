/**
 * One packet's way through the places at which it was heard, and where it ends.
 * The way is the packet's own: which place comes next is known by how many
 * routers the packet has passed (its TTL), not by what routes promise. Pure.
 */
import type { Place } from "./endpoints.ts";
import {
  type Heard,
  lastSeen,
  type Met,
  type PacketFilter,
  type Passage,
  passagesOf,
  senderPort,
} from "./passages.ts";

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

/**
 * Follows a packet.
 *
 * @param heard the sender's place first, the receiver's last
 * @param open whether it begins or ends beyond the places that were listened at
 */
export function walk(
  heard: readonly Heard[],
  wanted: PacketFilter,
  open: { readonly begin: boolean; readonly end: boolean },
): Way {
  const planned = heard.filter(({ aside = false }) => !aside);
  const sender = planned[0]?.place;
  if (sender === undefined) {
    throw new TypeError("expected a place of the planned path to listen at");
  }
  const port = senderPort(heard, wanted.sending);
  const filter = { ...wanted, ...(port === undefined ? {} : { port }) };
  const waiting = heard.flatMap((one) => passagesOf(one, filter));
  const first = firstOf(waiting, sender, open.begin);
  if (first === undefined) {
    return { passages: [], stop: { is: "unsent", at: sender } };
  }
  const passages: Passage[] = [];
  const receiver = open.end ? undefined : planned.at(-1)?.place;
  for (let next: Passage | undefined = first; next !== undefined;) {
    const current: Passage = next;
    waiting.splice(waiting.indexOf(current), 1);
    passages.push(current);
    const stop = stopAt(current, receiver);
    if (stop !== undefined) return { passages, stop };
    if (current.place === receiver && current.taken !== undefined) break;
    next = nextOf(waiting, current, heard);
    if (next !== undefined || open.end) continue;
    const to = plannedAfter(current.place, heard);
    return {
      passages,
      stop: { is: "lost", from: current, ...(to === undefined ? {} : { to }) },
    };
  }
  return { passages };
}

/** Where the way begins: where the packet was sent, or where it came in from beyond. */
function firstOf(
  waiting: readonly Passage[],
  sender: Place,
  isOpen: boolean,
): Passage | undefined {
  const own = waiting.find(({ place, sent }) =>
    place === sender && sent !== undefined
  );
  if (own !== undefined || !isOpen) return own;
  return byTTL(waiting.filter(({ came }) => came !== undefined))[0];
}

/** Those that have passed the fewest routers first; the order of places decides between equals. */
function byTTL(passages: readonly Passage[]): readonly Passage[] {
  const ttl = ({ came }: Passage) => came?.ttl ?? 0;
  return passages.toSorted((a, b) => ttl(b) - ttl(a));
}

/** The first passage that the packet can have had after this one. */
function nextOf(
  waiting: readonly Passage[],
  current: Passage,
  heard: readonly Heard[],
): Passage | undefined {
  const left = lastSeen(current)?.ttl;
  const candidates = waiting.filter(({ came }) =>
    came !== undefined &&
    (left === undefined || came.ttl === undefined || came.ttl <= left)
  );
  // Where no TTL is told, and within one segment: the place that is next by plan.
  const at = heard.findIndex(({ place }) => place === current.place);
  const distance = ({ place }: Passage) => {
    const there = heard.findIndex((one) => one.place === place);
    return there > at ? there - at : heard.length + there;
  };
  return byTTL(candidates.toSorted((a, b) => distance(a) - distance(b)))[0];
}

function stopAt(
  passage: Passage,
  receiver: Place | undefined,
): Stop | undefined {
  const { dropped, taken, through, sent, left, place } = passage;
  if (dropped !== undefined) {
    return { is: "dropped", at: passage, by: dropped };
  }
  if (taken !== undefined) {
    return place === receiver ? undefined : { is: "taken", at: passage };
  }
  return through === undefined && sent === undefined && left === undefined
    ? { is: "unrouted", at: passage }
    : undefined;
}

/** Where a packet should come next. */
function plannedAfter(
  place: Place,
  heard: readonly Heard[],
): Place | undefined {
  const at = heard.findIndex((one) => one.place === place);
  return heard.slice(at + 1).find(({ aside = false }) => !aside)?.place;
}
