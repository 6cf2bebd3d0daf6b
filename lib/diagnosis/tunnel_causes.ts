/** What a node's end of the tunnels is not, and does not know. Pure. */
import { familyOf } from "../net/cidr.ts";
import { readList } from "../net/ip_json.ts";
import { tunnelAddress, tunnelLink, vtepMac } from "../net/vxlan.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { tunnelMtu, wayMtu } from "../cluster/tunnels.ts";
import { cmd, type Command, show } from "../exec/command.ts";
import type { Asked } from "../node/batch.ts";
import { mark } from "../net/mark.ts";
import {
  otherwise,
  type TunnelEnd,
  type TunnelLink,
} from "../steps/vxlan_end.ts";
import { readTunnelLink } from "../steps/vxlan_link.ts";
import { astray, type ForwardingEntry } from "../steps/vxlan_probes.ts";
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
   * be to blame for; silent, where all that shows is that nothing comes back;
   * narrow, where short packets come back and long ones do not; or left over,
   * which keeps nothing from any node of today.
   */
  readonly is: "seen" | "refused" | "mute" | "silent" | "narrow" | "left over";
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
  const { node, cluster, asked } = known;
  const on = node.name;
  const { vni = 0, port = 0 } = cluster.vxlan ?? {};
  const local = node.vtep ?? node.address;
  const end: TunnelEnd = { vni, port, local, mac: vtepMac(on) };
  const { link, obstacle } = readTunnelLink(asked.outcome.stdout, end);
  const wrong = link === undefined ? [] : otherwise(link, end);
  if (link !== undefined && wrong.length > 0) {
    return endCause(
      known,
      link,
      `${tunnelLink} of ${on}, its end of the tunnels, is not as the ` +
        `other nodes know it: ${wrong.join("; ")}${twinOf(known, link)}`,
      link.ifalias === mark ? undefined : cmd`ip link del ${tunnelLink}`,
    );
  }
  if (link?.flags?.includes("UP")) {
    return ownAddresses(known) ?? tooWide(known, link);
  }
  const state = link === undefined
    ? `${on} has no ${tunnelLink}, its end of the tunnels to other nodes`
    : `${tunnelLink} of ${on}, its end of the tunnels, is down`;
  return endCause(
    known,
    link,
    obstacle === undefined ? state : `${state}: ${obstacle.what}`,
    obstacle?.removed,
  );
}

function twinOf(
  { node, cluster }: TunnelAnswer,
  { address }: TunnelLink,
): string {
  const twin = cluster.nodes.find(({ name }) =>
    name !== node.name && vtepMac(name) === address
  );
  return twin === undefined
    ? ""
    : `: that is the MAC of ${twin.name}, and two ends have one MAC`;
}

/** @param first what has to go before the stage makes the link */
function endCause(
  known: TunnelAnswer,
  link: TunnelLink | undefined,
  what: string,
  first: Command | undefined,
): Cause {
  const { node: { name: on } } = known;
  const printed = link === undefined ? "nothing" : partOf(link);
  return {
    kind: "tunnel",
    on,
    what,
    evidence: [shownOf(known, linkAsked, printed)],
    remedies: [
      ...(first === undefined ? [] : [onNode(on, first)]),
      makeStage("08-routes", on),
    ],
  };
}

interface AddressInfo {
  readonly family?: string;
  readonly scope?: string;
  readonly local?: string;
  readonly prefixlen?: number;
}

/** What the node sends to far pods bears the first address of the link. */
function ownAddresses(known: TunnelAnswer): Cause | undefined {
  const { node: { name: on, podCIDRs }, lines } = known;
  const text = lines("addresses")[0];
  if (text === undefined) return undefined;
  const held = readList<{ readonly addr_info?: readonly AddressInfo[] }>(text)
    .flatMap(({ addr_info = [] }) => addr_info)
    .filter(({ scope }) => scope === "global");
  for (const podCIDR of podCIDRs) {
    const own = tunnelAddress(podCIDR);
    const family = familyOf(own);
    const length = family === 4 ? 32 : 128;
    const name = family === 4 ? "inet" : "inet6";
    const all = held.filter((info) => info.family === name);
    const isOwn = ({ local, prefixlen }: AddressInfo) =>
      local === own && prefixlen === length;
    const others = all.filter((info) => !isOwn(info));
    const has = all.some(isOwn);
    // Of IPv6 the kernel takes the address that is nearest to where it sends.
    const isHidden = family === 4 && others.length > 0 && !isOwn(all[0] ?? {});
    if (has && !isHidden) continue;
    const instead = others.map(({ local, prefixlen }) =>
      `${local}/${prefixlen}`
    );
    return {
      kind: "tunnel",
      on,
      what:
        `${tunnelLink} of ${on} ${
          has ? "has its address" : "lacks its address"
        } ${own}/${length}` +
        (instead.length === 0
          ? ""
          : `${has ? " behind" : ", and has"} ${instead.join(", ")}`) +
        ": what the node itself sends to far pods bears another, and the " +
        "answer does not take the tunnel",
      evidence: [
        shownOf(
          known,
          cmd`ip -${family} addr show dev ${tunnelLink}`,
          JSON.stringify(
            all.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
          ),
        ),
      ],
      remedies: [
        ...instead.map((one) =>
          onNode(on, cmd`ip addr del ${one} dev ${tunnelLink}`)
        ),
        makeStage("08-routes", on),
      ],
    };
  }
  return undefined;
}

function tooWide(
  known: TunnelAnswer,
  link: TunnelLink,
): Cause | undefined {
  const { node: { name: on }, cluster } = known;
  const mtu = tunnelMtu(cluster);
  if (mtu === undefined || link.mtu === mtu) return undefined;
  return {
    kind: "mtu",
    on,
    what:
      `${tunnelLink} of ${on} takes packets of ${link.mtu} bytes, and the ` +
      `ways between the nodes, which take ${wayMtu(cluster)}, leave the ` +
      `tunnel ${mtu}`,
    evidence: [shownOf(known, linkAsked, partOf(link))],
    remedies: [makeStage("08-routes", on)],
  };
}

function partOf({ address, mtu, flags, linkinfo }: TunnelLink): string {
  const { id, port, local, local6 } = linkinfo?.info_data ?? {};
  const own = local ?? local6;
  return JSON.stringify({ address, mtu, flags, id, port, local: own });
}

interface Entry extends ForwardingEntry {
  readonly lladdr?: string;
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
  const [other] = own;
  const elsewhere = other && astray(other);
  if (other?.dst !== address || elsewhere !== undefined) {
    return {
      kind: "tunnel",
      on,
      what: other === undefined
        ? `${on} does not know to which node frames for ${mac}, the MAC of ` +
          `${far.name}'s end, go: ${tunnelLink} has no forwarding entry for it`
        : `${tunnelLink} of ${on} sends frames for ${far.name} (${mac}) to ` +
          (elsewhere === undefined
            ? `${other.dst}, and ${far.name} is ${address}`
            : `${other.dst} by another way than the tunnels': ${elsewhere}`),
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
