/** The causes of paths that no part of a node is to blame for, and what a diagnosis knows. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Cause } from "../diagnosis/cause.ts";
import {
  type Evidence,
  evidence,
  type NodeFacts,
  rulesOf,
} from "../diagnosis/evidence.ts";
import type { RouterAnswer } from "../diagnosis/segments/router_answer.ts";
import { lookOn, makeStage } from "../diagnosis/remedy.ts";
import { cmd } from "../exec/command.ts";
import { url } from "./http_calls.ts";
import {
  type Addresses,
  endsAtPod,
  type Missing,
  type Observed,
  outside,
  type Path,
  type Tried,
} from "./matrix.ts";
import { nodePort } from "./namespace_pods.ts";

/** All that was found out, for a diagnosis. */
export interface PathFindings {
  readonly cluster: Cluster;
  readonly addresses: Addresses;
  /** The address of each node's pod that answers. */
  readonly servers: ReadonlyMap<string, string>;
  readonly facts: ReadonlyMap<string, NodeFacts>;
  /** What the router between a lab's segments says of itself. */
  readonly router?: RouterAnswer;
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

/** Another server than that of stage 09 answers. */
export function foreignReceiver(
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
    remedies: [lookOn(path.to, cmd`ss -Hltnp ${`sport = :${port}`}`)],
  };
}

/** The host outside the cluster is gone. */
export function outsideFault({ cluster }: PathFindings, why: string): Cause {
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
export function* outsideSilent(
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

/** As many of a stage's steps are shown to be there. */
const most = 3;

/** A way is open that no complete stage has opened. */
export function openEarly(
  { path }: Tried,
  { stage, on: [node] }: Missing,
  { facts }: PathFindings,
): Cause {
  const found = facts.get(node);
  const present = (found?.probes ?? []).filter((probe) =>
    probe.stage === stage && probe.answer.is === "present"
  );
  // Several steps ask the same.
  const asked = [...new Set(present.map(({ asked }) => asked))];
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
    evidence: found === undefined
      ? []
      : asked.length > 0
      ? asked.slice(0, most).map((one) => evidence(one))
      : [evidence(found.filter, rulesOf("FORWARD", found.filter))],
    remedies: [makeStage(stage, node)],
  };
}

/** Nothing that was looked at explains it. */
export function noCauseFound(path: Path, { control }: PathFindings): Cause {
  const found = control.get(path.from)?.get(path.to);
  return {
    kind: "unknown",
    on: path.from,
    what: "nothing that the stages did is missing: look for what else drops " +
      "packets (nftables beside iptables, a policy, a cloud's firewall)",
    evidence: found === undefined ? [] : [controlEvidence(path.from, found)],
    remedies: [lookOn(path.from, cmd`nft list ruleset`)],
  };
}
