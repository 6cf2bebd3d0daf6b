/** What a node's end of the tunnels is not, and does not know. Pure. */
import { readList } from "../net/ip_json.ts";
import { tunnelAddress, tunnelLink, vtepMac } from "../net/vxlan.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { tunnelMtu, wayMtu } from "../cluster/tunnels.ts";
import { cmd, type Command, show } from "../exec/command.ts";
import type { Asked } from "../node/batch.ts";
import { otherwise, type TunnelLink } from "../steps/vxlan_probes.ts";
import type { Cause } from "./cause.ts";
import type { Evidence } from "./evidence.ts";
import { makeStage, onNode } from "./remedy.ts";

/** Something wrong with a node's tunnels. */
export interface TunnelFault {
  /** The node at the far end; none where it is this end of all tunnels. */
  readonly far?: string;
  /**
   * Seen in what the node has; refused, what comes or goes, by the node itself;
   * mute, where pings pass and TCP does not, which a filter of the far end's may
   * be to blame for; silent, where all that shows is that nothing comes back; or
   * narrow, where short packets come back and long ones do not.
   */
  readonly is: "seen" | "refused" | "mute" | "silent" | "narrow";
  readonly cause: Cause;
}

/** What a node said of its tunnels. */
export interface TunnelAnswer {
  readonly asked: Asked;
  readonly node: ClusterNode;
  readonly cluster: Cluster;
  /** The lines of the answer that begin with this word, without it. */
  readonly lines: (name: string) => readonly string[];
}

/** Evidence for a part of the node's answer: a command that shows the same. */
export function shownOf(
  { node }: TunnelAnswer,
  command: Command,
  printed: string,
): Evidence {
  return { where: node.name, command: show(command), printed };
}

const linkAsked = cmd`ip -d link show dev ${tunnelLink}`;

/** The node's own end: absent, not as it should be, down, or too wide for its ways. */
export function ownEnd(known: TunnelAnswer): Cause | undefined {
  const { node, cluster, lines } = known;
  const on = node.name;
  const mend = [makeStage("08-routes", on)];
  const [link] = readList<TunnelLink>(lines("link")[0] ?? "");
  if (link?.linkinfo === undefined) {
    return {
      kind: "tunnel",
      on,
      what: `${on} has no ${tunnelLink}, its end of the tunnels to other nodes`,
      evidence: [shownOf(known, linkAsked, "nothing")],
      remedies: mend,
    };
  }
  const { vni = 0, port = 0 } = cluster.vxlan ?? {};
  const local = node.vtep ?? node.address;
  const wrong = otherwise(link, { vni, port, local, mac: vtepMac(on) });
  const evidence = [shownOf(known, linkAsked, partOf(link))];
  if (wrong.length > 0) {
    const twin = cluster.nodes.find(({ name }) =>
      name !== on && vtepMac(name) === link.address
    );
    return {
      kind: "tunnel",
      on,
      what: `${tunnelLink} of ${on}, its end of the tunnels, is not as the ` +
        `other nodes know it: ${wrong.join("; ")}` +
        (twin === undefined
          ? ""
          : `: that is the MAC of ${twin.name}, and two ends have one MAC`),
      evidence,
      remedies: [onNode(on, cmd`ip link del ${tunnelLink}`), ...mend],
    };
  }
  if (!link.flags?.includes("UP")) {
    return {
      kind: "tunnel",
      on,
      what: `${tunnelLink} of ${on}, its end of the tunnels, is down`,
      evidence,
      remedies: mend,
    };
  }
  const mtu = tunnelMtu(cluster);
  if (mtu === undefined || link.mtu === mtu) return undefined;
  return {
    kind: "mtu",
    on,
    what:
      `${tunnelLink} of ${on} takes packets of ${link.mtu} bytes, and the ` +
      `ways between the nodes, which take ${wayMtu(cluster)}, leave the ` +
      `tunnel ${mtu}`,
    evidence,
    remedies: mend,
  };
}

function partOf({ address, mtu, flags, linkinfo }: TunnelLink): string {
  const { id, port, local, local6 } = linkinfo?.info_data ?? {};
  const own = local ?? local6;
  return JSON.stringify({ address, mtu, flags, id, port, local: own });
}

interface Entry {
  readonly dst?: string;
  readonly lladdr?: string;
  readonly mac?: string;
}

/** What the node has to know of the far end, and does not. */
export function unknownFar(
  known: TunnelAnswer,
  far: ClusterNode,
): Cause | undefined {
  const { node, lines } = known;
  const on = node.name;
  const mac = vtepMac(far.name);
  const address = far.vtep ?? far.address;
  const remedies = [makeStage("08-routes", on)];
  const entries = readList<Entry>(lines("entries")[0] ?? "");
  const own = entries.filter((entry) => entry.mac === mac);
  if (!own.some(({ dst }) => dst === address)) {
    const [other] = own;
    return {
      kind: "tunnel",
      on,
      what: other === undefined
        ? `${on} does not know to which node frames for ${mac}, the MAC of ` +
          `${far.name}'s end, go: ${tunnelLink} has no forwarding entry for it`
        : `${tunnelLink} of ${on} sends frames for ${far.name} (${mac}) to ` +
          `${other.dst}, and ${far.name} is ${address}`,
      evidence: [
        shownOf(
          known,
          cmd`bridge fdb show dev ${tunnelLink}`,
          JSON.stringify(own),
        ),
      ],
      remedies,
    };
  }
  const neighbours = readList<Entry>(lines("neighbours")[0] ?? "");
  for (const podCIDR of far.podCIDRs) {
    const end = tunnelAddress(podCIDR);
    const found = neighbours.find(({ dst }) => dst === end);
    if (found?.lladdr === mac) continue;
    return {
      kind: "neighbour",
      on,
      what: found === undefined
        ? `${on} does not know the MAC of ${end}, ${far.name}'s end of the ` +
          "tunnel, and nothing answers when it asks"
        : `${on} takes ${found.lladdr} for the MAC of ${end}, and ` +
          `${far.name}'s is ${mac}`,
      evidence: [
        shownOf(
          known,
          cmd`ip neigh show to ${end} dev ${tunnelLink} nud permanent`,
          found === undefined ? "nothing" : JSON.stringify(found),
        ),
      ],
      remedies,
    };
  }
  return undefined;
}
