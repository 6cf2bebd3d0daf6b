/** What rules that are not ours change of packets, so that they go astray. Pure. */
import type { Evidence } from "../../diagnosis/evidence.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import { cmd, show } from "../../exec/command.ts";
import { kernelRouteOf, routedPacket } from "../kernel_routes.ts";
import { lookAtPlace, placeName, ruleDecision } from "../place_state.ts";
import type { End } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import type { Way } from "../packet_path.ts";
import type { Met, Passage } from "../passages.ts";
import { redirectObstacle } from "./obstacle.ts";
import { passedBy, wayMissing } from "./routes.ts";
import { withoutRule } from "./rules.ts";

/** A passage, and a rule that changed a packet there. */
interface Change {
  readonly passage: Passage;
  readonly met: Met;
  readonly text: string;
}

/** The rules of this kind that the packet or its answer met. */
function changes(
  kind: RegExp,
  { followed: { there, back }, answersOf }: TraceFindings,
): readonly Change[] {
  return [...there.passages, ...back.passages].flatMap((passage) =>
    [...passage.changed, ...passage.met].flatMap((met) => {
      const { met: event } = met.event;
      if (event.is !== "rule" || !kind.test(event.text)) return [];
      const { text } = ruleDecision(answersOf(passage.place), met.event);
      return [{ passage, met, text }];
    })
  );
}

function shown({ passage: { place }, met: { event }, text }: Change): Evidence {
  const [family = "", table = ""] = event.table.split(" ");
  const { chain } = event;
  const program = family === "ip6" ? "ip6tables" : "iptables";
  return {
    where: placeName(place),
    command: show(
      text.startsWith("-")
        ? cmd`${program} -t ${table} -S ${chain}`
        : cmd`nft -a list chain ${[family, table, chain]}`,
    ),
    printed: text,
  };
}

function takenAway(
  { passage: { place }, met: { event }, text }: Change,
  { facts }: TraceFindings,
) {
  return withoutRule(place, event, text, facts.get(place.machine));
}

/** Does a rule give what is for one of ours to another? */
export function redirectFault(findings: TraceFindings): Cause | undefined {
  const { called, to, cluster, followed: { there } } = findings;
  const ours = called.pod !== undefined ||
    cluster.nodes.some(({ address }) => address === called.address);
  const passage = there.passages.find(isRedirected);
  if (!ours || passage === undefined) return undefined;
  const { place } = passage;
  const known = redirectObstacle(place, findings);
  if (known !== undefined) return known;
  const [change] = changes(/\bdnat\b|\bredirect\b|xt target/i, findings)
    .filter((one) => one.passage === passage);
  const instead = to.machine === undefined
    ? to.address
    : `${placeName({ ...to, machine: to.machine })} (${to.address})`;
  const cause = {
    kind: "rule",
    on: place.machine,
    what:
      `${change === undefined ? "something" : "a rule"} on ${
        placeName(place)
      } ` +
      `gives what is for ${called.address} to ${instead} instead`,
  } as const;
  return change === undefined
    ? {
      ...cause,
      evidence: [],
      remedies: [lookAtPlace(place, cmd`nft -a list ruleset`)],
    }
    : {
      ...cause,
      evidence: [shown(change)],
      remedies: takenAway(change, findings),
    };
}

/** Whether a packet goes on from here to another destination than it came with. */
function isRedirected(
  { came, sent, through, taken, left }: Passage,
): boolean {
  const before = came ?? sent;
  const after = left ?? through ?? taken;
  return before !== undefined && after !== undefined &&
    before.destination !== after.destination;
}

