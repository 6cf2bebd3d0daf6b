/** Routes that are missing, lead elsewhere, or lead nowhere. Pure. */
import {
  evidence,
  type NodeFacts,
  type RouteFacts,
} from "../../diagnosis/evidence.ts";
import { outsideName } from "../../lab/names.ts";
import {
  bridgeAddressFault,
  bridgeFault,
  defaultRouteFault,
  masqueradeFault,
  routeFault,
} from "../../diagnosis/faults.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import { onNode } from "../../diagnosis/remedy.ts";
import { faultBetween } from "../../diagnosis/tunnels.ts";
import { looser } from "../../diagnosis/setting_faults.ts";
import { familyOf } from "../../net/cidr.ts";
import { cmd } from "../../exec/command.ts";
import { countersEvidence } from "../kernel_counters.ts";
import { routeObstacle } from "./obstacle.ts";
import { inSomePodCIDR } from "./ends.ts";
import { grownAt, placeName, remedyAt } from "../place_state.ts";
import { kernelRouteOf } from "../kernel_routes.ts";
import { networkHas } from "../../net/route_match.ts";
import type { End, Place } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import type { Way } from "../packet_path.ts";
import type { Passage } from "../passages.ts";
import { listed } from "../../node/batch.ts";

/** A place has no good route to where the packet should go. */
export function* wayMissing(
  { machine }: Place,
  receiver: End,
  findings: TraceFindings,
): Generator<Cause | undefined> {
  const facts = findings.facts.get(machine);
  if (facts === undefined) return;
  const far = receiver.machine && findings.facts.get(receiver.machine);
  if (far && far !== facts && inSomePodCIDR(receiver.address, far.node)) {
    yield tunnelBetween(facts, far, findings, "state");
    yield routeFault(facts, far.node);
  }
  if (receiver.machine === outsideName || receiver.machine === undefined) {
    yield defaultRouteFault(facts, findings.cluster);
  }
  yield routeObstacle(
    { machine },
    receiver.address === findings.from.address,
    findings,
  );
  yield wrongGateway(facts, receiver, findings);
}

/** The fault of the tunnel between two nodes. */
function tunnelBetween(
  one: NodeFacts,
  other: NodeFacts,
  { cluster }: TraceFindings,
  by: Parameters<typeof faultBetween>[2],
): Cause | undefined {
  const ends = [one, other].map(({ node, tunnels }) =>
    [node, tunnels] as const
  );
  return faultBetween(cluster, ends, by);
}

/** What a tunnel's end takes is more than its ways do: long packets are lost. */
export function tunnelWidth(findings: TraceFindings): Cause | undefined {
  const ends = tunnelEnds(findings);
  return ends && tunnelBetween(...ends, findings, "length");
}

/** Nothing else explains it: the tunnel between the two ends' machines. */
function tunnelSilence(findings: TraceFindings): Cause | undefined {
  const ends = tunnelEnds(findings);
  return ends && tunnelBetween(...ends, findings, "pings");
}

function tunnelEnds(
  { from, to, facts }: TraceFindings,
): readonly [NodeFacts, NodeFacts] | undefined {
  const one = from.machine && facts.get(from.machine);
  const other = to.machine && facts.get(to.machine);
  return one && other && one !== other ? [one, other] : undefined;
}

/** A route to part of a podCIDR by another node than its owner. */
function wrongGateway(
  { node, routes }: NodeFacts,
  { address, machine }: End,
  { facts, cluster }: TraceFindings,
): Cause | undefined {
  const far = machine === undefined ? undefined : facts.get(machine)?.node;
  if (
    far === undefined || far.name === node.name || cluster.routes !== "host"
  ) {
    return undefined;
  }
  const found = listed<RouteFacts>(routes)
    .filter(({ dst }) => dst !== "default" && networkHas(dst, address))
    .find(({ gateway }) => gateway !== undefined && gateway !== far.address);
  if (found === undefined) return undefined;
  const { dst, gateway } = found;
  return {
    kind: "route",
    on: node.name,
    what: `${node.name} sends what is for ${address} by ${gateway}, and ` +
      `${far.name} is ${far.address}`,
    evidence: [evidence(routes, found)],
    remedies: [
      onNode(node.name, cmd`ip route del ${dst} via ${gateway ?? ""}`),
    ],
  };
}

