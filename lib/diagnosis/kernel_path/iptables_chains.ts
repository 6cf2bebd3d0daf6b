/** What ends packets in iptables outside the node's FORWARD of the table filter. Pure. */
import { familyOf } from "../../net/cidr.ts";
import { cmd } from "../../exec/command.ts";
import { type Packet, readTable, traverse, words } from "../../net/iptables.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { type PacketHook, packetsOf } from "./packets.ts";
import type { KernelSurvey } from "./survey.ts";

/** The chains of a table that hang at a hook. */
const chains: Readonly<Record<string, readonly PacketHook[]>> = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};

const tools = ["iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy"];

/** Verdicts that lose a packet, or the memory that brings its answer back. */
const losing = new Set(["DROP", "REJECT"]);

/** Rules and policies of iptables, by all its programs, that lose packets. */
export function iptablesObstacles(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  return tools.flatMap((tool) =>
    tablesIn(survey.parts.get(tool) ?? "").flatMap(({ table, text }) =>
      (chains[table] ?? []).filter((hook) =>
        // Of this chain the stages' own checks tell.
        survey.space.pod !== undefined || tool.endsWith("-legacy") ||
        table !== "filter" || hook !== "FORWARD"
      ).flatMap((hook) =>
        chainObstacles({ tool, table, text, hook }, survey, traffic)
      )
    )
  );
}

interface Chain {
  readonly tool: string;
  readonly table: string;
  /** As `iptables -S` would print it. */
  readonly text: string;
  readonly hook: PacketHook;
}

function chainObstacles(
  { tool, table, text, hook }: Chain,
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  const rules = readTable(text);
  const six = tool.startsWith("ip6");
  const found = new Map<string, Obstacle>();
  for (const packet of packetsOf(survey, traffic, hook)) {
    if ((familyOf(packet.source) === 6) !== six) continue;
    const { target, rule, maybe } = traverse(rules, hook, packet);
    // A rule for some port or rate is not likely to be about these.
    if (!losing.has(target) || maybe) continue;
    const key = rule ?? `-P ${hook} ${target}`;
    if (found.has(key)) continue;
    const delRule = rule === undefined
      ? cmd`${tool} -w -t ${table} -P ${hook} ACCEPT`
      : cmd`${tool} -w -t ${table} -D ${words(rule).slice(1)}`;
    found.set(key, {
      kind: "iptables",
      is: "loses",
      space,
      what: `${rule === undefined ? "the policy" : "a rule"} of ${hook} in ` +
        `the table ${table} of ${tool} on ${spaceName(space)} says ` +
        `${target} to ${called(packet)}`,
      evidence: [shownIn(space, cmd`${tool} -t ${table} -S ${hook}`, key)],
      remedies: [mendIn(space, delRule)],
    });
  }
  return [...found.values()];
}

function called({ source, destination }: Packet): string {
  return `what goes from ${source} to ${destination}`;
}

/** The tables of what `iptables-save` printed, each as `iptables -S` has it. */
function tablesIn(
  saved: string,
): readonly { readonly table: string; readonly text: string }[] {
  return saved.split(/^\*/m).slice(1).map((part) => {
    const [table = "", ...lines] = part.split("\n");
    const text = lines.filter((line) => /^[:-]/.test(line)).map((line) => {
      const [, name = "", policy = ""] = /^:(\S+) (\S+)/.exec(line) ?? [];
      return name === ""
        ? line
        : policy === "-"
        ? `-N ${name}`
        : `-P ${name} ${policy}`;
    }).join("\n");
    return { table, text };
  });
}
