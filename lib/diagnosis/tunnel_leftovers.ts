/** What a node's end of the tunnels has of nodes to which none leads any more. Pure. */
import { readList } from "../net/ip_json.ts";
import { tunnelAddress, tunnelLink, vtepMac } from "../net/vxlan.ts";
import type { ClusterNode } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import type { ForwardingEntry } from "../steps/vxlan_probes.ts";
import type { Cause } from "./cause.ts";
import { onNode } from "./remedy.ts";
import { shownOf, type TunnelAnswer } from "./tunnel_causes.ts";

/** As many are named; each has a line that takes it away. */
const most = 8;

/**
 * Forwarding entries and neighbours that are no far node's: a later node at that
 * address gets what is not its own.
 *
 * @param far the nodes to which tunnels lead
 */
export function tunnelLeftovers(
  known: TunnelAnswer,
  far: readonly ClusterNode[],
): Cause | undefined {
  const { node: { name: on }, lines } = known;
  const macs = new Set(far.map(({ name }) => vtepMac(name)));
  const ends = new Set(
    far.flatMap(({ podCIDRs }) => podCIDRs.map(tunnelAddress)),
  );
  const entries = readList<ForwardingEntry>(lines("entries")[0] ?? "")
    .flatMap(({ mac, dst }) =>
      mac === undefined || dst === undefined || macs.has(mac) ? [] : [{
        text: `the entry ${mac} dst ${dst}`,
        mend: cmd`bridge fdb del ${mac} dev ${tunnelLink} dst ${dst}`,
      }]
    );
  const neighbours = readList<{ dst?: string; lladdr?: string }>(
    lines("neighbours")[0] ?? "",
  ).flatMap(({ dst, lladdr }) =>
    dst === undefined || ends.has(dst) ? [] : [{
      text: `the neighbour ${dst} lladdr ${lladdr}`,
      mend: cmd`ip neigh del ${dst} dev ${tunnelLink}`,
    }]
  );
  const all = [...entries, ...neighbours];
  if (all.length === 0) return undefined;
  const named = all.slice(0, most);
  const texts = named.map(({ text }) => text).join("; ");
  const more = all.length - named.length;
  return {
    kind: "tunnel",
    on,
    what: `${tunnelLink} of ${on} has what belongs to no node that a tunnel ` +
      `leads to: ${texts}${more > 0 ? `; and ${more} more` : ""}`,
    evidence: [
      shownOf(known, cmd`bridge fdb show dev ${tunnelLink}`, texts),
    ],
    remedies: named.map(({ mend }) => onNode(on, mend)),
  };
}
