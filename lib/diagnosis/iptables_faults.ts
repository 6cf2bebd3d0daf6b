/**
 * What a rule of iptables can be the cause of: what it drops, and what it
 * rewrites. Pure.
 */
import type { ClusterNode } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import { familyOf } from "../net/cidr.ts";
import { natRules } from "../net/nft_nat_rules.ts";
import { type Verdict, words } from "../net/iptables.ts";
import type { Cause } from "./cause.ts";
import {
  evidence,
  iptablesOf,
  type NodeFacts,
  type ProbeFact,
} from "./evidence.ts";
import { undone } from "./faults.ts";
import { makeStage, onNode, type Remedy } from "./remedy.ts";

/**
 * Why a node's filter does not let a packet through.
 *
 * @param chain the built-in chain in which its way ends
 * @param verdict what ends it: a rule, or the chain's policy
 */
export function dropCause(
  facts: NodeFacts,
  chain: string,
  verdict: Verdict,
): Cause {
  const { target, rule } = verdict;
  const { node: { name: node }, filter } = facts;
  const cause = { kind: "rule", on: node } as const;
  if (rule !== undefined) {
    return {
      ...cause,
      what: foreignRuleWords(node, chain, verdict),
      evidence: [evidence(filter, rule)],
      remedies: [deleteRule(facts.node, "filter", rule)],
    };
  }
  const lost = undone(facts, "06-forwarding", (argv) => argv.includes("-C"));
  if (chain !== "FORWARD" || lost.length === 0) {
    return {
      ...cause,
      what: `${node}'s chain ${chain} drops what nothing accepts`,
      evidence: [evidence(filter, `-P ${chain} ${target}`)],
      remedies: [
        onNode(node, cmd`${iptablesOf(facts.node)} -w -P ${chain} ACCEPT`),
      ],
    };
  }
  return {
    ...cause,
    what: `${node} lacks ${
      lost.length === 1 ? "a rule" : `${lost.length} rules`
    } of 06-forwarding, so its chain FORWARD drops by its policy`,
    evidence: [
      ...lost.map(({ asked }) => evidence(asked)),
      evidence(filter, `-P ${chain} ${target}`),
    ],
    remedies: [makeStage("06-forwarding", node)],
  };
}

/** What a rule of somebody's does in a chain of a node, in words. */
export function foreignRuleWords(
  node: string,
  chain: string,
  { target, maybe }: Verdict,
): string {
  return `a rule of ${node} that is not this tool's ` +
    `${maybe ? "may say" : "says"} ${target} in ${chain}`;
}

/**
 * What a node's NAT does with what leaves it: our rules of nftables, in the words
 * of iptables, ahead of those of iptables itself.
 */
export function natText({ node, nat, probes }: NodeFacts): string {
  const own = ownTable(probes)?.asked.outcome.stdout ?? "";
  return [...natRules(own, familyOf(node.address)), nat.outcome.stdout]
    .join("\n");
}

/** What the probe of our chain of nftables says, where stage 07 has one. */
function ownTable(probes: NodeFacts["probes"]): ProbeFact | undefined {
  return probes.find(({ stage, asked }) =>
    stage === "07-masquerade" && asked.command.argv[0] === "nft"
  );
}

/**
 * A rule of nat rewrites what it should leave alone.
 *
 * @param rule as `iptables -S` prints it
 * @param between whether both ends are pods
 * @param seen whose address the receiver saw, in words
 */
export function rewriteCause(
  { node, nat, probes }: NodeFacts,
  rule: string,
  between: boolean,
  seen: string,
): Cause {
  const own = ownTable(probes);
  const isOwn = own !== undefined &&
    natRules(own.asked.outcome.stdout, familyOf(node.address)).includes(rule);
  const found = own?.answer.is === "absent" ? own.answer.found : undefined;
  return {
    kind: "masquerade",
    on: node.name,
    what: `a rule of ${node.name} also rewrites ` +
      (between
        ? "what pods send to pods: every ping passes, and Kubernetes' rule " +
          "of no NAT between pods is broken"
        : `this path: the receiver saw ${seen}`),
    evidence: [isOwn ? evidence(own.asked, found) : evidence(nat, rule)],
    remedies: [
      ...(isOwn ? [] : [deleteRule(node, "nat", rule)]),
      makeStage("07-masquerade", node.name),
    ],
  };
}

/** What takes a rule away that `iptables -S` printed. */
export function deleteRule(
  node: ClusterNode,
  table: string,
  rule: string,
): Remedy {
  const [, ...rest] = words(rule);
  return onNode(
    node.name,
    cmd`${iptablesOf(node)} -w -t ${table} -D ${rest}`,
  );
}
