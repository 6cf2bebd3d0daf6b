/** Packets that have to pass a node. Pure. */
import { isTunnelled } from "../cluster/tunnels.ts";
import type { Packet } from "../net/iptables.ts";
import { tunnelLink } from "../net/vxlan.ts";
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
  const { bridge } = cluster;
  const uplink = uplinkOf(host, node.addresses)?.name;
  const there = (destination: string, link = uplink): Packet => ({
    source: own,
    destination,
    reply: false,
    in: bridge,
    ...(link === undefined ? {} : { out: link }),
  });
  const here = (source: string, reply = false, link = uplink): Packet => ({
    source,
    destination: own,
    reply,
    ...(link === undefined ? {} : { in: link }),
    out: bridge,
  });
  const others = cluster.nodes.flatMap((other) => {
    const [first] = other.podCIDRs;
    if (other.name === node.name || first === undefined) return [];
    const link = isTunnelled(cluster, node, other) ? tunnelLink : uplink;
    return [{ pod: podIn(first), link }];
  });
  const outside = cluster.outside.address;
  return [
    ...others.flatMap(({ pod, link }) => [
      {
        name: "what its pods send to pods of other nodes",
        packet: there(pod, link),
      },
      {
        name: "what pods of other nodes send to its own",
        packet: here(pod, false, link),
      },
      { name: "answers to its pods", packet: here(pod, true, link) },
    ]),
    { name: "what its pods send to the outside", packet: there(outside) },
    { name: "answers from the outside", packet: here(outside, true) },
  ];
}
