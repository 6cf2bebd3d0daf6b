/**
 * Chains of others in nftables that drop what pods send and get. An accept ends
 * only the base chain that it stands in (nft(8), VERDICT STATEMENTS): what such a
 * chain drops is dropped, whatever our table says.
 */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cmd, succeeded } from "../exec/command.ts";
import {
  addressText,
  end,
  familyOf,
  ofFamily,
  parseCidr,
} from "../net/cidr.ts";
import { type Packet, readTable, traverse } from "../net/iptables.ts";
import { isNftName } from "../net/nft_name.ts";
import { readRuleset } from "../net/nft_rules.ts";
import { nftProtocol, nftTable } from "../net/nft_table.ts";
import { UnreachableError } from "../node/node.ts";
import type { AskRemarks } from "../stage/ask_remarks.ts";

/**
 * All that nftables has, and the link that bears the node's address; then, of the
 * old iptables, which nft does not show, what its own program does, or that it is
 * gone. Without its tables it is not asked: that would make them.
 */
const script = `nft -j list ruleset
ip -o addr show to "$1" | sed -n 's/^[0-9]*: \\([^ @]*\\).*/# link \\1/p'
for tool in iptables ip6tables; do
  grep -qsx filter "/proc/net/\${tool%tables}_tables_names" || continue
  # Its rules are the stage's own.
  case $("$tool" --version 2>/dev/null) in *legacy*) continue ;; esac
  echo "# $tool-legacy"
  command -v "$tool-legacy" >/dev/null || { echo gone; continue; }
  "$tool-legacy" -w -t filter -S
done`;

const ask = (address: string) => ({
  ...cmd`sh -c ${script} ask ${address}`,
  label: "nft -j list ruleset",
});

/** Something that drops, and what is to be done about it. */
interface Dropper {
  readonly what: string;
  readonly advice: string;
}

/**
 * What drops packets of pods that have to be forwarded. The chain FORWARD of
 * iptables in nftables is there until the stage's rules are in it.
 *
 * @param text what the nodes are asked printed
 */
