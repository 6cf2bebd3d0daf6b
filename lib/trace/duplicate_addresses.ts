/**
 * What answers for an address, on each segment of a path: two answers explain
 * what comes and goes. Pure.
 */
import { type Family, familyOf, gateway } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import { ifname } from "../cni/runtime.ts";
import type { Asked, Question } from "../node/batch.ts";
import { placeName } from "./place_state.ts";
import type { End, Place } from "./endpoints.ts";
import type { Pod, SurveyedMachine } from "./machine_survey.ts";

/** An address that one alone should answer for. */
export interface AddressClaim {
  /** From where it is asked. */
  readonly place: Place;
  readonly link: string;
  readonly address: string;
  /** What should answer, in words. */
  readonly owner: string;
  /** The pod that should, where it is one. */
  readonly pod?: Pod;
  /** Its link-layer address. */
  readonly expected: string;
  /** Where an answerer's port can be looked up: the machine with that segment's bridge. */
  readonly at: string;
}

/** A addressClaim, and the link-layer addresses that answered. */
export interface Claimed extends AddressClaim {
  readonly asked: Asked;
  readonly answered: readonly string[];
}

/** How long answers are waited for. */
const arp_seconds = 0.3;

/**
 * The question of a addressClaim. busybox's arping prints what came when it is interrupted;
 * of IPv6 it knows nothing, and what the place knows already has to do.
 */
export function whoHas({ place, link, address }: AddressClaim): Question {
  return {
    where: placeName(place),
    command: familyOf(address) === 6
      ? cmd`ip -6 neigh show ${address} dev ${link}`
      : cmd`timeout -s INT ${arp_seconds} busybox arping -c 2 -I ${link} ${address}`,
    ...(place.pod === undefined ? {} : { sandbox: place.pod.sandbox }),
  };
}

const holdersScript = `for at in /run/netns/*; do
  [ ! "$at" -ef "$2" ] || continue
  nsenter --net="$at" ip -o addr show to "$1" 2>/dev/null | grep -q . || continue
  echo "\${at##*/}"
done`;

/**
 * Asks for the names of the network namespaces that have a pod's address, but for
 * its own. A pod's MAC follows from its address, so two that share the one may
 * share the other, and answer as one.
 */
export function whoHolds(
  { address, at }: AddressClaim,
  { sandbox }: Pod,
): Question {
  return {
    where: at,
    command: cmd`sh -c ${holdersScript} holders ${address} ${sandbox}`,
  };
}

/** The link-layer addresses that answered, each once. */
export function readWhoHas({ outcome: { stdout } }: Asked): readonly string[] {
  const found = [...stdout.matchAll(/reply from \S+ \[([0-9a-f:]{17})\]/gi)]
    .map(([, mac = ""]) => mac.toLowerCase());
  return [...new Set(found)];
}

/**
 * What to ask: for the pods at both ends, for their gateways, and for the
 * machines on the segment that they share. Of IPv6 for the pods alone, whose
 * addresses are put there without a look for duplicates; elsewhere the kernel
 * finds those itself (RFC 4862, 5.4).
 *
 * @param cluster with the addresses of one family alone (inFamily())
 */
export function claimsOf(
  from: End,
  to: End,
  machines: ReadonlyMap<string, SurveyedMachine>,
  cluster: Cluster,
  family: Family,
): readonly AddressClaim[] {
  const ends = [from, to];
  const claims = ends.flatMap((end) => podClaims(end, machines, cluster));
  if (family === 6) return claims.filter(({ pod }) => pod !== undefined);
  return [
    ...claims,
    ...(from.machine === to.machine || cluster.routes !== "host"
      ? []
      : [[from, to], [to, from]].flatMap(([asker, owner]) =>
        asker === undefined || owner === undefined
          ? []
          : segmentClaim(asker, owner, machines)
      )),
  ];
}

function podClaims(
  { machine, pod, address }: End,
  machines: ReadonlyMap<string, SurveyedMachine>,
  { bridge, nodes }: Cluster,
): readonly AddressClaim[] {
  if (machine === undefined || pod === undefined) return [];
  const mac = pod.links.find(({ ifname: name }) => name === ifname)?.address;
  const found = machines.get(machine)?.links
    .find(({ ifname }) => ifname === bridge);
  const [podCIDR] = nodes.find(({ name }) => name === machine)?.podCIDRs ?? [];
  if (mac === undefined || found === undefined || podCIDR === undefined) {
    return [];
  }
  const at = machine;
  return [{
    place: { machine },
    link: bridge,
    address,
    owner: `pod ${pod.name}`,
    pod,
    expected: mac,
    at,
  }, {
    place: { machine, pod },
    link: ifname,
    address: gateway(podCIDR).replace(/\/.*/, ""),
    owner: `the bridge ${bridge}`,
    expected: found.address,
    at,
  }];
}

function segmentClaim(
  asker: End,
  owner: End,
  machines: ReadonlyMap<string, SurveyedMachine>,
): readonly AddressClaim[] {
  const [own, other] = [asker, owner].map(({ machine }) =>
    machine === undefined ? undefined : machines.get(machine)
  );
  if (own === undefined || other === undefined) return [];
  const link = own.segmentLink;
  const far = other.segmentLink;
  const address = other.segmentAddress;
  if (link === undefined || far === undefined || address === undefined) {
    return [];
  }
  if (familyOf(address) === 6) return [];
  return [{
    place: { machine: own.name },
    link: link.ifname,
    address,
    owner: other.name,
    expected: far.address,
    at: own.name,
  }];
}
