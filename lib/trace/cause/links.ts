/** What goes wrong below IP: wrong gateways, and addresses that two have. Pure. */
import { familyOf, gateway } from "../../net/cidr.ts";
import { cmd, show } from "../../exec/command.ts";
import {
  type Evidence,
  evidence,
  type LinkFacts,
  type RouteFacts,
} from "../../diagnosis/evidence.ts";
import { outsideName } from "../../lab/names.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import { podNames } from "../../verify/namespace_pods.ts";
import {
  lookOn,
  newPods,
  onNode,
  type Remedy,
} from "../../diagnosis/remedy.ts";
import type { AddressClaim } from "../duplicate_addresses.ts";
import { neighbourOf, placeName, remedyAt } from "../place_state.ts";
import { routeDecision } from "../kernel_routes.ts";
import type { End, Place } from "../endpoints.ts";
import type { TraceFindings, UnexpectedResponder } from "../findings.ts";
import { type Passage, strangePod } from "../passages.ts";
import { obstacleOf } from "./obstacle.ts";
import { listed } from "../../node/batch.ts";

/** Does a pod send to another address than its gateway? */
export function gatewayFault(
  { machine, pod }: Place,
  { facts, cluster }: TraceFindings,
): Cause | undefined {
  const found = facts.get(machine);
  const inside = found?.pods.find((facts) => facts.pod === pod?.name);
  const [podCIDR] = found?.node.podCIDRs ?? [];
  if (pod === undefined || inside === undefined || podCIDR === undefined) {
    return undefined;
  }
  const wanted = gateway(podCIDR).replace(/\/.*/, "");
  const own = listed<RouteFacts>(inside.routes)
    .find(({ dst }) => dst === "default");
  if (own?.gateway === undefined || own.gateway === wanted) return undefined;
  return {
    kind: "pod-route",
    on: machine,
    what: `pod ${pod.name} on ${machine} sends to the gateway ` +
      `${own.gateway}, and its gateway, the bridge ${cluster.bridge}, is ${wanted}`,
    evidence: [evidence(inside.routes, own)],
    remedies: [
      remedyAt({ machine, pod }, cmd`ip route replace default via ${wanted}`),
    ],
  };
}

/** Another pod is an end's gateway, and sends on what it gets. */
export function strangeGateway(findings: TraceFindings): Cause | undefined {
  const { followed: { there, back }, from, to } = findings;
  const ends = [from, to];
  if (strangePod([there, back], ends) === undefined) return undefined;
  return ends.map((end) => gatewayFault(placeOf(end), findings))
    .find((fault) => fault !== undefined);
}

/** The place that an end is. */
export function placeOf({ machine = "", pod }: End): Place {
  return { machine, ...(pod === undefined ? {} : { pod }) };
}

/** Does a second machine or pod answer for an address on the path? */
export function duplicateFault(
  { responders, machines }: TraceFindings,
): Cause | undefined {
  const [responder] = responders;
  if (responder === undefined) return undefined;
  const twice = secondLinkFault(responder, machines);
  if (twice !== undefined) return twice;
  const { addressClaim: { address, owner, expected, asked, at, answered } } =
    responder;
  if (responder.mac === expected || familyOf(address) === 6) {
    return bothHaveFault(responder);
  }
  const both = answered.includes(expected);
  return {
    kind: "duplicate-address",
    on: at,
    what: both
      ? `two answer for ${address} when ${asked.where} asks: ${owner} ` +
        `(${expected}) and ${nameOf(responder)} (${responder.mac})`
      : `${nameOf(responder)} (${responder.mac}) answers for ${address} when ` +
        `${asked.where} asks, and ${owner} (${expected}) should`,
    evidence: [
      {
        where: asked.where,
        command: show(asked.command),
        printed: replies(asked.outcome.stdout),
      },
      ...(responder.asked === undefined ? [] : [heldBy(responder, address)])
        .flat(),
    ],
    // The place that asked may remember the wrong answer for minutes.
    remedies: [
      ...removeResponder(responder),
      onNeighbour(responder.addressClaim, "flush", "to"),
    ],
  };
}

/**
 * Two pods of a bridge that share an address, and as a rule the MAC that follows from
 * it: to the bridge they are one that moves about.
 */
function bothHaveFault(responder: UnexpectedResponder): Cause {
  const { addressClaim, mac, name } = responder;
  const { address, owner, at, expected } = addressClaim;
  const isTest = podNames.some((own) => own === name);
  return {
    kind: "duplicate-address",
    on: at,
    what: `${owner} and ${nameOf(responder)} both have ${address}` +
      (mac === expected
        ? `, and one MAC (${mac}): each gets what comes while it was the last to send`
        : `: which of them gets what comes is chance`),
    evidence: heldBy(responder, address),
    remedies: isTest ? newPods(at) : [{ make: "doctor" }],
  };
}

/**
 * The machine that has the address answers by two of its links, which are on one
 * segment: as long as arp_ignore is 0 every link answers for every address.
 */
