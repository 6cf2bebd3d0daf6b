/**
 * What can be wrong with each part of a node, read from the evidence: one
 * function a part, each giving a cause or nothing. Pure.
 */
import { gatewayOf, segmentAt, segmentsOf } from "../cluster/segments.ts";
import { familyOf, gateway } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import { listed } from "../node/batch.ts";
import type { StageName } from "../stage/stage.ts";
import { nftTable } from "../net/nft_table.ts";
import type { Cause } from "./cause.ts";
import {
  evidence,
  iptablesOf,
  isSetUp,
  type LinkFacts,
  linkNamed,
  linkPart,
  type NodeFacts,
  type ProbeFact,
  type RouteFacts,
  rulesOf,
} from "./evidence.ts";
import { makeStage, newPods, onNode, type Remedy } from "./remedy.ts";

/** Is the bridge there, and up? */
export function bridgeFault(
  { node, links }: NodeFacts,
  { bridge }: Cluster,
): Cause | undefined {
  const found = linkNamed(links, bridge);
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
      remedies: [makeStage("04-bridge", node.name), ...newPods(node.name)],
    };
  }
  if (isSetUp(found)) return undefined;
  return {
    ...cause,
    what: `the bridge ${bridge} is down on ${node.name}`,
    evidence: [evidence(links, linkPart(found))],
    remedies: [makeStage("04-bridge", node.name)],
  };
}

/** Has the bridge the address that pods use as their gateway? */
export function bridgeAddressFault(
  { node, links }: NodeFacts,
  { bridge }: Cluster,
): Cause | undefined {
  const found = linkNamed(links, bridge);
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
    remedies: [makeStage("04-bridge", node.name)],
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
      remedies: cluster.provider === "lab" ? mendUplink(facts, cluster) : [],
    };
  }
  if (
    isSetUp(found) && found.operstate !== "DOWN" &&
    found.operstate !== "LOWERLAYERDOWN"
  ) return undefined;
  return {
    ...cause,
    what: `${found.ifname}, the link of ${node.name} to the other nodes, is ` +
      "down; its routes went with it",
    evidence: [evidence(links, linkPart(found))],
    remedies: [
      onNode(node.name, cmd`ip link set dev ${found.ifname} up`),
      ...(cluster.provider === "lab"
        ? [
          onNode(
            node.name,
            cmd`ip route replace default via ${gatewayOf(cluster, node)}`,
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
  cluster: Cluster,
): readonly Remedy[] {
  const uplink = linkNamed(links, "eth0");
  if (uplink === undefined) return [{ make: "up" }];
  // A link that was down has lost its IPv6 addresses, and the routes with them.
  const [cidr = cluster.segmentCIDR] =
    segmentsOf(cluster)[segmentAt(cluster, node.address)]?.cidrs ?? [];
  const length = cidr.slice(cidr.indexOf("/"));
  const gateway = gatewayOf(cluster, node);
  const nodad = familyOf(node.address) === 6 ? ["nodad"] : [];
  const address = `${node.address}${length}`;
  return [
    ...(isSetUp(uplink) ? [] : [onNode(node.name, cmd`ip link set eth0 up`)]),
    onNode(node.name, cmd`ip addr add ${address} dev eth0 ${nodad}`),
    onNode(node.name, cmd`ip route replace default via ${gateway}`),
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
  cluster: Cluster,
): Cause | undefined {
  const { provider, outside } = cluster;
  const known = listed<RouteFacts>(routes)
    .some(({ dst }) => dst === "default" || dst === outside.address);
  if (known) return undefined;
  return {
    kind: "node-route",
    on: node.name,
    what: `${node.name} has no default route`,
    evidence: [evidence(routes)],
    remedies: provider === "lab"
      ? [
        onNode(
          node.name,
          cmd`ip route add default via ${gatewayOf(cluster, node)}`,
        ),
      ]
      : [],
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
    evidence: [
      evidence(probe.asked, probe.asked.outcome.stdout.split("\n")[0]),
    ],
    remedies: [makeStage("06-forwarding", on)],
  };
}

/** Does the node know the way to another node's pods? */
export function routeFault(
  facts: NodeFacts,
  to: { readonly name: string; readonly podCIDRs: readonly string[] },
): Cause | undefined {
  const on = facts.node.name;
  const probe = undone(facts, "08-routes").find(({ run }) =>
    "argv" in run && to.podCIDRs.some((podCIDR) => run.argv.includes(podCIDR))
  );
  if (probe === undefined) return undefined;
  const { routes } = facts;
  const all = listed<RouteFacts>(routes);
  const { answer } = probe;
  return {
    kind: "route",
    on,
    what: answer.is === "different"
      ? `${on} has another route to the pods of ${to.name}: ${answer.found}`
      : `${on} has no route to the pods of ${to.name} (${
        to.podCIDRs.join(", ")
      })`,
    evidence: to.podCIDRs.map((podCIDR) => {
      const six = familyOf(podCIDR) === 6 ? ["-6"] : [];
      const command = cmd`ip ${six} -j route show exact ${podCIDR}`;
      const there = all.filter(({ dst }) => dst === podCIDR);
      return evidence({ ...routes, command }, there);
    }),
    remedies: [
      ...(answer.is === "different"
        ? to.podCIDRs.map((podCIDR) => onNode(on, cmd`ip route del ${podCIDR}`))
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
  const { answer: { is, ...answer }, asked } = probe;
  if (asked.command.argv[0] === "nft") {
    const found = "found" in answer ? answer.found : undefined;
    return {
      kind: "masquerade",
      on,
      what: `${on} does not masquerade as 07-masquerade wants it, by the ` +
        `chain postrouting of its table ${nftTable.join(" ")} of nftables`,
      evidence: [evidence(asked, found ?? is)],
      remedies: [makeStage("07-masquerade", on)],
    };
  }
  return {
    kind: "masquerade",
    on,
    what: `${on} does not masquerade: its rule in nat POSTROUTING of ${
      iptablesOf(facts.node)
    } is gone`,
    evidence: [
      evidence(probe.asked),
      evidence(facts.nat, rulesOf("POSTROUTING", facts.nat)),
    ],
    remedies: [makeStage("07-masquerade", on)],
  };
}
