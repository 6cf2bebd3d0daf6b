/**
 * What can be wrong with each part of a path, read from the evidence: one
 * function a part, each giving a cause or nothing. Pure.
 */
import { familyOf, gateway } from "../net/cidr.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { quote } from "../exec/command.ts";
import {
  type Evidence,
  evidence,
  iptablesOf,
  type LinkFacts,
  linkPart,
  type NodeFacts,
  type PodFacts,
  type ProbeFact,
  type RouteFacts,
} from "./evidence.ts";
import { ifname } from "../cni/runtime.ts";
import type { StageName } from "../stage/stage.ts";
import { type Asked, listed } from "../node/batch.ts";

/** What kind of thing is wrong; for programs that read `-o json`. */
export type CauseKind =
  | "bridge"
  | "bridge-address"
  | "check"
  | "configuration"
  | "dns"
  | "duplicate-address"
  | "executable"
  | "forwarding"
  | "image"
  | "kubelet"
  | "masquerade"
  | "mtu"
  | "neighbour"
  | "node"
  | "node-route"
  | "not-yet-complete"
  | "outside"
  | "pod-address"
  | "pod-link"
  | "pod-route"
  | "receiver"
  | "route"
  | "rp-filter"
  | "rule"
  | "segment"
  | "start"
  | "unknown";

/** The likeliest cause of what was not expected. */
export interface Cause {
  readonly kind: CauseKind;
  /** Where: a node's name, or "outside". */
  readonly on: string;
  /** What is wrong, in a sentence without its full stop. */
  readonly what: string;
  readonly evidence: readonly Evidence[];
  /** The commands that mend it, on the operator's machine. */
  readonly mend: readonly string[];
}

/** Runs a stage again on a node. */
export function makeStage(stage: StageName, node: string): string {
  return `make ${stage} ARGS="--node ${node}"`;
}

/** Runs a command on a node. */
export function onNode(node: string, command: string): string {
  return `scripts/shell.ts --node ${node} -- ${command}`;
}

/** Makes a node's pods anew. */
export function newPods(node: string): string[] {
  return [`make 09-verify ARGS="--undo --node ${node}"`, "make 09-verify"];
}

function linkOf(asked: Asked, name: string): LinkFacts | undefined {
  return listed<LinkFacts>(asked).find(({ ifname }) => ifname === name);
}

const isUp = ({ flags }: LinkFacts) => flags.includes("UP");

/** Is the bridge there, and up? */
export function bridgeFault(
  { node, links }: NodeFacts,
  { bridge }: Cluster,
): Cause | undefined {
  const found = linkOf(links, bridge);
  const cause = { kind: "bridge", on: node.name } as const;
  if (found === undefined) {
    return {
      ...cause,
      what: `the bridge ${bridge} is gone from ${node.name}, and its pods ` +
        "are plugged in nowhere",
      evidence: [
        evidence(
          links,
          listed<LinkFacts>(links).map(({ ifname }) => ifname),
        ),
      ],
      mend: [makeStage("04-bridge", node.name), ...newPods(node.name)],
    };
  }
  if (isUp(found)) return undefined;
  return {
    ...cause,
    what: `the bridge ${bridge} is down on ${node.name}`,
    evidence: [evidence(links, linkPart(found))],
    mend: [makeStage("04-bridge", node.name)],
  };
}

/** Has the bridge the address that pods use as their gateway? */
export function bridgeAddressFault(
  { node, links }: NodeFacts,
  { bridge }: Cluster,
): Cause | undefined {
  const found = linkOf(links, bridge);
  const [podCIDR] = node.podCIDRs;
  if (found === undefined || podCIDR === undefined) return undefined;
  const wanted = gateway(podCIDR);
  const held = found.addr_info
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  if (held.includes(wanted)) return undefined;
  return {
    kind: "bridge-address",
    on: node.name,
    what:
      `the bridge ${bridge} on ${node.name} lacks ${wanted}, its pods' gateway`,
    evidence: [evidence(links, linkPart(found))],
    mend: [makeStage("04-bridge", node.name)],
  };
}

