/** What was heard of one packet at a place, each time that it came by there. Pure. */
import type { SeenPacket, TraceEvent } from "./nft_events.ts";
import { ownTable } from "./nft_events.ts";
import { isSamePlace, type Place } from "./endpoints.ts";
import type { Sending } from "./probe_packets.ts";

/** A place, and all that was heard there. */
export interface Heard {
  readonly place: Place;
  /** Whether it is neither end's: a packet need not come by there. */
  readonly aside?: boolean;
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
  /** The mark that it bore when its route was chosen. */
  readonly mark?: number;
  /** The rules that decided on it. */
  readonly met: readonly Met[];
  /** The rules that changed something of it, and let it go on. */
  readonly changed: readonly Met[];
  /** What ended its way. */
  readonly dropped?: Met;
}

/** Which of a trace's packets, and in which direction. */
export interface PacketFilter {
  readonly sending: Pick<Sending, "id" | "servers">;
  readonly direction: "there" | "back";
  /** The sender's own port, by which a packet is known under any name of its server. */
  readonly port?: number;
}

/** The sender's own port, of a connection or datagram; it stays where only names change. */
export function senderPort(
  heard: readonly Heard[],
  sending: PacketFilter["sending"],
): number | undefined {
  for (const { packet } of heard.flatMap(({ events }) => events)) {
    const { what } = packet;
    const isFirst = matchesFilter(packet, { sending, direction: "there" });
    if (isFirst && "sport" in what) return what.sport;
  }
  return undefined;
}

/** Whether a packet that was heard is the wanted one. */
function matchesFilter(
  { what, source, destination }: SeenPacket,
  { sending: { id, servers = [] }, direction, port: own }: PacketFilter,
): boolean {
  if (what.protocol === "icmp") {
    return what.id === id &&
      what.type === (direction === "there" ? "request" : "reply");
  }
  if (what.protocol === "other") return false;
  const [address, port, ownPort] = direction === "there"
    ? [destination, what.dport, what.sport]
    : [source, what.sport, what.dport];
  if (own !== undefined && own === ownPort) return true;
  return servers.some((server) =>
    server.protocol === what.protocol && server.port === port &&
    server.address === address
  );
}

/** What a rule does to a packet beside letting it through (nft's words). */
const changing =
  /\b(notrack|mark set|ttl set|hoplimit set|xt target|[sd]nat|redirect|masquerade)\b/i;

type Seen = { -readonly [Key in keyof Passage]?: Passage[Key] };

/** The passages of a packet at a place, in their order. */
export function passagesOf(
  { place, events }: Heard,
  wanted: PacketFilter,
): readonly Passage[] {
  const passages: Passage[] = [];
  let seen: Seen = {};
  let [met, changed]: [Met[], Met[]] = [[], []];
  const end = () => {
    if (Object.keys(seen).length > 0 || met.length > 0) {
      passages.push({ ...seen, place, met, changed });
    }
    seen = {};
    [met, changed] = [[], []];
  };
  for (const event of events) {
    const { table, chain, packet, mark } = event;
    if (!matchesFilter(packet, wanted)) continue;
    if (table === `inet ${ownTable}`) {
      if (event.met.is === "chain") {
        const begins = chain === "prerouting" || chain === "output";
        if (begins && (seen.came ?? seen.sent) !== undefined) end();
        note(seen, chain, packet);
      } else if (mark !== undefined && seen.mark === undefined) {
        seen.mark = mark;
      }
      continue;
    }
    if (event.met.is === "chain") continue;
    const decided = { hook: hookOf(event, seen), event };
    const { is, verdict } = event.met;
    if (verdict === "drop") seen.dropped ??= decided;
    else if (is === "rule" && verdict === "accept") met.push(decided);
    else if (is === "rule" && changing.test(event.met.text)) {
      changed.push(decided);
    }
    // A route is chosen between prerouting and forward, and after output once more.
    const before = seen.through === undefined && seen.taken === undefined;
    const marked = mark ?? markSetBy(event);
    if (marked !== undefined && before) seen.mark = marked;
  }
  end();
  return passages;
}

function note(seen: Seen, chain: string, packet: SeenPacket): void {
  if (chain === "prerouting") seen.came = packet;
  if (chain === "output") seen.sent = packet;
  if (chain === "input") seen.taken ??= packet;
  if (chain === "forward") seen.through ??= packet;
  if (chain === "postrouting") seen.left ??= packet;
}

function markSetBy({ met }: TraceEvent): number | undefined {
  if (met.is !== "rule") return undefined;
  const [, mark] = /\bmeta mark set (0x[0-9a-f]+)/.exec(met.text) ?? [];
  return mark === undefined ? undefined : Number(mark);
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

/** A packet as it left a place, or as it was last seen there. */
export function lastSeen(
  { left, through, taken, sent, came }: Passage,
): SeenPacket | undefined {
  return left ?? through ?? taken ?? sent ?? came;
}

/** A pod at neither end that a packet went through. */
export function strangePod(
  ways: readonly { readonly passages: readonly Passage[] }[],
  ends: readonly Partial<Place>[],
): Place | undefined {
  return ways.flatMap(({ passages }) => passages).map(({ place }) => place)
    .find((place) =>
      place.pod !== undefined && !ends.some((end) => isSamePlace(end, place))
    );
}
