/** What mends that packets end in a chain of nftables. Pure. */
import type { Cluster } from "../../cluster/cluster.ts";
import { cmd } from "../../exec/command.ts";
import type { Packet } from "../../net/iptables.ts";
import type { NftChain, NftVerdict } from "../../net/nft_rules.ts";
import { networkHas } from "../../net/route_match.ts";
import { nftProtocol, nftTable } from "../../net/nft_table.ts";
import { makeStage, type Remedy } from "../remedy.ts";
import { mendIn } from "./obstacle.ts";
import type { Space } from "./survey.ts";

/**
 * A rule that is for some packets goes. Of one that ends all that come to it, and
 * of a policy, somebody has a use: what has to pass is let pass ahead of it.
 *
 * @param packets those that end there
 */
export function nftRemedies(
  { family, table, name }: NftChain,
  verdict: NftVerdict | undefined,
  packets: readonly Packet[],
  space: Space,
  cluster: Cluster,
): readonly Remedy[] {
  const rule = verdict?.rule;
  const isForAll = !(rule?.expr ?? []).some((part) =>
    "match" in part || "vmap" in part || "xt" in part
  );
  if (isForAll && verdict?.is !== "expire" && isForeign(table, space)) {
    const isOfIptables = /^ip6? filter FORWARD$/.test(
      `${family} ${table} ${name}`,
    );
    if (isOfIptables && cluster.firewall === "nftables") {
      return [makeStage("06-forwarding", space.node)];
    }
    const passing = [
      ...new Set(packets.flatMap((packet) => matches(packet, family, cluster))),
    ];
    if (passing.length > 0 && !isOfIptables) {
      return passing.map((match) =>
        mendIn(
          space,
          cmd`nft insert rule ${family} ${table} ${name} ${
            match.split(" ")
          } accept`,
        )
      );
    }
  }
  return [mendIn(
    space,
    rule === undefined
      ? cmd`nft chain ${family} ${table} ${name} ${"{ policy accept; }"}`
      : cmd`nft delete rule ${family} ${table} ${rule.chain} handle ${rule.handle}`,
  )];
}

/** Whether a table is a node's, and not ours. */
function isForeign(table: string, { pod }: Space): boolean {
  return pod === undefined && table !== nftTable[1];
}

/** What matches a packet, and those like it; nothing where addresses tell little. */
function matches(
  { source, destination, in: comes }: Packet,
  family: string,
  cluster: Cluster,
): readonly string[] {
  if (!["ip", "ip6", "inet"].includes(family)) return [];
  const ofPods = cluster.clusterCIDRs;
  const isOfPods = [source, destination].some((address) =>
    ofPods.some((cidr) => networkHas(cidr, address))
  );
  if (isOfPods) {
    return ofPods.flatMap((cidr) =>
      ["saddr", "daddr"].map((field) => `${nftProtocol(cidr)} ${field} ${cidr}`)
    );
  }
  const ip = nftProtocol(source);
  return [
    comes === undefined
      ? `${ip} daddr ${destination}`
      : `${ip} saddr ${source}`,
  ];
}
