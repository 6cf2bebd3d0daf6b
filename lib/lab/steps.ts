/**
 * The steps that make a lab: the segment with the host outside the cluster,
 * then the nodes. lib/lab/machine.sh is what happens at a machine's birth,
 * lib/lab/remove.ts its end.
 */
import { familyOf, ofFamily } from "../net/cidr.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cmd, type Command } from "../exec/command.ts";
import { labId, mac, outsideName, portName } from "./names.ts";
import { unknown } from "../steps/probes.ts";
import type { Probe, Step } from "../stage/stage.ts";

const machine = `${import.meta.dirname}/machine.sh`;
const remover = `${import.meta.dirname}/remove.ts`;

/**
 * The steps that make a lab, for the operator's machine: the outside host with
 * the segment, then every node. Pure.
 */
export function labSteps(cluster: Cluster): Step[] {
  return [outsideStep(cluster), ...cluster.nodes.map(nodeStep(cluster))];
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
    } ${mac("segment")} ${addresses.join(",")}`,
    undo: end(lab, outsideName),
  };
}

function nodeStep(cluster: Cluster): (node: ClusterNode) => Step {
  const lab = labId(cluster);
  return ({ name, addresses }) => ({
    why: `A node is a network, mount and UTS namespace that a sleeping ` +
      `process holds; it begins as a machine with Docker on it: no forwarding`,
    node: name,
    doneWhen: runs(lab, name, "eth0"),
    run: cmd`sh ${machine} node ${lab} ${name} ${
      onSegment(addresses, cluster)
    } ${cluster.outside.gateways.join(",")} ${mac(`eth0 ${name}`)} ${
      portName(name)
    } ${mac(`port ${name}`)} ${outsideName}`,
    undo: end(lab, name),
  });
}

/** Addresses as machine.sh takes them: with the prefix length of their segment. */
function onSegment(
  addresses: readonly string[],
  { segmentCIDRs, segmentCIDR }: Cluster,
): string {
  return addresses.map((address) => {
    const cidr = ofFamily(segmentCIDRs, familyOf(address)) ?? segmentCIDR;
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
