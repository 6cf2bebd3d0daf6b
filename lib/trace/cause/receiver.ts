/** Causes at the far end, and what to say where no other cause was found. Pure. */
import { evidence } from "../../diagnosis/evidence.ts";
import { outsideName } from "../../lab/names.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import { lookOn } from "../../diagnosis/remedy.ts";
import { cmd, show } from "../../exec/command.ts";
import { countersEvidence } from "../kernel_counters.ts";
import {
  grownAt,
  lookAtPlace,
  neighbourDecision,
  neighbourOf,
  placeName,
} from "../place_state.ts";
import { kernelRouteOf, routedPacket } from "../kernel_routes.ts";
import type { Passage } from "../passages.ts";
import type { End, Place } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import type { Stop } from "../packet_path.ts";

/** The receiver took the packet and did not send an answer. */
export function silent(place: Place, findings: TraceFindings): Cause {
  const { said, sending } = findings.followed;
  return refused(place, findings) ?? {
    kind: "receiver",
    on: place.machine,
    what: `${placeName(place)} took the packet and did not answer it`,
    evidence: [{
      where: senderName(findings),
      command: show(sending.command),
      printed: said,
    }],
    remedies: [
      lookAtPlace(
        place,
        place.pod === undefined ? cmd`iptables -S INPUT` : cmd`ss -ltn`,
      ),
    ],
  };
}

/** A port that nothing listens at: the kernel refuses by itself. */
function refused(place: Place, findings: TraceFindings): Cause | undefined {
  const { said, sending } = findings.followed;
  const server = sending.servers?.at(-1);
  if (server === undefined || !/connection refused/i.test(said)) {
    return undefined;
  }
  const { protocol, port } = server;
  const list = protocol === "tcp" ? "-Hltnp" : "-Hlunp";
  return {
    kind: "receiver",
    on: place.machine,
    what: `${placeName(place)} takes what comes for ${protocol} port ${port} ` +
      "and refuses it: nothing listens there",
    evidence: [{
      where: senderName(findings),
      command: show(sending.command),
      printed: said,
    }],
    remedies: [lookAtPlace(place, cmd`ss ${list} ${`sport = :${port}`}`)],
  };
}

/** The sender, as evidence has it. */
function senderName({ from: { machine = "", pod } }: TraceFindings): string {
  return placeName({ machine, ...(pod === undefined ? {} : { pod }) });
}

/** A podCIDR's address that no pod has. */
export function noPodHasIt(
  place: Place,
  receiver: End,
  findings: TraceFindings,
): Cause {
  const answers = findings.answersOf(place);
  return {
    kind: "receiver",
    on: place.machine,
    what: `no pod of ${place.machine} has the address ${receiver.address}`,
    evidence: [
      evidence(
        answers.neighbours,
        neighbourDecision(answers, receiver.address).text,
      ),
    ],
    remedies: [lookOn(place.machine, cmd`ip -all netns exec ip -br addr`)],
  };
}

/** An address of the segment that no machine has. */
export function nobodyHasIt(
  from: Passage,
  { answersOf }: TraceFindings,
): Cause | undefined {
  const { place } = from;
  const answers = answersOf(place);
  const packet = routedPacket(from);
  const next = packet && (kernelRouteOf(answers, packet)?.gateway ??
    packet.destination);
  if (next === undefined || neighbourOf(answers, next)?.lladdr !== undefined) {
    return undefined;
  }
  const { text } = neighbourDecision(answers, next);
  const known = neighbourOf(answers, next);
  return {
    kind: "receiver",
    on: place.machine,
    what:
      `no machine answers for ${next}, to which ${placeName(place)} sends ` +
      `what is for ${packet?.destination}`,
    evidence: [evidence(answers.neighbours, known ?? text)],
    remedies: [lookAtPlace(place, cmd`ip neigh show ${next}`)],
  };
}

/** Both ways went well, and the program is not content. */
export function unansweredCause(findings: TraceFindings): Cause {
  const { followed: { said, sending }, to } = findings;
  const on = to.machine ?? outsideName;
  const port = sending.servers?.[0]?.port;
  return refused({ ...to, machine: on }, findings) ?? {
    kind: "receiver",
    on,
    what: "packets go there and back, and the program that should answer " +
      "does not",
    evidence: [{
      where: senderName(findings),
      command: show(sending.command),
      printed: said,
    }],
    remedies: port === undefined ? [] : [
      lookAtPlace({ ...to, machine: on }, cmd`ss -Hltnp ${`sport = :${port}`}`),
    ],
  };
}

/**
 * Nothing that was looked at explains it: what the kernel counted meanwhile is
 * the evidence, and the three places to look are those that it does not tell of.
 */
export function unexplained(
  stop: Stop,
  receiver: End,
  findings: TraceFindings,
): Cause {
  const place = stop.is === "unsent"
    ? stop.at
    : stop.is === "lost"
    ? stop.from.place
    : stop.at.place;
  const next = stop.is === "lost" ? stop.to : undefined;
  const answers = findings.answersOf(place);
  const words = {
    dropped: "is dropped by",
    unsent: "is not sent by",
    unrouted: "ends in",
    taken: "is taken by",
    lost: "leaves, and is not seen again after",
  };
  const { said, sending } = findings.followed;
  const link = (stop.is === "lost" ? stop.from.left?.out : undefined) ??
    (stop.is === "unrouted" ? stop.at.came?.in : undefined);
  return {
    kind: "unknown",
    on: place.machine,
    what: `the packet ${words[stop.is]} ${placeName(place)}, and nothing ` +
      "that was looked at explains it (a firewall between the machines?)",
    evidence: [
      {
        where: senderName(findings),
        command: show(sending.command),
        printed: said,
      },
      evidence(
        answers.neighbours,
        neighbourDecision(
          answers,
          kernelRouteOf(answers, receiver.address)?.gateway ?? receiver.address,
        ).text,
      ),
      ...placesNear(place, next, findings).flatMap((one) =>
        countersEvidence(placeName(one), grownAt(one, findings))
      ),
    ],
    remedies: [
      lookAtPlace(place, cmd`nft -a list ruleset`),
      lookAtPlace(
        place,
        cmd`ip -s -s link show ${link === undefined ? [] : ["dev", link]}`,
      ),
      next === undefined
        ? lookAtPlace(place, cmd`ip -s neigh show`)
        : lookAtPlace(next, cmd`tc -s qdisc show`),
      ...withoutBpftool(place, findings),
    ],
  };
}

/** Programs of tcx at a link are listed by bpftool alone: neither ip nor tc shows them. */
function withoutBpftool(
  { machine }: Place,
  { facts }: TraceFindings,
): Cause["remedies"] {
  const own = facts.get(machine)?.kernel.find(({ space }) =>
    space.pod === undefined
  );
  return own === undefined || own.parts.has("programs") ? [] : [{
    say: `${machine} has no bpftool, and programs of tcx are seen by it ` +
      "alone: bpftool net show",
    shows: true,
  }];
}

/** Where a packet was last, its machine, and where it did not come to. */
function placesNear(
  place: Place,
  next: Place | undefined,
  { followed: { there, back }, machines }: TraceFindings,
): readonly Place[] {
  const passed = [...there.passages, ...back.passages].map(({ place }) =>
    place
  );
  const ends = [place, ...(next === undefined ? [] : [next])];
  const hosts = passed.filter(({ machine, pod }) =>
    pod === undefined && ends.some((end) => end.machine === machine)
  );
  return [...new Set([...ends, ...hosts])].filter(({ machine }) =>
    machines.has(machine)
  );
}
