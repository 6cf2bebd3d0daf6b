/** The doctor's check of policy routing: are pods' packets routed by the main table? Pure. */
import { shellProgram } from "../exec/shell_program.ts";
import { readList } from "../net/ip_json.ts";
import {
  type AnswerPart,
  partOf,
  partsCommand,
  readParts,
} from "../node/parts.ts";
import {
  decidingRule,
  type FibRoute,
  isUsual,
  type PolicyRule,
  policyWords,
  removeRule,
  type RoutedPacket,
  ruleText,
} from "../diagnosis/routing_policy.ts";
import { onNode } from "../diagnosis/remedy.ts";
import { longestMatch } from "../net/route_match.ts";
import { cmd, show } from "../exec/command.ts";
import { type Family, familyOf, gateway } from "../net/cidr.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  unclear,
  uplinkOf,
} from "./check.ts";

/** A text that no part of an answer holds: no link has a name of that length. */
const boundary = "deno-cni-policy-routing";

/** How many other nodes' pods are asked about: a rule that is about one is about most. */
const most = 4;

/** Whether the kernel's routes for pods' packets are those of the main table. */
export const policyRouting: Check = {
  name: "policy-routing",
  well: "no rule of policy routing leads pods' packets past the main table",
  asks: (context) => [{
    ...partsCommand({
      name: "policy",
      program: shellProgram("policy_routing.sh", import.meta.url),
      args: flowsOf(context).map((flow) => flow.join()),
    }, boundary),
    label: "sh -c … policy",
  }],
  read(context, [asked]) {
    const parts = asked && readParts(asked.outcome, boundary);
    if (parts === undefined) {
      return [unclear("by which rules packets are routed", asked)];
    }
    const found = flowsOf(context).flatMap((flow) =>
      findingsOf(flow, parts, context)
    );
    // A rule is told of once, whatever all it is about.
    return [...new Map(found.toReversed()).values()].toReversed();
  },
};

/** Family, destination, source, and the link that such a packet comes in by. */
type Flow = readonly [Family, string, string, string];

/** What pods of the node send, and what comes for them. */
function flowsOf(context: CheckContext): readonly Flow[] {
  const { host, node } = context;
  const uplink = uplinkOf(host, node.addresses)?.name;
  return byFamily(context).flatMap(({ cluster, family, podCIDR }) => {
    const held = host.pods.flatMap(({ addresses }) =>
      addresses.map(({ address }) => address)
    );
    const own = held.find((address) => familyOf(address) === family);
    if (own === undefined || podCIDR === undefined || !uplink) return [];
    const others = cluster.nodes.filter(({ name }) => name !== node.name)
      .flatMap(({ podCIDRs: [first] }) =>
        first === undefined ? [] : [gateway(first).replace(/\/.*/, "")]
      ).slice(0, most);
    return [
      ...[...others, cluster.outside.address].map((
        other,
      ): Flow => [family, other, own, cluster.bridge]),
      ...others.slice(0, 1).map((other): Flow => [family, own, other, uplink]),
    ];
  });
}

function findingsOf(
  flow: Flow,
  parts: readonly AnswerPart[],
  { node: { name: where } }: CheckContext,
): readonly (readonly [string, Finding])[] {
  const [family, destination, source, link] = flow;
  const rules = readList<PolicyRule>(partOf(parts, `rules ${family}`) ?? "");
  if (rules.every(isUsual)) return [];
  const routes = readList<FibRoute>(partOf(parts, `main ${flow}`) ?? "");
  const main = longestMatch(routes, destination);
  const asked = `route ${flow},`;
  return parts.filter(({ name }) => name.startsWith(asked)).flatMap(
    ({ name, text }) => {
      const mark = Number(name.slice(asked.length));
      const packet: RoutedPacket = { source, destination, in: link, mark };
      const found = readList<FibRoute>(text)[0];
      const rule = decidingRule(rules, packet, found);
      const what = rule &&
        policyWords({ where, rule, packet, found, main, said: text });
      if (rule === undefined || what === undefined) return [];
      const get = cmd`ip -j route get fibmatch ${destination} ${[
        ...["from", source, "iif", link],
        ...(mark === 0 ? [] : ["mark", `${mark}`]),
      ]}`;
      return [[ruleText(rule), {
        is: found === undefined && mark === 0 ? "fault" : "warning",
        what,
        evidence: [
          {
            where,
            command: `ip -${family} rule`,
            printed: `${rule.priority}: ${ruleText(rule)}`,
          },
          { where, command: show(get), printed: text.trim() },
        ],
        remedies: [onNode(where, removeRule(family, rule))],
      }]];
    },
  );
}
