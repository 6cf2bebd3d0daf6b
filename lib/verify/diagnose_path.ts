/**
 * The likeliest cause of what was not expected: walks the parts of a path,
 * those first whose fault brings others with it, and takes the first that the
 * evidence speaks against. Pure.
 */
import { isTunnelled } from "../cluster/tunnels.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { evidence, type NodeFacts, rulesOf } from "../diagnosis/evidence.ts";
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
import { heldAddressFault } from "../diagnosis/held_address.ts";
import {
  dropCause,
  natText,
  rewriteCause,
} from "../diagnosis/iptables_faults.ts";
import { obstacleCause } from "../diagnosis/kernel_path/obstacle_cause.ts";
import { packetTables } from "../diagnosis/kernel_tables/full_tables.ts";
import { podFault } from "../diagnosis/pod_faults.ts";
import { lookOn } from "../diagnosis/remedy.ts";
import { settingFault } from "../diagnosis/setting_faults.ts";
import { faultBetween } from "../diagnosis/tunnels.ts";
import { cmd } from "../exec/command.ts";
import { readTable, traverse } from "../net/iptables.ts";
import { tunnelLink } from "../net/vxlan.ts";
import {
  foreignReceiver,
  noCauseFound,
  openEarly,
  outsideFault,
  outsideSilent,
  type PathFindings,
} from "./diagnose_causes.ts";
import {
  endsAtPod,
  opener,
  type Path,
  startsAtPod,
  type Tried,
  whose,
} from "./matrix.ts";
import { type Hop, leavings, packetsOfPath } from "./packet_flow.ts";
import { endsOf } from "./path_ends.ts";
import { pathObstacles, podsOfPath } from "./path_obstacles.ts";
import { betweenSegments } from "./path_segments.ts";

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
  const [obstacle] = pathObstacles(path, findings);
  if (obstacle?.is === "loses") return obstacleCause(obstacle);
  const [table] = tables(path, findings);
  if (table?.is === "full") return table.cause;
  const tunnel = tunnelFault(path, findings, "pings");
  if (tunnel !== undefined) return tunnel;
  if (obstacle !== undefined) return obstacleCause(obstacle);
  return table?.cause ?? noCauseFound(path, findings);
}

/** What a caller says when another server than stage 09's answers. */
const foreignAnswer = /^(server returned error|something else answered)/;

