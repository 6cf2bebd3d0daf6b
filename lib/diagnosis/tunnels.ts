/** What is wrong with a node's tunnels, and with the one between two nodes. Pure. */
import { tunnelLink } from "../net/vxlan.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { isTunnelled, tunnelOverhead } from "../cluster/tunnels.ts";
import { cmd, type Command } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import type { Asked } from "../node/batch.ts";
import { tunnelLinkProgram } from "../steps/vxlan_link.ts";
import { bgpQuestion } from "./bgp/answer.ts";
import { bgpFaultBetween } from "./bgp/bgp.ts";
import type { Cause } from "./cause.ts";
import { tunnelLeftovers } from "./tunnel_leftovers.ts";
import { narrowness } from "./tunnel_narrowness.ts";
import { endOf, silence } from "./tunnel_silence.ts";
import {
  ownEnd,
  type TunnelAnswer,
  type TunnelFault,
  unknownFar,
} from "./tunnel_causes.ts";

const program = shellProgram("tunnels.sh", import.meta.url);

/** The nodes to which tunnels lead from this one. */
function farEnds(cluster: Cluster, node: ClusterNode): readonly ClusterNode[] {
  return cluster.nodes.filter((other) =>
    other.name !== node.name && isTunnelled(cluster, node, other)
  );
}

/**
 * The question that tunnelFaults() reads the answer to: eight seconds at most. It
 * calls each far end, and changes nothing. Where BGP joins the nodes, what bird
 * says of its sessions, for faultBetween().
 *
 * @returns none where the node has no tunnels, and no sessions
 */
export function tunnelQuestion(
  cluster: Cluster,
  node: ClusterNode,
): Command | undefined {
  const { vxlan } = cluster;
  if (cluster.bgp !== undefined) return bgpQuestion(cluster);
  const far = farEnds(cluster, node);
  if (vxlan === undefined || far.length === 0) return undefined;
  const ends = far.flatMap((other) => endOf(other) ?? []);
  const local = node.vtep ?? node.address;
  const outers = far.map((other) =>
    `${endOf(other)}=${other.vtep ?? other.address}`
  ).join(" ");
  return {
    ...cmd`sh -c ${program} tunnels ${tunnelLinkProgram} ${tunnelLink} ${vxlan.port} ${
      tunnelOverhead(local)
    } ${local} ${outers} ${ends}`,
    label: `ip -d link show dev ${tunnelLink}`,
  };
}

/** What the node's answer says that is wrong, likeliest first. */
export function tunnelFaults(
  cluster: Cluster,
  node: ClusterNode,
  asked: Asked,
): readonly TunnelFault[] {
  const all = asked.outcome.stdout.split("\n");
  const lines = (name: string) =>
    all.filter((line) => line.startsWith(`${name} `))
      .map((line) => line.slice(name.length + 1));
  // What was cut off tells nothing.
  if (lines("link").length === 0 || lines("after").length === 0) return [];
  const known: TunnelAnswer = { asked, node, cluster, lines };
  const own = ownEnd(known);
  if (own !== undefined) return [{ is: "seen", cause: own }];
  const seen = farEnds(cluster, node).flatMap((far): TunnelFault[] => {
    const cause = unknownFar(known, far);
    return cause === undefined ? [] : [{ far: far.name, is: "seen", cause }];
  });
  const blind = new Set(seen.map(({ far }) => far));
  const silent = farEnds(cluster, node)
    .filter(({ name }) => !blind.has(name))
    .flatMap((far): TunnelFault[] => {
      const fault = silence(known, far) ?? narrowness(known, far);
      return fault === undefined ? [] : [{ ...fault, far: far.name }];
    });
  const old = tunnelLeftovers(known, farEnds(cluster, node));
  return [
    ...seen,
    ...silent,
    ...(old === undefined ? [] : [{ is: "left over", cause: old } as const]),
  ];
}

/**
 * What stage 08 refuses on a node, or fails by, where it has not run: another's link
 * of that name, or what has the tunnels' VNI or port.
 */
export function inTunnelsWay(
  cluster: Cluster,
  node: ClusterNode,
  asked: Asked,
): Cause | undefined {
  const { stdout } = asked.outcome;
  if (cluster.vxlan === undefined || !/^link /m.test(stdout)) return undefined;
  const cause = ownEnd({ asked, node, cluster, lines: () => [] });
  // What is ours, or merely absent, is mended by the stage alone.
  return cause?.kind === "tunnel" && cause.remedies.length > 1
    ? cause
    : undefined;
}

/**
 * Which faults count, likeliest first: those of what the nodes have; also that
 * long packets are lost; or also what shows by pings, which any other fault of
 * the path keeps from coming as well.
 */
const counted = {
  state: ["seen"],
  length: ["seen", "narrow"],
  pings: ["seen", "refused", "mute", "silent", "narrow"],
} as const;

/**
 * The likeliest fault of the tunnel between two nodes, or of their BGP sessions.
 *
 * @param ends what each says of itself
 */
export function faultBetween(
  cluster: Cluster,
  ends: readonly (readonly [ClusterNode, Asked | undefined])[],
  by: keyof typeof counted,
): Cause | undefined {
  if (cluster.bgp !== undefined) return bgpFaultBetween(cluster, ends);
  const [one, other] = ends.map(([node]) => node);
  if (!one || !other || !isTunnelled(cluster, one, other)) return undefined;
  const faults = ends.flatMap(([node, asked]) =>
    asked === undefined ? [] : tunnelFaults(cluster, node, asked)
  ).filter(({ far }) =>
    far === undefined || far === one.name || far === other.name
  );
  for (const kind of counted[by]) {
    const found = faults.find(({ is }) => is === kind);
    if (found !== undefined) return found.cause;
  }
  return undefined;
}
