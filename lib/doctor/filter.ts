/** The doctor's checks of what lets packets through: forwarding, filters, masquerade. Pure. */
import { cmd } from "../exec/command.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  unclear,
} from "./check.ts";
import { evidence, iptablesOf } from "../diagnosis/evidence.ts";
import { readTable, traverse, type Verdict } from "../net/iptables.ts";
import { deleteRule, foreignRuleWords } from "../diagnosis/iptables_faults.ts";
import { makeStage, onNode } from "../diagnosis/remedy.ts";
import type { Asked } from "../node/batch.ts";
import {
  bridgedFramesSettings,
  forwardingSwitches,
} from "../steps/forwarding_switch.ts";
import { isWithoutIptables, masqueradeCheck } from "./masquerade.ts";
import { type Sample, samples } from "./samples.ts";

const missing = (asked: Asked | undefined) =>
  /No such file or directory/.test(asked?.outcome.stderr ?? "");

const ipForward: Check = {
  name: "ip-forward",
  well: "the node forwards",
  asks: (context) =>
    byFamily(context).map(({ family }) =>
      cmd`sysctl -n ${forwardingSwitches[family]}`
    ),
  read: (context, answers) =>
    byFamily(context).flatMap(({ family }, at) => {
      const asked = answers[at];
      const value = asked?.outcome.stdout.trim();
      if (value === "1") return [];
      const name = forwardingSwitches[family];
      if (asked === undefined || value !== "0") return [unclear(name, asked)];
      const what = `the node does not forward: ${name} is off`;
      return [lacking(context, "06-forwarding", what, [evidence(asked)])];
    }),
};

const bridgeNf: Check = {
  name: "bridge-nf",
  well: "frames on the bridge meet iptables, as Service addresses need it",
  asks: (context) =>
    byFamily(context).map(({ family }) =>
      cmd`sysctl -n ${bridgedFramesSettings[family]}`
    ),
  read: (context, answers) =>
    byFamily(context).flatMap(({ family }, at) => {
      const asked = answers[at];
      const name = bridgedFramesSettings[family];
      if (asked === undefined) return [unclear(name, asked)];
      if (missing(asked)) return [withoutModule(context, asked)];
      const value = asked.outcome.stdout.trim();
      if (value === "1") return [];
      if (value !== "0") return [unclear(name, asked)];
      const what = `${name} is off: a pod that calls a Service whose pod is ` +
        "on the same node gets no answer";
      return [lacking(context, "06-forwarding", what, [evidence(asked)])];
    }),
};

function withoutModule(
  { cluster, node, host }: CheckContext,
  asked: Asked,
): Finding {
  if (cluster.provider === "lab") {
    return {
      is: "does not apply",
      what:
        "this kernel has no br_netfilter loaded, and a lab loads no modules",
    };
  }
  const what = "the module br_netfilter is not loaded: frames on the bridge " +
    "do not meet iptables, and Service addresses fail within a node";
  if (!host.complete.includes("06-forwarding")) {
    return { is: "not yet", what, until: "06-forwarding" };
  }
  return {
    is: "fault",
    what,
    evidence: [evidence(asked)],
    remedies: [
      onNode(node.name, cmd`modprobe br_netfilter`),
      makeStage("06-forwarding", node.name),
    ],
  };
}

/** The samples that a chain FORWARD stops, by what stops them. */
export function stoppedSamples(
  text: string,
  all: readonly Sample[],
): readonly { readonly verdict: Verdict; readonly names: readonly string[] }[] {
  const table = readTable(text);
  const by = new Map<string, { verdict: Verdict; names: string[] }>();
  for (const { name, packet } of all) {
    const verdict = traverse(table, "FORWARD", packet);
    if (verdict.target === "ACCEPT") continue;
    const key = verdict.rule ?? "policy";
    const found = by.get(key) ?? { verdict, names: [] };
    if (!found.names.includes(name)) found.names.push(name);
    by.set(key, found);
  }
  return [...by.values()];
}

const forwardChain: Check = {
  name: "forward-chain",
  well: "the chain FORWARD lets the pods' packets pass",
  asks: (context) =>
    byFamily(context).map(({ node }) =>
      cmd`${iptablesOf(node)} -w -t filter -S`
    ),
  read: (context, answers) =>
    byFamily(context).flatMap((one, at) => {
      const asked = answers[at];
      if (isWithoutIptables(context, asked)) return [];
      if (asked === undefined || asked.outcome.code !== 0) {
        return [unclear("what the chain FORWARD does", asked)];
      }
      const all = samples(context, one);
      return stoppedSamples(asked.outcome.stdout, all).map(
        ({ verdict, names }): Finding => {
          const what = names.length === new Set(all.map(({ name }) =>
              name
            )).size
            ? "what its pods send and get"
            : names.join(", ");
          if (verdict.rule === undefined) {
            return lacking(
              context,
              "06-forwarding",
              `the chain FORWARD is at ${verdict.target}, and no rule accepts ${what}`,
              [evidence(asked, `-P FORWARD ${verdict.target}`)],
            );
          }
          return {
            is: verdict.maybe ? "warning" : "fault",
            what: `${
              foreignRuleWords(context.node.name, "FORWARD", verdict)
            }, to ${what}`,
            evidence: [evidence(asked, verdict.rule)],
            remedies: [deleteRule(one.node, "filter", verdict.rule)],
          };
        },
      );
    }),
};

export const filterChecks: readonly Check[] = [
  ipForward,
  bridgeNf,
  forwardChain,
  masqueradeCheck,
];
