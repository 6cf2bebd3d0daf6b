/** The doctor's check of what leaves the cluster as its node. Pure. */
import { cmd } from "../exec/command.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  shownBy,
  unclear,
} from "./check.ts";
import { evidence, iptablesOf } from "../diagnosis/evidence.ts";
import { readTable, traverse } from "../net/iptables.ts";
import { deleteRule } from "../diagnosis/iptables_faults.ts";
import { natRules } from "../net/nft_nat_rules.ts";
import { askOwnTable, showNatChain } from "../steps/nft_chain.ts";
import { makeStage } from "../diagnosis/remedy.ts";
import type { Asked } from "../node/batch.ts";
import { samples } from "./samples.ts";

/** With rules in nftables, a node needs no iptables. */
export function isWithoutIptables(
  { cluster }: CheckContext,
  asked: Asked | undefined,
): boolean {
  return cluster.firewall === "nftables" &&
    (asked?.outcome.code === 127 ||
      asked?.outcome.ended === "no such command");
}

export const masqueradeCheck: Check = {
  name: "masquerade",
  well: "what leaves the cluster is masqueraded, and nothing between pods is",
  asks: (context) => [
    ...byFamily(context).map(({ node }) =>
      cmd`${iptablesOf(node)} -w -t nat -S`
    ),
    ...(context.cluster.firewall === "nftables" ? [askOwnTable] : []),
  ],
  read: (context, answers) =>
    byFamily(context).flatMap((one, at) => {
      const asked = answers[at];
      const without = isWithoutIptables(context, asked);
      if (asked === undefined || (asked.outcome.code !== 0 && !without)) {
        return [unclear("what is masqueraded", asked)];
      }
      const inNftables = answers[byFamily(context).length];
      const inTable = natRules(inNftables?.outcome.stdout ?? "", one.family);
      const printed = without ? "" : asked.outcome.stdout;
      const table = readTable([...inTable, printed].join("\n"));
      const sent = samples(context, one).filter(({ packet }) =>
        packet.in === one.cluster.bridge
      );
      const told = new Set<string>();
      return sent.flatMap(({ packet }): readonly Finding[] => {
        // POSTROUTING knows no incoming link.
        const { in: _, ...leaving } = packet;
        const { target, rule, maybe } = traverse(table, "POSTROUTING", leaving);
        const rewritten = ["MASQUERADE", "SNAT"].includes(target);
        const outside = packet.destination === one.cluster.outside.address;
        if (rewritten === outside) return [];
        // The check of the packet path tells of a source that is nowhere.
        const to = / --to-source (\S+)$/.exec(rule ?? "")?.[1];
        const own = context.host.links.flatMap(({ addresses }) => addresses);
        const isStrange = target === "SNAT" &&
          !own.some(({ address }) => address === to);
        if (isStrange || told.has(rule ?? "")) return [];
        told.add(rule ?? "");
        // Of a rule that lets it pass the check of the packet path tells.
        if (outside && rule !== undefined) return [];
        const isOwn = rule !== undefined && inTable.includes(rule);
        if (outside) {
          return [lacking(
            context,
            "07-masquerade",
            "what its pods send to the outside is not masqueraded: no answer finds its way back",
            [
              inNftables === undefined
                ? evidence(asked, `-P POSTROUTING ${target}`)
                : shownBy(context, showNatChain),
            ],
          )];
        }
        return [{
          is: maybe ? "warning" : "fault",
          what: `a rule ${maybe ? "may rewrite" : "rewrites"} what pods send ` +
            "to pods: every ping passes, and Kubernetes' rule of no NAT " +
            "between pods is broken",
          evidence: [
            isOwn
              ? shownBy(context, showNatChain)
              : evidence(asked, rule ?? ""),
          ],
          remedies: [
            ...(isOwn ? [] : [deleteRule(one.node, "nat", rule ?? "")]),
            makeStage("07-masquerade", context.node.name),
          ],
        }];
      });
    }),
};
