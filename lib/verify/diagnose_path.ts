/**
 * The likeliest cause of what was not expected: walks the parts of a path,
 * those first whose fault brings others with it, and takes the first that the
 * evidence speaks against. Pure.
 */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import {
  type Evidence,
  evidence,
  type NodeFacts,
} from "../diagnosis/evidence.ts";
import {
  type Addresses,
  endsAtPod,
  type Missing,
  type Observed,
  opener,
  outside,
  type Path,
  startsAtPod,
  type Tried,
  whose,
} from "./matrix.ts";
import { type Hop, leavings, packetsOfPath } from "./packet_flow.ts";
import { url } from "./http_calls.ts";
import { caller, nodePort, type PodName, server } from "./namespace_pods.ts";
import { readTable, traverse } from "../net/iptables.ts";
import { dropCause, rewriteCause } from "../diagnosis/iptables_faults.ts";
import {
  bridgeAddressFault,
  bridgeFault,
  defaultRouteFault,
  forwardingFault,
  masqueradeFault,
  routeFault,
  segmentFault,
  segmentLink,
} from "../diagnosis/faults.ts";

import type { Cause } from "../diagnosis/cause.ts";
import { podFault } from "../diagnosis/pod_faults.ts";
import { makeStage, onNode } from "../diagnosis/remedy.ts";
import { cmd } from "../exec/command.ts";

/** All that was found out, for a diagnosis. */
export interface PathFindings {
  readonly cluster: Cluster;
  readonly addresses: Addresses;
  /** The address of each node's pod that answers. */
  readonly servers: ReadonlyMap<string, string>;
  readonly facts: ReadonlyMap<string, NodeFacts>;
  /** Why the outside host could not be reached, if so. */
  readonly outsideGone: string | undefined;
  /** What came of the same call from the node itself, by node, then by the other end. */
  readonly control: ReadonlyMap<string, ReadonlyMap<string, Control>>;
  /** The nodes whose kernel does not show bridged frames to iptables. */
  readonly unfiltered: ReadonlySet<string>;
}

/** A call from a node to where a pod's call failed. */
export interface Control {
  readonly command: string;
  readonly observed: Observed;
}

/** The likeliest cause of an outcome that was not expected. */
export function diagnose(tried: Tried, findings: PathFindings): Cause {
  const { path, expected, observed } = tried;
  if (expected.answer === "no") {
    return openEarly(tried, opener(expected), findings);
  }
  if (observed.answer === "yes") {
    return rewritten(tried, observed.source, findings);
  }
  if (observed.answer === "no" && foreignAnswer.test(observed.said)) {
    return foreignReceiver(path, observed.said, findings);
  }
  for (const suspect of suspects(path, findings)) {
    if (suspect !== undefined) return suspect;
  }
  return unexplained(path, findings);
}

/** What a caller says when somebody answers who is not stage 09's server. */
const foreignAnswer = /^(server returned error|something else answered)/;

function foreignReceiver(
  path: Path,
  said: string,
  findings: PathFindings,
): Cause {
  const [port, address] = endsAtPod(path)
    ? [80, findings.servers.get(path.to)]
    : [nodePort, findings.addresses.nodes.get(path.to)];
  return {
    kind: "receiver",
    on: path.to,
    what: `something that is not stage 09's server answers on ${path.to}, ` +
      `port ${port}`,
    evidence: [{
      where: path.from,
      command: `wget -qO- ${
        url(address ?? findings.cluster.outside.address, port)
      }`,
      printed: said,
    }],
    remedies: [onNode(path.to, cmd`ss -Hltnp ${`sport = :${port}`}`)],
  };
}