export function readDroppers(
  text: string,
  cluster: Pick<Cluster, "clusterCIDRs" | "bridge" | "nodes">,
  node?: ClusterNode,
): readonly Dropper[] {
  const [ruleset = "", ...parts] = text.split(/^# /m);
  const uplink =
    parts.flatMap((part) => /^link (\S+)/.exec(part)?.[1] ?? [])[0];
  const legacy = parts.filter((part) => !part.startsWith("link "));
  const packets = cluster.clusterCIDRs.flatMap((cidr) =>
    packetsOf(cidr, cluster, uplink, node)
  );
  return [
    ...nftDroppers(ruleset, packets, cluster.clusterCIDRs),
    ...legacy.flatMap((part) => legacyDroppers(part, packets, cluster)),
  ];
}

/** As many other nodes' pods are asked about: a rule may be for one of them. */
const few = 4;

/** What a pod sends to another node's, and gets from it. */
function packetsOf(
  clusterCIDR: string,
  { bridge, nodes }: Pick<Cluster, "bridge" | "nodes">,
  uplink: string | undefined,
  node: ClusterNode | undefined,
): readonly Packet[] {
  const family = familyOf(clusterCIDR);
  const podOf = (one: Pick<ClusterNode, "podCIDRs"> | undefined) => {
    const podCIDR = ofFamily(one?.podCIDRs ?? [], family) ?? clusterCIDR;
    return addressText(parseCidr(podCIDR).network + 2n, family);
  };
  const pod = podOf(node);
  const others = nodes.filter((other) => other !== node)
    .filter(({ podCIDRs }) => ofFamily(podCIDRs, family) !== undefined)
    .slice(0, few).map(podOf);
  // Of the clusterCIDR's last addresses no node of few has one.
  const last = addressText(end(parseCidr(clusterCIDR)) - 2n, family);
  const [out, into] = uplink === undefined
    ? [{}, {}]
    : [{ out: uplink }, { in: uplink }];
  return [...others, last].flatMap((other): Packet[] => [
    { source: pod, destination: other, in: bridge, ...out, reply: false },
    { source: other, destination: pod, ...into, out: bridge, reply: false },
  ]);
}

/** Hooks that forwarded packets pass. */
const hooks = ["prerouting", "forward", "postrouting"];

function nftDroppers(
  text: string,
  packets: readonly Packet[],
  clusterCIDRs: readonly string[],
): readonly Dropper[] {
  const { chains, verdict } = readRuleset(text);
  return chains.filter(({ family, table, name, hook }) =>
    hooks.includes(hook ?? "") && ["ip", "ip6", "inet"].includes(family) &&
    `${family} ${table}` !== nftTable.join(" ") &&
    isNftName(table) && isNftName(name)
  ).flatMap((chain) => {
    const { family, table, name, policy } = chain;
    const found = packets.filter(({ source }) =>
      family === "inet" || family === nftProtocol(source)
    ).map((packet) => {
      const found = verdict(chain, { is: "ip", packet });
      const isSure = found?.maybe === false;
      return isSure ? found : policy === "drop" ? "policy" : undefined;
    });
    const drop = found.find((end) => end === "policy" || end?.is === "drop");
    if (drop === undefined) return [];
    const place = `${family} ${table} ${name}`;
    const inside = drop === "policy" ? name : drop.rule.chain;
    return [{
      what: `the chain ${place}` +
        (inside === name ? "" : ` (in its chain ${inside})`),
      advice: /^ip6? filter FORWARD$/.test(place)
        ? "rules of this stage go there, too"
        : letPass(`nft insert rule ${place}`, family, clusterCIDRs),
    }];
  });
}

function letPass(
  insert: string,
  family: string,
  clusterCIDRs: readonly string[],
): string {
  const lines = clusterCIDRs.filter((cidr) =>
    family === "inet" || family === nftProtocol(cidr)
  ).map((cidr) => `${insert} ${nftProtocol(cidr)} saddr ${cidr} accept`);
  return `let pods pass there, too (${lines.join("; ")}; and daddr)`;
}

function legacyDroppers(
  part: string,
  packets: readonly Packet[],
  { clusterCIDRs }: Pick<Cluster, "clusterCIDRs">,
): readonly Dropper[] {
  const [tool = "", ...lines] = part.split("\n");
  const isSix = tool.startsWith("ip6");
  if (lines[0] === "gone") {
    return [{
      what: `something of ${tool}, whose tables this kernel has and whose ` +
        "program is gone, may be what",
      advice: `install it and look (${tool} -S FORWARD), or boot the node anew`,
    }];
  }
  const table = readTable(lines.join("\n"));
  const [cidr] = clusterCIDRs.filter((cidr) =>
    (familyOf(cidr) === 6) === isSix
  );
  const isDropped = packets.filter(({ source }) =>
    (familyOf(source) === 6) === isSix
  ).some((packet) => {
    const { target, maybe } = traverse(table, "FORWARD", packet);
    return target !== "ACCEPT" && maybe !== true;
  });
  return !isDropped || cidr === undefined ? [] : [{
    what: `the chain FORWARD of ${tool}`,
    advice: `let pods pass there, too ` +
      `(${tool} -w -I FORWARD -s ${cidr} -j ACCEPT; and -d)`,
  }];
}

/** What a person should know where the rules are written with nftables. */
export const remarkDroppers: AskRemarks = async (
  cluster,
  { nodeOf },
  names,
  options,
) => {
  if (cluster.firewall !== "nftables") return [];
  const nodesBy = new Map<string, { found: Dropper; nodes: string[] }>();
  await Promise.all(names.map(async (name) => {
    try {
      const node = cluster.nodes.find((node) => node.name === name);
      const asked = ask(node?.address ?? "");
      const outcome = await nodeOf(name).run(asked, options);
      if (!succeeded(outcome)) return;
      for (const found of readDroppers(outcome.stdout, cluster, node)) {
        const same = nodesBy.get(found.what) ?? { found, nodes: [] };
        nodesBy.set(found.what, { found, nodes: [...same.nodes, name] });
      }
    } catch (error) {
      // The stage itself tells of such a node.
      if (!(error instanceof UnreachableError)) throw error;
    }
  }));
  return [...nodesBy.values()].map(({ found: { what, advice }, nodes }) =>
    `${what} on ${nodes.toSorted().join(", ")} drops what is forwarded, ` +
    `and an accept of our own table does not undo that: ${advice}`
  );
};
