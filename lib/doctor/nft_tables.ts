/** The doctor's check of other tables of nftables that drop what is forwarded. Pure. */
import { cmd } from "../exec/command.ts";
import { saysAbsent } from "../exec/shell_file.ts";
import { shellProgram } from "../exec/shell_program.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  shownBy,
  unclear,
} from "./check.ts";
import { onNode } from "../diagnosis/remedy.ts";
import { isNftName } from "../net/nft_name.ts";
import {
  type NftChain,
  type NftRuleset,
  readRuleset,
} from "../net/nft_rules.ts";
import { nftProtocol, nftTable } from "../net/nft_table.ts";
import { samples } from "./samples.ts";

const tablesScript = shellProgram("nft_tables.sh", import.meta.url);

const families = new Set(["ip", "ip6", "inet"]);

export const nftables: Check = {
  name: "nftables",
  well: "no other table of nftables drops what is forwarded",
  asks: () => [{
    ...cmd`sh -c ${tablesScript} tables`,
    label: "nft -j list ruleset",
  }],
  read(context, [asked]) {
    if (asked && saysAbsent(asked.outcome)) {
      return [{ is: "does not apply", what: "the node has no nft" }];
    }
    if (asked?.outcome.code !== 0) {
      return [unclear("what nftables has", asked)];
    }
    const ruleset = readRuleset(asked.outcome.stdout);
    return ruleset.chains.filter(({ family, hook, table, name }) =>
      hook === "forward" && families.has(family) && isNftName(table) &&
      isNftName(name)
    ).flatMap((chain) => chainFinding(context, chain, ruleset));
  },
};

/** An accept in one chain does not spare a packet the next one: nft(8), "accept". */
function chainFinding(
  context: CheckContext,
  chain: NftChain,
  { verdict }: NftRuleset,
): readonly Finding[] {
  const { family, table, name, policy } = chain;
  const ofChain = byFamily(context).filter((one) =>
    family === "inet" || (family === "ip6") === (one.family === 6)
  );
  const found = ofChain.flatMap((one) => samples(context, one))
    .map(({ packet }) => verdict(chain, { is: "ip", packet }));
  const drops = policy === "drop" &&
    found.some((verdict) => verdict === undefined || verdict.maybe);
  const rule = found.find((verdict) => verdict?.is === "drop")?.rule;
  const sure = found.some((one) => one?.is === "drop" && !one.maybe);
  if (!drops && rule === undefined) return [];
  // With pods the check of the packet path tells of such rules, and of which packets.
  if (!drops && sure && context.host.pods.length > 0) return [];
  const place = [family, table, name];
  const evidence = [shownBy(context, cmd`nft list chain ${place}`)];
  const stageMakes = `${family} ${table}` === nftTable.join(" ") ||
    (context.cluster.firewall === "nftables" && drops &&
      /^ip6? filter FORWARD$/.test(place.join(" ")));
  if (stageMakes) {
    const what = `the chain ${place.join(" ")} of nftables drops, which ` +
      "accepts where 06-forwarding makes it";
    return [lacking(context, "06-forwarding", what, evidence)];
  }
  const ours = context.cluster.firewall === "nftables"
    ? ["our own table", "our own table does"]
    : ["iptables", "ours in iptables do"];
  return [{
    is: drops || sure ? "fault" : "warning",
    what: drops
      ? `the chain ${place.join(" ")} of nftables drops what is forwarded, ` +
        `whatever ${ours[0]} accepts`
      : `the chain ${place.join(" ")} of nftables has rules that drop` +
        `${
          rule === undefined || rule.chain === name
            ? ""
            : ` (in its chain ${rule.chain})`
        }; ${ours[1]} not overrule them`,
    evidence,
    remedies: ofChain.flatMap(({ cluster: { clusterCIDRs: [cidr = ""] } }) =>
      ["saddr", "daddr"].map((field) =>
        onNode(
          context.node.name,
          cmd`nft insert rule ${place} ${
            nftProtocol(cidr)
          } ${field} ${cidr} accept`,
        )
      )
    ),
  }];
}