/** What can keep a path from working, likeliest first. */
function* suspects(
  path: Path,
  findings: PathFindings,
): Generator<Cause | undefined> {
  const { cluster, facts } = findings;
  const from = facts.get(path.from);
  const to = facts.get(path.to);
  const ends = from === to ? [from] : [from, to];
  const nodes = ends.filter((end) => end !== undefined);
  const between = path.from !== path.to;
  const routed = path.kind !== "pod-to-pod-same-node" &&
    path.kind !== "node-to-own-pod" && path.kind !== "pod-to-own-node";
  // The outside host carries the lab's segment: without it no cable is left.
  // A node's own pods need of its link only the address, which it also has when down.
  const onSegment = nodes.filter((node) =>
    between ||
    (path.kind === "pod-to-own-node" && segmentLink(node) === undefined)
  );
  if (onSegment.length > 0 && findings.outsideGone !== undefined) {
    yield outsideFault(findings, findings.outsideGone);
  }
  for (const node of onSegment) yield segmentFault(node, cluster);
  const withPods = nodes.filter(({ node }) => podsOn(path, node).length > 0);
  for (const node of withPods) yield bridgeFault(node, cluster);
  for (const node of withPods) {
    if (path.kind !== "pod-to-pod-same-node") {
      yield bridgeAddressFault(node, cluster);
    }
  }
  for (const node of withPods) {
    for (const pod of podsOn(path, node.node)) {
      yield podFault(
        node,
        pod,
        cluster,
        routed || path.kind === "pod-to-own-node",
      );
    }
  }
  if (routed) { for (const node of withPods) yield forwardingFault(node); }
  for (const hop of hops(path, findings)) yield filtered(hop, findings);
  if (from !== undefined && to !== undefined) {
    if (endsAtPod(path) && between) yield routeFault(from, to.node);
    // Without a route of its own, the far end knows the way back to a pod only if 07 rewrote it.
    if (path.kind === "pod-to-pod-other-node") yield routeFault(to, from.node);
    if (path.kind === "pod-to-other-node") {
      yield masqueradeFault(from);
      yield routeFault(to, from.node);
    }
  }
  if (path.kind === "pod-to-outside" && from !== undefined) {
    yield defaultRouteFault(from, cluster);
    yield masqueradeFault(from);
    yield* outsideSilent(path, findings);
  }
}

/** The pods of a path that are on this node. */
function podsOn(path: Path, { name }: ClusterNode): readonly PodName[] {
  return [
    ...(startsAtPod(path) && path.from === name ? [caller] as const : []),
    ...(endsAtPod(path) && path.to === name ? [server] as const : []),
  ];
}

function hops(path: Path, findings: PathFindings): readonly Hop[] {
  const { cluster, addresses, facts, servers, unfiltered } = findings;
  const { kind, from, to } = path;
  if (kind === "pod-to-pod-same-node" && unfiltered.has(from)) return [];
  const destination = endsAtPod(path)
    ? servers.get(to)
    : to === outside
    ? cluster.outside.address
    : addresses.nodes.get(to);
  const source = startsAtPod(path)
    ? addresses.callers.get(from)
    : kind === "node-to-own-pod"
    ? addresses.gateways.get(from)
    : addresses.nodes.get(from);
  if (source === undefined || destination === undefined) return [];
  // What leaves the cluster reaches another node as this one.
  const node = facts.get(from);
  const rewrites = kind === "pod-to-other-node" && node !== undefined &&
    node.probes.some(({ stage, answer }) =>
      stage === "07-masquerade" && answer.is === "present"
    );
  const ends = {
    source,
    destination,
    rewritten: rewrites ? addresses.nodes.get(from) ?? source : source,
  };
  return packetsOfPath(path, ends, cluster, (name) => {
    const facts = findings.facts.get(name);
    return (facts === undefined ? undefined : segmentLink(facts)?.ifname) ??
      "eth0";
  });
}

/** Does a node's filter stand in the way? */
function filtered(
  { node, chain, packet }: Hop,
  { facts }: PathFindings,
): Cause | undefined {
  const found = facts.get(node);
  if (found === undefined || found.filter.outcome.code !== 0) return undefined;
  const table = readTable(found.filter.outcome.stdout);
  const verdict = traverse(table, chain, packet);
  return verdict.target === "ACCEPT"
    ? undefined
    : dropCause(found, chain, verdict);
}

