/** Why the far end of a tunnel does not answer, though the node knows all of it. Pure. */
import { tunnelAddress, tunnelLink } from "../net/vxlan.ts";
import type { ClusterNode } from "../cluster/cluster.ts";
import { cmd, show } from "../exec/command.ts";
import type { Cause } from "./cause.ts";
import type { Evidence } from "./evidence.ts";
import { droppedHere } from "./tunnel_drops.ts";
import { wayAstray } from "./tunnel_ways.ts";
import { onNode, type Remedy } from "./remedy.ts";
import {
  shownOf,
  type TunnelAnswer,
  type TunnelFault,
} from "./tunnel_causes.ts";

/**
 * The address at which another node's end is tried: of the family of this
 * node's podCIDRs that comes first.
 */
export function endOf({ podCIDRs }: ClusterNode): string | undefined {
  const [podCIDR] = podCIDRs;
  return podCIDR === undefined ? undefined : tunnelAddress(podCIDR);
}

/** Packets with a wrong checksum, before the pings and after them. */
function checksumErrors({ lines }: TunnelAnswer): readonly [number, number] {
  const count = (when: string) => {
    const [head = "", values = ""] = lines(when)
      .filter((line) => line.startsWith("Udp: "));
    const at = head.split(" ").indexOf("InCsumErrors");
    const six = lines(when).find((line) => line.startsWith("Udp6InCsumErrors"));
    return Number(values.split(" ")[at] ?? 0) +
      Number(six?.split(/\s+/)[1] ?? 0);
  };
  return [count("before"), count("after")];
}

const statistics = cmd`nstat -asz UdpInCsumErrors Udp6InCsumErrors`;

/** The far end does not answer, though this node knows all of it. */
export function silence(
  known: TunnelAnswer,
  far: ClusterNode,
): Omit<TunnelFault, "far"> | undefined {
  const { node, cluster, lines } = known;
  const end = endOf(far);
  const isSilent = end !== undefined && lines("silent").includes(end);
  const isMute = end !== undefined && lines("mute").includes(end);
  if (end === undefined || !isSilent && !isMute) return undefined;
  const on = node.name;
  const port = cluster.vxlan?.port ?? 0;
  const [local, remote] = [node.vtep ?? node.address, far.vtep ?? far.address];
  const tried = isSilent
    ? cmd`ping -c 1 -W 2 -q ${end}`
    : cmd`timeout 2 bash -c ${`: </dev/tcp/${end}/1`}`;
  const ping = shownOf(known, tried, "no answer");
  const [before, after] = checksumErrors(known);
  if (after > before) {
    const cause = checksumCause(known, far, `${after - before} more`, ping);
    return { is: "refused", cause };
  }
  const dropped = droppedHere(known, far, ping);
  if (dropped !== undefined) return { is: "refused", cause: dropped };
  if (!isSilent) return { is: "mute", cause: muteCause(known, far, ping) };
  const [rule] = lines("rule");
  if (rule !== undefined) {
    return { is: "refused", cause: ruleCause(known, rule, ping) };
  }
  const way = wayAstray(known, far, end);
  if (way !== undefined) return { is: "refused", cause: way };
  const cause: Cause = {
    kind: "tunnel",
    on,
    what:
      `what ${on} sends through the tunnel to ${far.name} gets no answer: ` +
      `UDP port ${port} is dropped between ${local} and ${remote}, or the ` +
      `other end is not as it should be`,
    evidence: [ping],
    remedies: [
      { make: "doctor" },
      {
        say: `let UDP from ${local} to port ${port} of ${remote} pass, and ` +
          "back: in the routers and firewalls between them, and in the " +
          "cloud's security group",
      },
    ],
  };
  return { is: "silent", cause };
}

/** Packets come, and the kernel throws them away. */
function checksumCause(
  known: TunnelAnswer,
  far: ClusterNode,
  count: string,
  ping: Evidence,
): Cause {
  const on = known.node.name;
  return {
    kind: "tunnel",
    on,
    what: `${on} throws away what comes through the tunnel from ${far.name}: ` +
      "its UDP checksum is wrong, which a network card makes of it that is " +
      "to compute it and cannot (checksum offload)",
    evidence: [shownOf(known, statistics, `UdpInCsumErrors: ${count}`), ping],
    remedies: [far.name, on].map((node): Remedy =>
      onNode(node, cmd`ethtool -K ${tunnelLink} tx-checksum-ip-generic off`)
    ),
  };
}

/** Of TCP's checksum a network card is left more to do than of a ping's. */
function muteCause(
  { node: { name: on } }: TunnelAnswer,
  far: ClusterNode,
  tried: Evidence,
): Cause {
  return {
    kind: "tunnel",
    on,
    what: `TCP from ${on} gets no answer through the tunnel to ${far.name}, ` +
      "and pings do: its UDP checksum is wrong, where a network card is to " +
      `compute it and cannot (checksum offload), and ${far.name} throws it away`,
    evidence: [tried],
    remedies: [
      onNode(on, cmd`ethtool -K ${tunnelLink} tx-checksum-ip-generic off`),
      {
        say: `where UdpInCsumErrors of ${far.name} does not grow with each ` +
          "attempt (nstat -asz UdpInCsumErrors), a filter there drops TCP " +
          `that comes by ${tunnelLink}`,
      },
    ],
  };
}

/** @param line the program, and the rule as it prints it */
function ruleCause(
  { node }: TunnelAnswer,
  line: string,
  ping: Evidence,
): Cause {
  const [tool = "", ...rule] = line.split(" ");
  const shownBy = cmd`${tool} -S ${rule[1] ?? ""}`;
  return {
    kind: "rule",
    on: node.name,
    what: `${node.name} drops the tunnels' UDP packets by a rule of its own`,
    evidence: [{
      where: node.name,
      command: show(shownBy),
      printed: rule.join(" "),
    }, ping],
    remedies: [onNode(node.name, cmd`${tool} -w -D ${rule.slice(1)}`)],
  };
}
