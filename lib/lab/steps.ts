/**
 * The steps that make a lab: the segment with the host outside the cluster,
 * then the nodes. lib/lab/machine.sh is what happens at a machine's birth,
 * lib/lab/remove.ts its end.
 */
import { familyOf, ofFamily } from "../net/cidr.ts";
import { mac } from "../net/mac.ts";
import type { Cluster, ClusterNode, Segment } from "../cluster/cluster.ts";
import { cmd, type Command, withInput } from "../exec/command.ts";
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
const neighbours = `${import.meta.dirname}/neighbours.sh`;
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
    ...(isCrowded(cluster) ? [introduction(cluster)] : []),
  ];
}

function outsideStep(cluster: Cluster): Step {
  const lab = labId(cluster);
  const { gateways, addresses } = cluster.outside;
  return {
    why: "A segment for the nodes, and on it a host that is not of the " +
      "cluster: their default gateway, which knows no way back to the pods",
    doneWhen: runs(lab, outsideName, "segment"),
    run: cmd`sh ${machine} outside ${lab} ${outsideName} ${
      onSegment(gateways, cluster)
    } ${mac("segment")} ${addresses.join(",")} ${
      cluster.segments === undefined
        ? []
        : [mtuOf(cluster, 0), routesBeyond(cluster)]
    }`,
    undo: end(lab, outsideName),
  };
}

function routerStep(cluster: Cluster, segments: readonly Segment[]): Step {
  const lab = labId(cluster);
  const [first, ...further] = segments;
  const beyond = further.flatMap(({ router }, at) => [
    bridgeName(at + 1),
    mac(`eth${at + 1} ${routerName}`),
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
    const plug = [
      bridgeName(at),
      mtuOf(cluster, at),
      // By the router, which is the default gateway everywhere else.
      ...(at === 0 ? [routesBeyond(cluster)] : []),
    ];
    return {
      why: `A node is a network, mount and UTS namespace that a sleeping ` +
        `process holds; it begins as a machine with Docker on it: no forwarding`,
      node: name,
      doneWhen: runs(lab, name, "eth0"),
      run: cmd`sh ${machine} node ${lab} ${name} ${
        onSegment(addresses, cluster)
      } ${gatewaysOf(cluster, node).join(",")} ${mac(`eth0 ${name}`)} ${
        portName(name)
      } ${mac(`port ${name}`)} ${at === 0 ? outsideName : routerName} ${
        cluster.segments === undefined ? [] : plug
      }`,
      undo: end(lab, name),
    };
  };
}

/**
 * Whether so many nodes are in the lab that each is told who is on its segment.
 * The kernel's table of neighbours (arp(7), gc_thresh3) is one for all machines
 * of the lab, and n nodes would take n² of its 1024 entries.
 */
export function isCrowded({ nodes }: Cluster): boolean {
  return nodes.length > 16;
}

/**
 * What tells the machines of each other. It stands by itself, and not at each
 * one's birth: with one node more the others stay as they are.
 */
function introduction(cluster: Cluster): Step {
  const lab = labId(cluster);
  const stdin = endsOnSegments(cluster).map((line) => `${line}\n`).join("");
  return {
    why:
      "The kernel has one table of neighbours for all machines of a lab, and " +
      "so many have no room in it: each is told who is on its segment",
    doneWhen: answers(
      withInput(cmd`sh ${neighbours} ask ${lab}`, stdin),
      "whether the machines know each other",
    ),
    run: withInput(cmd`sh ${neighbours} tell ${lab}`, stdin),
  };
}

/** The addresses on all segments, as neighbours.sh takes them. */
function endsOnSegments(cluster: Cluster): readonly string[] {
  const { nodes, outside } = cluster;
  const gateways = outside.gateways.map((address) =>
    ["0", outsideName, "segment", address, mac("segment")].join(" ")
  );
  const ends = nodes.flatMap(({ name, address, addresses }) =>
    addresses.map((own) =>
      [
        ...[segmentAt(cluster, address), name, "eth0"],
        ...[own, mac(`eth0 ${name}`)],
      ].join(" ")
    )
  );
  return [...gateways, ...ends];
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
  return answers(
    cmd`sh ${machine} ask ${lab} ${name} ${link}`,
    `whether ${name} runs`,
  );
}

/** What of the machines machine.sh is asked. */
function answers(ask: Command, what: string): Probe {
  return {
    ask,
    read(outcome) {
      const answer = outcome.code === 0 ? outcome.stdout.trim() : "";
      if (answer === "alive") return { is: "present", ours: true };
      if (answer === "absent") return { is: "absent" };
      return unknown(outcome, what);
    },
  };
}

function end(lab: string, name: string): Command {
  return cmd`${Deno.execPath()} run --quiet -A ${remover} ${lab} ${name}`;
}
