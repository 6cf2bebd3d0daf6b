/** What of a node's own firewall drops the tunnels' packets, whatever its rule is about. Pure. */
import { cmd, type Command } from "../exec/command.ts";
import { isNftName } from "../net/nft_name.ts";
import {
  iptablesFor,
  type Packet,
  readTable,
  traverse,
  words,
} from "../net/iptables.ts";
import { readList } from "../net/ip_json.ts";
import { tunnelLink } from "../net/vxlan.ts";
import type { ClusterNode } from "../cluster/cluster.ts";
import type { Cause } from "./cause.ts";
import type { Evidence } from "./evidence.ts";
import { onNode } from "./remedy.ts";
import { shownOf, type TunnelAnswer } from "./tunnel_causes.ts";

/** What drops, and what lets the tunnels' packets pass it. */
interface Dropper {
  readonly what: string;
  readonly look: Command;
  readonly printed: string;
  readonly mend: Command;
}

/**
 * A rule or policy of iptables that is about the tunnels' packets, by what it says;
 * one that dropped packets while the far ends were called; or one of nftables, which
 * need not count, that is about the tunnels' port.
 *
 * @param far the node that does not answer
 * @param ping what showed that nothing comes
 */
export function droppedHere(
  known: TunnelAnswer,
  far: ClusterNode,
  ping: Evidence,
): Cause | undefined {
  const { node: { name }, cluster, lines } = known;
  const port = `${cluster.vxlan?.port ?? 0}`;
  const [found] = [
    ...saidByIptables(known, far).flatMap((line) => ofIptables(line, port)),
    ...lines("drops").flatMap((line) => ofIptables(line, port)),
    ...lines("nft").flatMap((line) => ofNftables(line, port)),
  ];
  if (found === undefined) return undefined;
  const { what, look, printed, mend } = found;
  return {
    kind: "rule",
    on: name,
    what: `${name} drops packets of the tunnels by ${what}`,
    evidence: [shownOf(known, look, printed), ping],
    remedies: [onNode(name, mend)],
  };
}

/** The chains that the tunnels' packets pass as they come in and go out, in their order. */
const passed = [
  ...["raw PREROUTING", "mangle PREROUTING", "mangle INPUT", "filter INPUT"],
  ...["raw OUTPUT", "mangle OUTPUT", "filter OUTPUT", "mangle POSTROUTING"],
];

/**
 * What surely drops a packet of the tunnel: each goes to the tunnels' port, whichever
 * of the nodes began, so that none is an answer to another.
 *
 * @returns lines as ofIptables() takes them
 */
function saidByIptables(
  { node, cluster, lines }: TunnelAnswer,
  far: ClusterNode,
): readonly string[] {
  const own = node.vtep ?? node.address;
  const other = far.vtep ?? far.address;
  const tool = iptablesFor(own);
  const outer = lines("outer").map((line) => line.replace(/^\S+ /, ""));
  const [{ dev = "eth0" } = {}] = outer.flatMap((text) =>
    readList<{ readonly dev?: string }>(text)
  );
  const udp = {
    reply: false,
    protocol: "udp",
    port: cluster.vxlan?.port ?? 0,
  } as const;
  return passed.flatMap((place) => {
    const [table = "", chain = ""] = place.split(" ");
    const printed = lines("chain")
      .filter((line) => line.startsWith(`${tool} ${table} `))
      .map((line) => line.slice(`${tool} ${table} `.length));
    const packet: Packet = ["OUTPUT", "POSTROUTING"].includes(chain)
      ? { ...udp, source: own, destination: other, out: dev }
      : { ...udp, source: other, destination: own, in: dev };
    const verdict = traverse(readTable(printed.join("\n")), chain, packet);
    return verdict.maybe || !["DROP", "REJECT"].includes(verdict.target)
      ? []
      : [
        `${tool} ${table} ${verdict.rule ?? `-P ${chain} ${verdict.target}`}`,
      ];
  });
}

/** @param line the program, the table, and the rule or policy as the program prints it */
function ofIptables(line: string, port: string): readonly Dropper[] {
  const [tool = "", table = "", ...rule] = words(line);
  const [verb, chain = ""] = rule;
  if (!/^ip6?tables$/.test(tool) || chain === "") return [];
  const at = ["-w", "-t", table];
  const accept = ["-p", "udp", "--dport", port, "-j", "ACCEPT"];
  const isPolicy = verb === "-P";
  // Any other may be there for more than the tunnels.
  const isAboutTunnels = rule.some((word) =>
    word === port || word === tunnelLink
  );
  return [{
    what: isPolicy
      ? `the policy of the chain ${chain} (${tool}, table ${table})`
      : `a rule of the chain ${chain} (${tool}, table ${table})`,
    look: cmd`${tool} ${at} -S ${chain}`,
    printed: rule.join(" "),
    mend: isAboutTunnels && !isPolicy
      ? cmd`${tool} ${at} -D ${rule.slice(1)}`
      : cmd`${tool} ${at} -I ${chain} ${accept}`,
  }];
}

/** @param line the family, the table, the chain, and its policy or a rule's handle and text */
function ofNftables(line: string, port: string): readonly Dropper[] {
  const [family = "", table = "", chain = "", handle = "", ...rule] = line
    .split(" ");
  if (![family, table, chain].every(isNftName)) return [];
  const place = [family, table, chain];
  const isPolicy = handle === "policy";
  if (!isPolicy && !/^\d+$/.test(handle)) return [];
  return [{
    what: `${isPolicy ? "the policy" : "a rule"} of the chain ${
      place.join(" ")
    } of nftables`,
    look: cmd`nft -a list chain ${place}`,
    printed: isPolicy ? "policy drop" : rule.join(" "),
    mend: isPolicy
      ? cmd`nft insert rule ${place} udp dport ${port} accept`
      : cmd`nft delete rule ${place} handle ${handle}`,
  }];
}