function outsideFault({ cluster }: PathFindings, why: string): Cause {
  return {
    kind: "outside",
    on: outside,
    what: "the host outside the cluster is gone" +
      (cluster.provider === "lab" ? ", and the segment with it" : ""),
    evidence: [{ where: outside, command: "true", printed: why }],
    remedies: [{ make: "down" }, { make: "up" }],
  };
}

/** Does the outside host not answer the node either? */
function* outsideSilent(
  path: Path,
  { control, cluster }: PathFindings,
): Generator<Cause> {
  const found = control.get(path.from)?.get(outside);
  if (found === undefined || found.observed.answer === "yes") return;
  yield {
    kind: "outside",
    on: outside,
    what: `${cluster.outside.address}, the host outside the cluster, does ` +
      "not answer the nodes themselves either",
    evidence: [controlEvidence(path.from, found)],
    remedies: cluster.provider === "lab"
      ? [{ make: "down" }, { make: "up" }]
      : [],
  };
}

function controlEvidence(where: string, control: Control): Evidence {
  const { command, observed } = control;
  const printed = observed.answer === "yes"
    ? observed.source
    : observed.answer === "no"
    ? observed.said
    : observed.why;
  return { where, command, printed };
}

/** An answer came, but the receiver saw another address than it should. */
function rewritten(
  tried: Tried,
  source: string,
  findings: PathFindings,
): Cause {
  const { path, expected } = tried;
  const { facts, addresses } = findings;
  const seen = whose(path, source, addresses);
  for (const { node, packet } of leavings(path, hops(path, findings))) {
    const found = facts.get(node);
    if (found === undefined || found.nat.outcome.code !== 0) continue;
    const { nat } = found;
    const table = readTable(nat.outcome.stdout);
    const { target, rule } = traverse(table, "POSTROUTING", packet);
    if (rule === undefined || target === "ACCEPT") continue;
    const wanted = expected.answer === "yes" && expected.as === "node";
    if (wanted && target === "MASQUERADE") continue;
    const between = endsAtPod(path) && startsAtPod(path);
    return rewriteCause(found, rule, between, seen);
  }
  const from = facts.get(path.from);
  const lost = from === undefined ? undefined : masqueradeFault(from);
  return lost ?? {
    kind: "unknown",
    on: path.from,
    what: `the receiver saw ${seen}, and no rule of nat POSTROUTING that ` +
      "iptables shows explains it",
    evidence: from === undefined ? [] : [evidence(from.nat)],
    remedies: [onNode(path.from, cmd`nft list ruleset`)],
  };
}

/** A way is open that no complete stage has opened. */
function openEarly(
  { path }: Tried,
  { stage, on: [node] }: Missing,
  { facts }: PathFindings,
): Cause {
  const found = facts.get(node);
  const present = (found?.probes ?? []).filter((probe) =>
    probe.stage === stage && probe.answer.is === "present"
  );
  const filter = found === undefined ? [] : [found.filter];
  return {
    kind: "not-yet-complete",
    on: node,
    what:
      `${
        path.from === node ? "the way" : `the way to ${path.to}`
      } is open though ${node}'s journal does not call ${stage} complete` +
      (present.length > 0
        ? ": some of what it does is there already"
        : ": the node let it through before"),
    evidence: present.length > 0
      ? present.map(({ asked }) => evidence(asked))
      : filter.map((asked) => evidence(asked)),
    remedies: [makeStage(stage, node)],
  };
}

function unexplained(path: Path, { control }: PathFindings): Cause {
  const found = control.get(path.from)?.get(path.to);
  return {
    kind: "unknown",
    on: path.from,
    what: "nothing that the stages did is missing: look for what else drops " +
      "packets (nftables beside iptables, a policy, a cloud's firewall)",
    evidence: found === undefined ? [] : [controlEvidence(path.from, found)],
    remedies: [onNode(path.from, cmd`nft list ruleset`)],
  };
}
