/** What ends frames in the old ebtables, which nftables does not show. Pure. */
import { cmd } from "../../exec/command.ts";
import { words } from "../../net/iptables.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import type { KernelSurvey } from "./survey.ts";

/** Chains of the old ebtables that drop: which frames is not looked at. */
export function ebtablesObstacles(
  { space, parts }: KernelSurvey,
  { bridge }: Traffic,
): readonly Obstacle[] {
  if (bridge === undefined) return [];
  let [table, chain] = ["", ""];
  return (parts.get("ebtables-legacy") ?? "").split("\n").flatMap((line) => {
    table = /^Bridge table: (\w+)/.exec(line)?.[1] ?? table;
    const head = /^Bridge chain: (\S+?), .*policy: (\w+)/.exec(line);
    chain = head?.[1] ?? chain;
    const isPolicy = head?.[2] === "DROP";
    const rule = / -j DROP\b/.test(` ${line}`) ? line.trim() : undefined;
    if (rule === undefined && !isPolicy) return [];
    const tool = "ebtables-legacy";
    return [{
      kind: "bridge-port" as const,
      is: "may lose" as const,
      space,
      what: `${rule === undefined ? "the policy" : "a rule"} of ${chain} in ` +
        `the table ${table} of ${tool} on ${spaceName(space)} says DROP` +
        (rule === undefined ? "" : `: ${rule}`),
      evidence: [shownIn(space, cmd`${tool} -t ${table} -L ${chain}`, line)],
      remedies: [mendIn(
        space,
        rule === undefined
          ? cmd`${tool} -t ${table} -P ${chain} ACCEPT`
          : cmd`${tool} -t ${table} -D ${chain} ${words(rule)}`,
      )],
    }];
  });
}
