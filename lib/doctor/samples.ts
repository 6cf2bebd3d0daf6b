/** Packets that have to pass a node. Pure. */
import type { Packet } from "../net/iptables.ts";
import {
  firstHost,
  formatAddress,
  parseSubnet,
} from "../../plugin/address/address.ts";
import { type CheckContext, type OneFamily, uplinkOf } from "./check.ts";

/** A packet that has to pass, and its name in a sentence. */
export interface Sample {
  readonly name: string;
  readonly packet: Packet;
}

/** The second host address of a podCIDR: a pod's, as good as any. */
function podIn(podCIDR: string): string {
  const { family, value } = firstHost(parseSubnet(podCIDR));
  return formatAddress({ family, value: value + 1n });
}

/** What has to pass the chain FORWARD of a node: what its pods send and get. */
export function samples(
  { host }: Pick<CheckContext, "host">,
  { cluster, node, podCIDR }: OneFamily,
): readonly Sample[] {
  if (podCIDR === undefined) return [];
  const own = podIn(podCIDR);
  const uplink = uplinkOf(host, node.addresses)?.name;
  const out = {
    in: cluster.bridge,
    ...(uplink === undefined ? {} : { out: uplink }),
  };
  const back = {
    ...(uplink === undefined ? {} : { in: uplink }),
    out: cluster.bridge,
  };
  const there = (destination: string, reply = false): Packet => (
    { source: own, destination, reply, ...out }
  );
  const here = (source: string, reply = false): Packet => (
    { source, destination: own, reply, ...back }
  );
  const others = cluster.nodes.flatMap(({ name, podCIDRs: [other] }) =>
    name === node.name || other === undefined ? [] : [podIn(other)]
  );
  const outside = cluster.outside.address;
  return [
    ...others.flatMap((other) => [
      {
        name: "what its pods send to pods of other nodes",
        packet: there(other),
      },
      { name: "what pods of other nodes send to its own", packet: here(other) },
      { name: "answers to its pods", packet: here(other, true) },
    ]),
    { name: "what its pods send to the outside", packet: there(outside) },
    { name: "answers from the outside", packet: here(outside, true) },
  ];
}
