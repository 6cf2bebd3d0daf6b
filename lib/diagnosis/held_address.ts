/** An address of one machine that another one holds, too. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { routerName, segmentsOf } from "../cluster/segments.ts";
import { cmd } from "../exec/command.ts";
import { outsideName } from "../lab/names.ts";
import { listed } from "../node/batch.ts";
import type { Cause } from "./cause.ts";
import {
  evidence,
  type LinkFacts,
  linkPart,
  type NodeFacts,
} from "./evidence.ts";
import { onNode } from "./remedy.ts";

/** Has the node an address that is another machine's? */
export function heldAddressFault(
  { node, links }: NodeFacts,
  cluster: Cluster,
): Cause | undefined {
  const owners = ownersIn(cluster);
  for (const link of listed<LinkFacts>(links)) {
    for (const { local, prefixlen } of link.addr_info) {
      const owner = owners.get(local);
      if (owner === undefined || owner === node.name) continue;
      return {
        kind: "duplicate-address",
        on: node.name,
        what: `${node.name} has the address of ${owner}, ${local}, on ` +
          `${link.ifname}: what either sends to the other, or is to get, is lost`,
        evidence: [evidence(links, linkPart(link))],
        remedies: [
          onNode(
            node.name,
            cmd`ip addr del ${local}/${prefixlen} dev ${link.ifname}`,
          ),
        ],
      };
    }
  }
  return undefined;
}

function ownersIn(cluster: Cluster): ReadonlyMap<string, string> {
  const { nodes, outside, provider, segments } = cluster;
  const named = (name: string, addresses: readonly string[]) =>
    addresses.map((address): [string, string] => [address, name]);
  return new Map([
    ...(provider === "lab" ? named(outsideName, outside.gateways) : []),
    ...(segments === undefined ? [] : segmentsOf(cluster)
      .flatMap(({ router }) => named(routerName, router))),
    ...nodes.flatMap(({ name, addresses }) => named(name, addresses)),
  ]);
}