/** What can keep a path from working, likeliest first. */
function* suspects(
  path: Path,
  findings: PathFindings,
): Generator<Cause | undefined> {
  const { cluster, facts } = findings;
  const from = facts.get(path.from);
  const to = facts.get(path.to);
  const nodes = [...new Set([from, to])].filter((end) => end !== undefined);
  const between = path.from !== path.to;
  const routed = path.kind !== "pod-to-pod-same-node" &&
    path.kind !== "node-to-own-pod" && path.kind !== "pod-to-own-node";
  // Without the outside host, which has the lab's segment, no cable is left.
  // A node's own pods need of its link only the address; it has that when down, too.
  const onSegment = nodes.filter((node) =>
    between ||
    (path.kind === "pod-to-own-node" && segmentLink(node) === undefined)
  );
  if (onSegment.length > 0 && findings.outsideGone !== undefined) {
    yield outsideFault(findings, findings.outsideGone);
  }
  if (path.kind !== "pod-to-pod-same-node") {
    for (const node of nodes) {
      yield settingFault(
        node,
        cluster,
        ({ setting, device }) =>
          setting === "forwarding"
            ? routed
            : between || routed || device === cluster.bridge,
      );
    }
  }
  if (onSegment.length > 0) yield* linking(path, onSegment, findings);
  const withPods = nodes.filter(({ node }) =>
    podsOfPath(path, node).length > 0
  );
  for (const node of withPods) yield bridgeFault(node, cluster);
  for (const node of withPods) {
    if (path.kind !== "pod-to-pod-same-node") {
      yield bridgeAddressFault(node, cluster);
    }
  }
  for (const node of withPods) {
    for (const pod of podsOfPath(path, node.node)) {
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
    yield tunnelFault(path, findings, "state");
    if (endsAtPod(path) && between) yield routeFault(from, to.node);
    // Without a route of its own, the far end knows the way back only if 07 rewrote it.
    if (path.kind === "pod-to-pod-other-node") yield routeFault(to, from.node);
    if (path.kind === "pod-to-other-node") {
      yield masqueradeFault(from);
      yield routeFault(to, from.node);
    }
  }
  if (path.kind === "pod-to-outside" && from !== undefined) {
    yield* outwards(path, from, findings);
  }
}

/** What can keep these machines of a path from others. */
function* linking(
  path: Path,
  onSegment: readonly NodeFacts[],
  findings: PathFindings,
): Generator<Cause | undefined> {
  const { cluster, router } = findings;
  // Without the router, no cable of other segments than the first is left.
  if (router?.is === "gone") yield betweenSegments(path, findings);
  for (const node of onSegment) {
    yield segmentFault(node, cluster) ?? heldAddressFault(node, cluster);
  }
  yield betweenSegments(path, findings);
}

/** What can keep a pod from the outside, beside what its node does for other paths. */
function* outwards(
  path: Path,
  from: NodeFacts,
  findings: PathFindings,
): Generator<Cause | undefined> {
  yield defaultRouteFault(from, findings.cluster);
  yield masqueradeFault(from);
  const [obstacle] = pathObstacles(path, findings);
  if (obstacle?.is === "loses") yield obstacleCause(obstacle);
  const [table] = tables(path, findings);
  if (table?.is === "full") yield table.cause;
  yield* outsideSilent(path, findings);
}

/** The kernel's tables that are full, or will be, on a path's nodes. */
function tables({ from, to }: Path, { facts, cluster }: PathFindings) {
  return packetTables(facts, [from, to], cluster);
}

/** The fault of the tunnel that a path takes to a pod of another node. */
function tunnelFault(
  path: Path,
  { cluster, facts }: PathFindings,
  by: Parameters<typeof faultBetween>[2],
): Cause | undefined {
  if (!endsAtPod(path) || path.from === path.to) return undefined;
  const ends = [path.from, path.to].flatMap((name) => {
    const found = facts.get(name);
    return found === undefined ? [] : [[found.node, found.tunnels] as const];
  });
  return faultBetween(cluster, ends, by);
}

function hops(path: Path, findings: PathFindings): readonly Hop[] {
  const { cluster, unfiltered } = findings;
  const { kind, from } = path;
  if (kind === "pod-to-pod-same-node" && unfiltered.has(from)) return [];
  const ends = endsOf(path, findings);
  if (ends === undefined) return [];
  const [one, other] = [path.from, path.to].map((name) =>
    cluster.nodes.find((node) => node.name === name)
  );
  const tunnelled = endsAtPod(path) && one !== undefined &&
    other !== undefined && one !== other && isTunnelled(cluster, one, other);
  return packetsOfPath(path, ends, cluster, (name) => {
    if (tunnelled) return tunnelLink;
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
    if (found === undefined) continue;
    const table = readTable(natText(found));
    const { target, rule } = traverse(table, "POSTROUTING", packet);
    if (rule === undefined || target === "ACCEPT") continue;
    const wanted = expected.answer === "yes" && expected.as === "node";
    if (wanted && target === "MASQUERADE") continue;
    const between = endsAtPod(path) && startsAtPod(path);
    return rewriteCause(found, rule, between, seen);
  }
  const from = facts.get(path.from);
  const lost = from === undefined ? undefined : masqueradeFault(from);
  const obstacle = pathObstacles(path, findings).find(({ kind }) =>
    kind === "nat"
  );
  if (lost === undefined && obstacle !== undefined) {
    return obstacleCause(obstacle);
  }
  return lost ?? {
    kind: "unknown",
    on: path.from,
    what: `the receiver saw ${seen}, and no rule of nat POSTROUTING that ` +
      "iptables shows explains it",
    evidence: from === undefined
      ? []
      : [evidence(from.nat, rulesOf("POSTROUTING", from.nat))],
    remedies: [lookOn(path.from, cmd`nft list ruleset`)],
  };
}