/** Is a connection not tracked, and so not masqueraded, or its answer not translated back? */
export function untrackedFault(findings: TraceFindings): Cause | undefined {
  const { from, to, followed: { there, back } } = findings;
  const own = (passage: Passage) => passage.place.machine === from.machine;
  const out = there.passages.findLast(own)?.left;
  const left = from.pod !== undefined && to.pod === undefined &&
    to.machine !== from.machine && out?.source === from.address;
  const last = back.passages.at(-1);
  const forgot = last !== undefined && own(last) && !last.place.pod &&
    last.through === undefined && last.came?.destination !== from.address;
  if (!left && !forgot && back.stop !== undefined) return undefined;
  const change = changes(/\bnotrack\b/, findings).find(({ passage }) =>
    (left ? there : back).passages.includes(passage)
  );
  if (change === undefined) return undefined;
  const on = placeName(change.passage.place);
  return {
    kind: "rule",
    on: change.passage.place.machine,
    what: left
      ? `a rule on ${on} keeps connections from being tracked (notrack), and ` +
        `what is not tracked is not masqueraded: it leaves as ${from.address}`
      : `a rule on ${on} keeps answers from being tracked (notrack), so they ` +
        `are not translated back to ${from.address}`,
    evidence: [shown(change)],
    remedies: takenAway(change, findings),
  };
}

/** Did a packet's time to live run out: by a rule, or since it goes in a circle? */
export function lifetimeFault(
  way: Way,
  receiver: End,
  findings: TraceFindings,
): Cause | undefined {
  const { passages, stop } = way;
  if (stop?.is !== "unrouted") return undefined;
  const found = changes(/\b(ttl|hoplimit)\b|xt target (TTL|HL)/i, findings)
    .filter(({ passage }) => passages.includes(passage));
  const here = found.filter(({ passage }) => passage === stop.at);
  if (!isOver(stop.at, here.map(({ text }) => text))) return undefined;
  const change = found.at(-1);
  if (change !== undefined) {
    const { place } = change.passage;
    return {
      kind: "rule",
      on: place.machine,
      what:
        `a rule on ${placeName(place)} changes the packet's time to live, ` +
        `which is over at ${placeName(stop.at.place)}`,
      evidence: [shown(change), ...expiredWords(findings)],
      remedies: takenAway(change, findings),
    };
  }
  return passedBy(way, receiver, findings) ??
    [...circleFaults(way, receiver, findings)][0];
}

/** Whether a packet is not sent on from here since its time to live is over. */
function isOver({ came, changed }: Passage, texts: readonly string[]): boolean {
  if (came?.ttl !== undefined && came.ttl <= 1) return true;
  return changed.length > 0 && texts.some((text) => {
    const [, value] = /(?:\bset|-set) (\d+)/.exec(text) ?? [];
    return value === undefined || Number(value) <= 1;
  });
}

/** What the pings were told of a time to live that ran out, and by whom. */
function expiredWords(
  { sent, from }: TraceFindings,
): readonly Evidence[] {
  const where = placeName({ machine: "", ...from });
  return sent.filter(({ said }) => /time to live|hop limit/i.test(said))
    .slice(0, 1).map(({ said, sending }) => ({
      where,
      command: show(sending.command),
      printed: said,
    }));
}

/**
 * Machines that send a packet to each other: those of them are wrong that do not
 * send it to the receiver's.
 */
function* circleFaults(
  { passages }: Way,
  receiver: End,
  findings: TraceFindings,
): Generator<Cause> {
  const [last, before] = passages.toReversed();
  if (last === undefined || before === undefined) return;
  const again = passages.filter(({ place }) => place === last.place).length;
  if (again < 2) return;
  const home = findings.machines.get(receiver.machine ?? "")?.segmentAddress;
  for (const { place, ...passage } of [before, last]) {
    const packet = routedPacket({ place, ...passage });
    const route = packet && kernelRouteOf(findings.answersOf(place), packet);
    const isRight = place.machine !== receiver.machine &&
      route?.gateway === home;
    if (isRight) continue;
    for (const fault of wayMissing(place, receiver, findings)) {
      if (fault !== undefined) yield fault;
    }
  }
}