/** Is the node plugged into the segment? */
export function segmentFault(
  facts: NodeFacts,
  cluster: Cluster,
): Cause | undefined {
  const { node, links } = facts;
  const cause = { kind: "segment", on: node.name } as const;
  const found = segmentLink(facts);
  if (found === undefined) {
    return {
      ...cause,
      what: `no link of ${node.name} has its address ${node.address}`,
      evidence: [evidence(links, listed<LinkFacts>(links).map(linkPart))],
      mend: cluster.provider === "lab" ? mendUplink(facts, cluster) : [],
    };
  }
  if (
    isUp(found) && found.operstate !== "DOWN" &&
    found.operstate !== "LOWERLAYERDOWN"
  ) return undefined;
  return {
    ...cause,
    what: `${found.ifname}, the link of ${node.name} to the other nodes, is ` +
      "down; its routes went with it",
    evidence: [evidence(links, linkPart(found))],
    mend: [
      onNode(node.name, `ip link set ${found.ifname} up`),
      ...(cluster.provider === "lab"
        ? [
          onNode(
            node.name,
            `ip route replace default via ${cluster.outside.gateway}`,
          ),
        ]
        : []),
      makeStage("08-routes", node.name),
    ],
  };
}

/** In the lab it is known which link should have which address. */
function mendUplink(
  { node, links }: NodeFacts,
  { segmentCIDR, outside }: Cluster,
): string[] {
  const uplink = linkOf(links, "eth0");
  if (uplink === undefined) return ["make up"];
  // A link that was down has lost its IPv6 addresses, and the routes with them.
  const length = segmentCIDR.slice(segmentCIDR.indexOf("/"));
  const nodad = familyOf(node.address) === 6 ? " nodad" : "";
  return [
    ...(isUp(uplink) ? [] : [onNode(node.name, "ip link set eth0 up")]),
    onNode(node.name, `ip addr add ${node.address}${length} dev eth0${nodad}`),
    onNode(node.name, `ip route replace default via ${outside.gateway}`),
    makeStage("08-routes", node.name),
  ];
}

/** The link by which a node reaches the others: the one that has its address. */
export function segmentLink({ node, links }: NodeFacts): LinkFacts | undefined {
  return listed<LinkFacts>(links).find(({ addr_info }) =>
    addr_info.some(({ local }) => local === node.address)
  );
}

/** Has the node a way to what is no node's? */
export function defaultRouteFault(
  { node, routes }: NodeFacts,
  { provider, outside }: Cluster,
): Cause | undefined {
  const known = listed<RouteFacts>(routes)
    .some(({ dst }) => dst === "default" || dst === outside.address);
  if (known) return undefined;
  return {
    kind: "node-route",
    on: node.name,
    what: `${node.name} has no default route`,
    evidence: [evidence(routes)],
    mend: provider === "lab"
      ? [onNode(node.name, `ip route add default via ${outside.gateway}`)]
      : [],
  };
}

/**
 * Is the pod plugged in, with its address and, where the path needs it, its
 * default route?
 */
export function podFault(
  facts: NodeFacts,
  pod: string,
  cluster: Cluster,
  needsRoute: boolean,
): Cause | undefined {
  const found = facts.pods.find((facts) => facts.pod === pod);
  if (found === undefined) return undefined;
  return podLinkFault(facts, found, cluster) ??
    podInsideFault(facts, found, needsRoute);
}

function podLinkFault(
  { node, links }: NodeFacts,
  { pod, result, links: inside }: PodFacts,
  { bridge }: Cluster,
): Cause | undefined {
  const cause = { kind: "pod-link", on: node.name } as const;
  const name = `pod ${pod} on ${node.name}`;
  const own = linkOf(inside, ifname);
  const veth = result.hostLinks.find((name) => name !== bridge);
  const hostEnd = veth === undefined ? undefined : linkOf(links, veth);
  if (own === undefined || (veth !== undefined && hostEnd === undefined)) {
    return {
      ...cause,
      what: `${ifname} of ${name} is gone` +
        (veth === undefined ? "" : `, and so is its host veth ${veth}`),
      evidence: [evidence(inside)],
      mend: newPods(node.name),
    };
  }
  if (hostEnd === undefined) return undefined;
  const mendLink = (what: string) => [
    onNode(node.name, `ip link set ${hostEnd.ifname} ${what}`),
  ];
  if (hostEnd.master !== bridge) {
    return {
      ...cause,
      what: `${hostEnd.ifname}, the host veth of ${name}, is not plugged ` +
        `into ${bridge}`,
      evidence: [evidence(links, linkPart(hostEnd))],
      mend: mendLink(`master ${bridge}`),
    };
  }
  if (!isUp(hostEnd)) {
    return {
      ...cause,
      what: `${hostEnd.ifname}, the host veth of ${name}, is down`,
      evidence: [evidence(links, linkPart(hostEnd))],
      mend: mendLink("up"),
    };
  }
  if (isUp(own)) return undefined;
  return {
    ...cause,
    what: `${ifname} of ${name} is down; its routes went with it`,
    evidence: [evidence(inside, linkPart(own))],
    mend: newPods(node.name),
  };
}

