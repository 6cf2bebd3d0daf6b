/** Rules of policy routing in a pod that refuse its packets, or send them elsewhere. Pure. */
import { familyOf } from "../../net/cidr.ts";
import { cmd } from "../../exec/command.ts";
import { readList } from "../../net/ip_json.ts";
import { longestMatch } from "../../net/route_match.ts";
import {
  decidingRule,
  type FibRoute,
  isUsual,
  type PolicyRule,
  policyWords,
  refusalSaid,
  removeRule,
  type RoutedPacket,
  ruleText,
} from "../routing_policy.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { ownAddresses } from "./packets.ts";
import type { KernelSurvey } from "./survey.ts";

/** A node's own are among what the kernel itself is asked about. */
export function podRuleObstacles(
  survey: KernelSurvey,
  { flows }: Traffic,
): readonly Obstacle[] {
  const { space, parts } = survey;
  if (space.pod === undefined) return [];
  const own = ownAddresses(survey);
  const of = <Element>(part: string, family: 4 | 6) =>
    readList<Element>(
      (parts.get(part) ?? "").split("\n")[family === 4 ? 0 : 1] ?? "",
    );
  const found = new Map<string, Obstacle>();
  for (const { source, destination } of flows) {
    const family = familyOf(destination);
    const rules = of<PolicyRule>("rules", family);
    if (!own.has(source) || rules.every(isUsual)) continue;
    const packet: RoutedPacket = { source, destination };
    const rule = decidingRule(rules, packet, undefined);
    const main = longestMatch(of<FibRoute>("routes", family), destination);
    if (rule === undefined || found.has(ruleText(rule))) continue;
    const inTable = of<FibRoute>("tables", family)
      .filter(({ table }) => table === rule.table);
    const route = rule.action === undefined
      ? longestMatch(inTable, destination)
      : undefined;
    const said = refusalSaid(rule.action ?? route?.type);
    const refuses = said !== undefined;
    const what = policyWords({
      ...{ where: spaceName(space), rule, packet, main },
      found: refuses ? undefined : route,
      said: said ?? "",
    });
    if (what === undefined) continue;
    found.set(ruleText(rule), {
      kind: "routing-rule",
      is: refuses || route === undefined ? "loses" : "may lose",
      space,
      what,
      evidence: [shownIn(
        space,
        cmd`ip ${`-${family}`} rule`,
        `${rule.priority}: ${ruleText(rule)}`,
      )],
      remedies: [mendIn(space, removeRule(family, rule))],
    });
  }
  return [...found.values()];
}