function secondLinkFault(
  { addressClaim, mac }: UnexpectedResponder,
  machines: TraceFindings["machines"],
): Cause | undefined {
  const { address, expected, asked } = addressClaim;
  for (const { name: on, links } of machines.values()) {
    const second = links.find((link) => link.address === mac);
    const holder = links.find(({ addr_info }) =>
      addr_info.some(({ local }) => local === address)
    );
    // Another machine that has the address, too, is no matter of links.
    if (second === undefined || holder?.address !== expected) continue;
    return {
      kind: "setting",
      on,
      what:
        `${on} answers for ${address} by ${second.ifname} (${mac}) too, a ` +
        "second link on one segment: its arp_ignore, the greater of all's and " +
        "the link's, is 0",
      evidence: [{
        where: asked.where,
        command: show(asked.command),
        printed: replies(asked.outcome.stdout),
      }],
      remedies: [
        onNode(on, cmd`sysctl -w net.ipv4.conf.all.arp_ignore=1`),
        onNeighbour(addressClaim, "flush", "to"),
      ],
    };
  }
  return undefined;
}

/** Is a wrong link-layer address remembered, though the right one answers? */
export function rememberedFault(
  findings: TraceFindings,
): Cause | undefined {
  const { claimed, answersOf } = findings;
  for (const addressClaim of claimed) {
    const { place, address, expected, owner } = addressClaim;
    const answers = answersOf(place);
    const lladdr = neighbourOf(answers, address)?.lladdr;
    if (lladdr === undefined || lladdr === expected) continue;
    const written = obstacleOf(["neighbour"], place, findings);
    return written ?? {
      kind: "neighbour",
      on: place.machine,
      what: `${placeName(place)} remembers ${lladdr} for ${address}, and ` +
        `${owner} is ${expected}`,
      evidence: [
        evidence(answers.neighbours, neighbourOf(answers, address)),
      ],
      remedies: [onNeighbour(addressClaim, "del")],
    };
  }
  return undefined;
}

/** What makes a place forget; "flush" leaves permanent entries alone. */
function onNeighbour(
  { place, link, address }: AddressClaim,
  ...how: readonly ["del"] | readonly ["flush", "to"]
): Remedy {
  return remedyAt(place, cmd`ip neigh ${how} ${address} dev ${link}`);
}

/** Of what arping printed, who answered. */
function replies(stdout: string): string {
  return [
    ...new Set(
      stdout.split("\n").filter((line) => /reply from/.test(line))
        .map((line) => line.replace(/ [\d.]+ms$/, "")),
    ),
  ].join("\n");
}

function nameOf(
  { name, port, addressClaim: { at } }: UnexpectedResponder,
): string {
  if (name !== undefined) return name === outsideName ? name : `pod ${name}`;
  return port === undefined
    ? "a responder"
    : `whoever is behind ${port} of ${at}`;
}

function holding(
  { asked, addressClaim: { address } }: UnexpectedResponder,
): { readonly link: string; readonly cidr: string } | undefined {
  if (asked === undefined) return undefined;
  for (const { ifname, addr_info } of listed<LinkFacts>(asked)) {
    const own = addr_info?.find(({ local }) => local === address);
    if (own !== undefined) {
      return { link: ifname, cidr: `${own.local}/${own.prefixlen}` };
    }
  }
  return undefined;
}

function heldBy(responder: UnexpectedResponder, address: string): Evidence[] {
  const held = holding(responder);
  if (held === undefined || responder.asked === undefined) return [];
  const { link, cidr } = held;
  return [
    evidence(responder.asked, { ifname: link, address: cidr ?? address }),
  ];
}

/** What keeps a responder from answering for an address that is not its own. */
function removeResponder(
  responder: UnexpectedResponder,
): readonly Remedy[] {
  const { name, port, addressClaim: { at } } = responder;
  const held = holding(responder);
  if (held !== undefined && name !== undefined) {
    const { link, cidr } = held;
    const remove = cmd`ip addr del ${cidr} dev ${link}`;
    return name === outsideName ? [onNode(outsideName, remove)] : [
      onNode(at, cmd`nsenter --net=/run/netns/${name} ${remove.argv}`),
    ];
  }
  return port === undefined
    ? [lookOn(at, cmd`ip neigh show`)]
    : [onNode(at, cmd`ip link set dev ${port} nomaster`)];
}

/** Has a machine on the way the receiver's address itself? */
export function takenFault(
  { place }: Passage,
  receiver: End,
  findings: TraceFindings,
): Cause | undefined {
  const { facts, answersOf, cluster } = findings;
  const found = facts.get(place.machine);
  if (found === undefined) return undefined;
  const held = obstacleOf(["address"], place, findings);
  if (held !== undefined) return held;
  const answers = answersOf(place);
  const holder = listed<LinkFacts>(found.links).find(({ addr_info }) =>
    addr_info.some(({ local }) => local === receiver.address)
  );
  const own = holder?.addr_info
    .find(({ local }) => local === receiver.address);
  const asked = answers.routes.get(receiver.address);
  return {
    kind: "duplicate-address",
    on: place.machine,
    what: `${placeName(place)} has the address ${receiver.address} itself` +
      (holder === undefined ? "" : `, on ${holder.ifname}`) +
      ", and keeps what is for the pod",
    evidence: asked === undefined ? [] : [
      evidence(
        asked,
        routeDecision(answers, receiver.address, cluster.bridge).text,
      ),
    ],
    remedies: holder === undefined || own === undefined
      ? [lookOn(place.machine, cmd`ip route show table local`)]
      : [
        onNode(
          place.machine,
          cmd`ip addr del ${own.local}/${own.prefixlen} dev ${holder.ifname}`,
        ),
      ],
  };
}
