/**
 * Chains of others in nftables that drop what is forwarded by their policy. An
 * accept ends only the base chain that it stands in (nft(8), VERDICT
 * STATEMENTS): what such a chain drops is dropped, whatever our table says.
 */
import { cmd, succeeded } from "../exec/command.ts";
import { nftProtocol, nftTable } from "../net/nft_table.ts";
import { isNftName } from "../net/nft_name.ts";
import { UnreachableError } from "../node/node.ts";
import type { AskRemarks } from "../stage/ask_remarks.ts";

interface BaseChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/**
 * The chains of others whose policy drops what is forwarded, each as
 * "FAMILY TABLE CHAIN".
 *
 * @param text what `nft -j list chains` printed
 */
export function readDroppers(text: string): readonly string[] {
  let objects: readonly { readonly chain?: BaseChain }[] = [];
  try {
    const { nftables } = JSON.parse(text);
    if (Array.isArray(nftables)) objects = nftables;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return objects.flatMap(({ chain }) => chain ?? [])
    .filter(({ family, table, name, hook, policy }) =>
      hook === "forward" && policy === "drop" &&
      ["ip", "ip6", "inet"].includes(family) &&
      `${family} ${table}` !== nftTable.join(" ") &&
      isNftName(table) && isNftName(name)
    ).map(({ family, table, name }) => `${family} ${table} ${name}`);
}

/** What a person should know where the rules are written with nftables. */
export const remarkDroppers: AskRemarks = async (
  cluster,
  { nodeOf },
  names,
  options,
) => {
  if (cluster.firewall !== "nftables") return [];
  const nodesBy = new Map<string, string[]>();
  const ask = cmd`nft -j list chains`;
  await Promise.all(names.map(async (name) => {
    try {
      const outcome = await nodeOf(name).run(ask, options);
      const found = succeeded(outcome) ? readDroppers(outcome.stdout) : [];
      for (const chain of found) {
        nodesBy.set(chain, [...nodesBy.get(chain) ?? [], name]);
      }
    } catch (error) {
      // The stage itself tells of such a node.
      if (!(error instanceof UnreachableError)) throw error;
    }
  }));
  return [...nodesBy].map(([chain, nodes]) =>
    remark(chain, nodes.toSorted().join(", "), cluster.clusterCIDRs)
  );
};

function remark(
  chain: string,
  nodes: string,
  clusterCIDRs: readonly string[],
): string {
  const drops = `the chain ${chain} on ${nodes} drops what is forwarded, ` +
    "and an accept of our own table does not undo that";
  if (/^ip6? filter FORWARD$/.test(chain)) {
    return `${drops}: rules of iptables go there, too; on a node without ` +
      `that program, ${openChain(chain)}`;
  }
  const [family] = chain.split(" ");
  const [cidr = ""] = clusterCIDRs.filter((one) =>
    family === "inet" || family === nftProtocol(one)
  );
  const insert = `nft insert rule ${chain} ${nftProtocol(cidr)}`;
  return cidr === ""
    ? drops
    : `${drops}: let pods pass there, too (${insert} saddr ${cidr} accept, and daddr)`;
}

/** Takes the policy of a chain back that nothing has a use for. */
function openChain(chain: string): string {
  return `nft 'chain ${chain} { policy accept; }'`;
}
