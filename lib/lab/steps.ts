/**
 * The steps that make a lab: the segment with the host outside the cluster,
 * then the nodes. lib/lab/machine.sh is what happens at a machine's birth,
 * lib/lab/remove.ts its end.
 */
import { familyOf, ofFamily } from "../net/cidr.ts";
import { mac } from "../net/mac.ts";
import type { Cluster, ClusterNode, Segment } from "../cluster/cluster.ts";
import { cmd, type Command, show } from "../exec/command.ts";
import { bridgeName, labId, outsideName, portName } from "./names.ts";
import {
  gatewaysOf,
  routerName,
  segmentAt,
  segmentsOf,
} from "../cluster/segments.ts";
import { unknown } from "../steps/probes.ts";
import type { Probe, Step } from "../stage/stage.ts";

const machine = `${import.meta.dirname}/machine.sh`;
const remover = `${import.meta.dirname}/remove.ts`;

/**
 * The steps that make a lab, for the operator's machine: the outside host with
 * the segment, the router with further ones where there are, then every node.
 * Pure.
 */
export function labSteps(cluster: Cluster): Step[] {
  return [
    outsideStep(cluster),
    ...(cluster.segments === undefined
      ? []
      : [routerStep(cluster, cluster.segments)]),
    ...cluster.nodes.map(nodeStep(cluster)),
  ];
}

function outsideStep(cluster: Cluster): Step {
  const lab = labId(cluster);
  const { gateways, addresses } = cluster.outside;
  return {
    why: "A segment for the nodes, and on it a host that is not of the " +
      "cluster: their default gateway, which knows no way back to the pods",
    doneWhen: runs(lab, outsideName, "segment"),
    run: told(
      cluster,
      cmd`sh ${machine} outside ${lab} ${outsideName} ${
        onSegment(gateways, cluster)
      } ${mac("segment")} ${addresses.join(",")} ${
        cluster.segments === undefined && !isCrowded(cluster)
          ? []
          : [mtuOf(cluster, 0), routesBeyond(cluster)]
      } ${neighbours(cluster, 0)}`,
    ),
    undo: end(lab, outsideName),
  };
}

function routerStep(cluster: Cluster, segments: readonly Segment[]): Step {
  const lab = labId(cluster);
  const [first, ...further] = segments;
  const beyond = further.flatMap(({ router }, at) => [
    bridgeName(at + 1),
    mac(bridgeName(at + 1)),
    mtuOf(cluster, at + 1),
    onSegment(router, cluster),
  ]);
  return {
    why: "A router between the segments, no node of the cluster: it knows " +
      "the way to every segment, and none to the pods",
    doneWhen: runs(lab, routerName, bridgeName(further.length)),
    run: cmd`sh ${machine} router ${lab} ${routerName} ${
      onSegment(first?.router ?? [], cluster)
    } ${cluster.outside.gateways.join(",")} ${mac(`eth0 ${routerName}`)} ${
      portName(routerName)
    } ${mac(`port ${routerName}`)} ${outsideName} ${bridgeName(0)} ${
      mtuOf(cluster, 0)
    } ${beyond}`,
    undo: end(lab, routerName),
  };
}

function nodeStep(cluster: Cluster): (node: ClusterNode) => Step {
  const lab = labId(cluster);
  return (node) => {
    const { name, address, addresses } = node;
    const at = segmentAt(cluster, address);
    const crowded = isCrowded(cluster);
    const plug = [
      bridgeName(at),
      mtuOf(cluster, at),
      // By the router, which is the default gateway everywhere else.
      ...(at === 0 ? [routesBeyond(cluster)] : crowded ? [""] : []),
    ];
    return {
      why: `A node is a network, mount and UTS namespace that a sleeping ` +
        `process holds; it begins as a machine with Docker on it: no forwarding`,
      node: name,
      doneWhen: runs(lab, name, "eth0"),
      run: told(
        cluster,
        cmd`sh ${machine} node ${lab} ${name} ${
          onSegment(addresses, cluster)
        } ${gatewaysOf(cluster, node).join(",")} ${mac(`eth0 ${name}`)} ${
          portName(name)
        } ${mac(`port ${name}`)} ${at === 0 ? outsideName : routerName} ${
          cluster.segments === undefined && !crowded ? [] : plug
        } ${neighbours(cluster, at, node)}`,
      ),
      undo: end(lab, name),
    };
  };
}

/**
 * Whether so many nodes are in the lab that each is told at its birth who is
 * on its segment. The kernel's table of neighbours (arp(7), gc_thresh3) is one
 * for all machines of the lab, and n nodes would take n² of its 1024 entries.
 */
export function isCrowded({ nodes }: Cluster): boolean {
  return nodes.length > 16;
}

/** The other machines of a segment, as machine.sh takes them; none in a small lab. */
function neighbours(cluster: Cluster, at: number, own?: ClusterNode): string[] {
  if (!isCrowded(cluster)) return [];
  const { nodes, outside } = cluster;
  const others = nodes.filter((node) =>
    node.name !== own?.name && segmentAt(cluster, node.address) === at
  ).map(({ name, addresses }) => [addresses, mac(`eth0 ${name}`)] as const);
  const gateway = [outside.gateways, mac("segment")] as const;
  const all = own === undefined || at > 0 ? others : [gateway, ...others];
  return [
    all.flatMap(([addresses, mac]) =>
      addresses.map((address) => `${address}@${mac}`)
    ).join(","),
  ];
}

/** Of a list of all neighbours a line of the screen tells that there is one. */
function told(cluster: Cluster, command: Command): Command {
  if (!isCrowded(cluster)) return command;
  const [program, ...rest] = command.argv;
  const short: Command["argv"] = [program, ...rest.slice(0, -1)];
  return { ...command, label: `${show({ argv: short })} …` };
}

function mtuOf({ segments }: Cluster, at: number): string {
  return String(segments?.[at]?.mtu ?? 1500);
}

/** The ways from the first segment to the others, as machine.sh takes them. */
function routesBeyond({ segments = [] }: Cluster): string {
  const [first, ...further] = segments;
  return further.flatMap(({ cidrs }) =>
    cidrs.map((cidr) =>
      `${cidr}@${ofFamily(first?.router ?? [], familyOf(cidr))}`
    )
  ).join(",");
}

/** Addresses as machine.sh takes them: with the prefix length of their segment. */
function onSegment(addresses: readonly string[], cluster: Cluster): string {
  return addresses.map((address) => {
    const { cidrs = [] } = segmentsOf(cluster)[segmentAt(cluster, address)] ??
      {};
    const cidr = ofFamily(cidrs, familyOf(address)) ?? cluster.segmentCIDR;
    return address + cidr.slice(cidr.indexOf("/"));
  }).join(",");
}

/** Does the machine run, and is it plugged in? The cable of a node goes with the outside host. */
function runs(lab: string, name: string, link: string): Probe {
  return {
    ask: cmd`sh ${machine} ask ${lab} ${name} ${link}`,
    read(outcome) {
      const answer = outcome.code === 0 ? outcome.stdout.trim() : "";
      if (answer === "alive") return { is: "present", ours: true };
      if (answer === "absent") return { is: "absent" };
      return unknown(outcome, `whether ${name} runs`);
    },
  };
}

function end(lab: string, name: string): Command {
  return cmd`${Deno.execPath()} run --quiet -A ${remover} ${lab} ${name}`;
}