/**
 * The packet went where it should not.
 *
 * @param sender who sends in this direction
 * @param isBack whether that is the answer's
 * @param destination as the packet had it there
 */
export function* misrouted(
  sender: End,
  receiver: End,
  isBack: boolean,
  destination: string,
  findings: TraceFindings,
): Generator<Cause | undefined> {
  const start = sender.machine;
  if (start === undefined) return;
  yield* wayMissing({ machine: start }, receiver, findings);
  const asking = receiver.machine && findings.facts.get(receiver.machine);
  // An answer to a pod's own address, where it should have been rewritten.
  if (isBack && destination === receiver.address && asking) {
    yield masqueradeFault(asking);
  }
  yield tunnelSilence(findings);
}

/** The host outside the cluster has no way to an address: a lab ends there. */
export function outsideHasNoWay(
  place: Place,
  receiver: End,
  { answersOf, from }: TraceFindings,
): Cause | undefined {
  const answers = answersOf(place);
  const asked = answers.routes.get(receiver.address);
  if (
    asked === undefined ||
    kernelRouteOf(answers, receiver.address) !== undefined
  ) {
    return undefined;
  }
  // From here packets go out, and none come in by themselves.
  const { machine = "", pod } = from.machine === outsideName ? receiver : from;
  const name = pod === undefined ? machine : `${machine}/${pod.name}`;
  return {
    kind: "outside",
    on: outsideName,
    what:
      `the host ${outsideName} has no way to ${receiver.address}: a lab's ` +
      "world ends there",
    evidence: [evidence(asked)],
    remedies: [{
      make: "trace",
      variables: { FROM: name, TO: outsideName },
      shows: true,
    }],
  };
}

/** Does a machine refuse a source that it would answer by another link (ip-sysctl, rp_filter)? */
export function reversePathFault(
  { place, came }: Passage,
  findings: TraceFindings,
): Cause | undefined {
  const counter = "TcpExt.IPReversePathFilter";
  const refused = grownAt(place, findings).get(counter);
  if (refused === undefined || came?.in === undefined) return undefined;
  const own = place.pod ?? findings.machines.get(place.machine);
  const link = own?.links
    .find(({ ifname }) => ifname === came.in);
  const bare = link !== undefined &&
    link.addr_info.every(({ local }) => familyOf(local) !== 4);
  return {
    kind: "rp-filter",
    on: place.machine,
    what: `${placeName(place)} refuses what comes from ${came.source} by ` +
      `${came.in}: it would not answer by that link (rp_filter)`,
    evidence: countersEvidence(placeName(place), new Map([[counter, refused]])),
    remedies: [remedyAt(place, cmd`sysctl -w ${looser(came.in, bare)}`)],
  };
}

/** The receiver's machine had the packet, and sent it on to another. */
export function passedBy(
  { passages, stop }: Way,
  { machine, pod, address }: End,
  findings: TraceFindings,
): Cause | undefined {
  const facts = machine === undefined ? undefined : findings.facts.get(machine);
  const { cluster } = findings;
  const isPast = passages.slice(0, -1).some(({ place, left }) =>
    place.machine === machine && place.pod === undefined &&
    left !== undefined && left.out !== cluster.bridge
  );
  if (!isPast || pod === undefined || stop?.is === "dropped" || !facts) {
    return undefined;
  }
  return bridgeFault(facts, cluster) ?? bridgeAddressFault(facts, cluster) ??
    routeObstacle(
      { machine: facts.node.name },
      address === findings.from.address,
      findings,
    );
}
