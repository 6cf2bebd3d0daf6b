/**
 * The masquerade rule as it stands in many instructions: it lacks the exemption
 * of the pod network, so pods of other nodes see the node's address in place of
 * the pod's.
 * The tour and an exercise put it in place of ours.
 */
import { cmd, type Command, show } from "../exec/command.ts";
import type { NftChainText } from "../net/nft_table.ts";
import { nftChain } from "../steps/nft_chain.ts";
import { ruleIs } from "../steps/probes.ts";
import type { Plan, Stage, Step } from "../stage/stage.ts";

/**
 * Stage 07 with that rule. What it does stands in the nodes' journals as
 * anything that a stage does, so running the real stage takes it back.
 */
export function withWrongMasquerade(masquerade: Stage): Stage {
  const { steps } = masquerade;
  if (steps === undefined) return masquerade;
  return {
    ...masquerade,
    steps: (plan) =>
      steps(plan).map((step) =>
        plan.cluster.firewall === "nftables"
          ? unexemptedChain(step, plan.cluster)
          : unexempted(step)
      ),
  };
}

const why =
  "The rule as it circulates: it rewrites whatever does not leave by " +
  "the bridge, also what is for pods of other nodes";

/** The chain of nftables without the exemption; what is no chain stays as it is. */
function unexemptedChain(step: Step, cluster: Plan["cluster"]): Step {
  const text = "copy" in step.run ? "" : step.run.stdin ?? "";
  const rules = [
    ...text.matchAll(/^add rule \S+ \S+ \S+ (.*) comment "[^"]*"$/gm),
  ]
    .map(([, rule = ""]) => ({
      rule: rule.replace(/ ip6? daddr != \S+/, ""),
      why: "Whatever does not leave by the bridge",
    }));
  if (rules.length === 0) return step;
  const chain: NftChainText = {
    name: "postrouting",
    type: "nat",
    hook: "postrouting",
    priority: ["srcnat", 100],
    rules,
  };
  const wrong = nftChain(why, chain, cluster);
  return { ...wrong, key: `${wrong.key}, without the exemption` };
}

/** A step without the exemption and our mark; steps that are no rule stay as they are. */
function unexempted(step: Step): Step {
  if ("copy" in step.run || !step.run.argv.includes("MASQUERADE")) return step;
  const rule = without(without(step.run.argv, "!", "-d"), "-m", "comment");
  const run: Command = { argv: rule };
  return {
    why,
    doneWhen: ruleIs({ argv: replaced(rule, "-A", "-C") }),
    run,
    undo: unlessGone({ argv: replaced(rule, "-A", "-D") }),
  };
}

/**
 * The arguments without this pair, and without the value that follows
 * (`! -d CIDR`, `-m comment --comment MARK`).
 */
function without(
  [program, ...args]: Command["argv"],
  first: string,
  second: string,
): Command["argv"] {
  const at = args.findIndex((argument, at) =>
    argument === first && args[at + 1] === second
  );
  const length = second === "comment" ? 4 : 3;
  return at < 0 ? [program, ...args] : [program, ...args.toSpliced(at, length)];
}

function replaced(
  [program, ...args]: Command["argv"],
  old: string,
  by: string,
): Command["argv"] {
  return [
    program,
    ...args.map((argument) => argument === old ? by : argument),
  ];
}

/**
 * Deletes a rule of iptables that may have been deleted by hand meanwhile: then
 * iptables exits with 1 (iptables(8), --delete), with more for anything else.
 */
export function unlessGone(deletion: Command): Command {
  const line = show(deletion);
  return { ...cmd`sh -c ${`${line} || [ $? = 1 ]`}`, label: line };
}