function podInsideFault(
  { node }: NodeFacts,
  { pod, result, links, routes }: PodFacts,
  needsRoute: boolean,
): Cause | undefined {
  const own = linkOf(links, ifname);
  const name = `pod ${pod} on ${node.name}`;
  if (
    own !== undefined &&
    !own.addr_info.some(({ local }) => local === result.address)
  ) {
    return {
      kind: "pod-address",
      on: node.name,
      what: `${name} lost its address ${result.address}`,
      evidence: [evidence(links, linkPart(own))],
      mend: newPods(node.name),
    };
  }
  const hasDefault = listed<RouteFacts>(routes)
    .some(({ dst }) => dst === "default");
  if (!needsRoute || hasDefault) return undefined;
  return {
    kind: "pod-route",
    on: node.name,
    what: `${name} has no default route`,
    evidence: [evidence(routes)],
    mend: newPods(node.name),
  };
}

/** A stage's probes that no longer find what the stage did. */
export function undone(
  { probes }: NodeFacts,
  stage: StageName,
  about: (argv: readonly string[]) => boolean = () => true,
): readonly ProbeFact[] {
  return probes.filter(({ answer: { is }, ...probe }) =>
    probe.stage === stage && is !== "present" && is !== "unneeded" &&
    about(probe.asked.command.argv)
  );
}

/** Does the node forward at all? */
export function forwardingFault(facts: NodeFacts): Cause | undefined {
  const key = familyOf(facts.node.address) === 4
    ? "net.ipv4.ip_forward"
    : "net.ipv6.conf.all.forwarding";
  const [probe] = undone(facts, "06-forwarding", (argv) => argv.includes(key));
  if (probe === undefined) return undefined;
  const on = facts.node.name;
  return {
    kind: "forwarding",
    on,
    what: `${on} does not forward: ${key} is off`,
    evidence: [evidence(probe.asked)],
    mend: [makeStage("06-forwarding", on)],
  };
}

/** Does the node know the way to another node's pods? */
export function routeFault(
  facts: NodeFacts,
  to: { readonly name: string; readonly podCIDRs: readonly string[] },
): Cause | undefined {
  const on = facts.node.name;
  const [probe] = undone(
    facts,
    "08-routes",
    (argv) => to.podCIDRs.some((podCIDR) => argv.includes(podCIDR)),
  );
  if (probe === undefined) return undefined;
  const { answer } = probe;
  return {
    kind: "route",
    on,
    what: answer.is === "different"
      ? `${on} has another route to the pods of ${to.name}: ${answer.found}`
      : `${on} has no route to the pods of ${to.name} (${
        to.podCIDRs.join(", ")
      })`,
    evidence: [evidence(probe.asked)],
    mend: [
      ...(answer.is === "different"
        ? to.podCIDRs.map((podCIDR) => onNode(on, `ip route del ${podCIDR}`))
        : []),
      makeStage("08-routes", on),
    ],
  };
}

/** Does the node rewrite what its pods send out of the cluster? */
export function masqueradeFault(facts: NodeFacts): Cause | undefined {
  const [probe] = undone(facts, "07-masquerade");
  if (probe === undefined) return undefined;
  const on = facts.node.name;
  return {
    kind: "masquerade",
    on,
    what: `${on} does not masquerade: its rule in nat POSTROUTING of ${
      iptablesOf(facts.node)
    } is gone`,
    evidence: [evidence(probe.asked), evidence(facts.nat)],
    mend: [makeStage("07-masquerade", on)],
  };
}

/** What takes a rule away that `iptables -S` printed. */
export function deleteRule(
  node: ClusterNode,
  table: string,
  rule: string,
): string {
  return onNode(
    node.name,
    `${iptablesOf(node)} -w -t ${quote(table)} ${rule.replace("-A", "-D")}`,
  );
}
