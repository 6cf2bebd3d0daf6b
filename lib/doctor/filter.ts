/** The doctor's checks of what lets packets through: forwarding, filters, masquerade. Pure. */
import { cmd } from "../exec/command.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  type OneFamily,
  unclear,
  uplinkOf,
} from "./check.ts";
import { evidence, iptablesOf } from "../diagnosis/evidence.ts";
import {
  type Packet,
  readTable,
  traverse,
  type Verdict,
} from "../net/iptables.ts";
import { deleteRule, foreignRuleWords } from "../diagnosis/iptables_faults.ts";
import { makeStage, onNode } from "../diagnosis/remedy.ts";
import {
  firstHost,
  formatAddress,
  parseSubnet,
} from "../../plugin/address/address.ts";
import type { Asked } from "../node/batch.ts";
import {
  bridgedFramesSettings,
  forwardingSwitches,
} from "../steps/forwarding_switch.ts";

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

/** A packet that has to pass, and its name in a sentence. */
interface Sample {
  readonly name: string;
  readonly packet: Packet;
}

/** The second host address of a podCIDR: a pod's, as good as any. */
function podIn(podCIDR: string): string {
  const { family, value } = firstHost(parseSubnet(podCIDR));
  return formatAddress({ family, value: value + 1n });
}

/** What has to pass the chain FORWARD of a node: what its pods send and get. */
export function samples(
  { host }: Pick<CheckContext, "host">,
  { cluster, node, podCIDR }: OneFamily,
): readonly Sample[] {
  if (podCIDR === undefined) return [];
  const own = podIn(podCIDR);
  const uplink = uplinkOf(host, node.addresses)?.name;
  const out = {
    in: cluster.bridge,
    ...(uplink === undefined ? {} : { out: uplink }),
  };
  const back = {
    ...(uplink === undefined ? {} : { in: uplink }),
    out: cluster.bridge,
  };
  const there = (destination: string, reply = false): Packet => (
    { source: own, destination, reply, ...out }
  );
  const here = (source: string, reply = false): Packet => (
    { source, destination: own, reply, ...back }
  );
  const others = cluster.nodes.flatMap(({ name, podCIDRs: [other] }) =>
    name === node.name || other === undefined ? [] : [podIn(other)]
  );
  const outside = cluster.outside.address;
  return [
    ...others.flatMap((other) => [
      {
        name: "what its pods send to pods of other nodes",
        packet: there(other),
      },
      { name: "what pods of other nodes send to its own", packet: here(other) },
      { name: "answers to its pods", packet: here(other, true) },
    ]),
    { name: "what its pods send to the outside", packet: there(outside) },
    { name: "answers from the outside", packet: here(outside, true) },
  ];
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

const masquerade: Check = {
  name: "masquerade",
  well: "what leaves the cluster is masqueraded, and nothing between pods is",
  asks: (context) =>
    byFamily(context).map(({ node }) => cmd`${iptablesOf(node)} -w -t nat -S`),
  read: (context, answers) =>
    byFamily(context).flatMap((one, at) => {
      const asked = answers[at];
      if (asked === undefined || asked.outcome.code !== 0) {
        return [unclear("what is masqueraded", asked)];
      }
      const table = readTable(asked.outcome.stdout);
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
        if (outside) {
          return [lacking(
            context,
            "07-masquerade",
            "what its pods send to the outside is not masqueraded: no answer finds its way back",
            [evidence(asked, `-P POSTROUTING ${target}`)],
          )];
        }
        return [{
          is: maybe ? "warning" : "fault",
          what: `a rule ${maybe ? "may rewrite" : "rewrites"} what pods send ` +
            "to pods: every ping passes, and Kubernetes' rule of no NAT " +
            "between pods is broken",
          evidence: [evidence(asked, rule ?? "")],
          remedies: [
            deleteRule(one.node, "nat", rule ?? ""),
            makeStage("07-masquerade", context.node.name),
          ],
        }];
      });
    }),
};

export const filterChecks: readonly Check[] = [
  ipForward,
  bridgeNf,
  forwardChain,
  masquerade,
];
