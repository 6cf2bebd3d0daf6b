/** What ends packets in iptables, or keeps their answers from coming back. Pure. */
import { routerName } from "../../cluster/segments.ts";
import { familyOf } from "../../net/cidr.ts";
import { cmd } from "../../exec/command.ts";
import {
  enoughHops,
  type Packet,
  readTable,
  traverse,
  type Verdict,
  words,
} from "../../net/iptables.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import {
  calledShapes,
  isShape,
  type PacketHook,
  packetsOf,
  shapesOf,
} from "./packets.ts";
import type { KernelSurvey } from "./survey.ts";
import { translationObstacle } from "./translation.ts";

/** The chains of a table that hang at a hook. */
const chains: Readonly<Record<string, readonly PacketHook[]>> = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  security: ["INPUT", "FORWARD", "OUTPUT"],
};

const tools = ["iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy"];

/** Verdicts that lose a packet; the last hands it to a program, and there may be none. */
const losing = new Set(["DROP", "REJECT", "NFQUEUE", "QUEUE"]);

interface Chain {
  readonly tool: string;
  readonly table: string;
  /** As `iptables -S` would print it. */
  readonly text: string;
  readonly hook: PacketHook;
}

/** Rules and policies of iptables, by all its programs, that lose packets. */
export function iptablesObstacles(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  return tools.flatMap((tool) =>
    tablesIn(survey.parts.get(tool) ?? "").flatMap(({ table, text }) =>
      (chains[table] ?? []).flatMap((hook) =>
        chainObstacles({ tool, table, text, hook }, survey, traffic)
      )
    )
  );
}

/** Of the node's own chain FORWARD the stages' checks tell, as far as every packet is hit. */
function isToldElsewhere(
  { tool, table, hook }: Chain,
  { space }: KernelSurvey,
): boolean {
  return space.pod === undefined && space.node !== routerName &&
    !tool.endsWith("-legacy") && table === "filter" && hook === "FORWARD";
}

function chainObstacles(
  chain: Chain,
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  const rules = readTable(chain.text);
  const six = chain.tool.startsWith("ip6");
  const found = new Map<string, Obstacle>();
  for (const packet of packetsOf(survey, traffic, chain.hook)) {
    if ((familyOf(packet.source) === 6) !== six) continue;
    // Of a connection, nat sees the first packet alone.
    if (chain.table === "nat" && packet.reply) continue;
    const ends = shapesOf(packet).map((shape) => ({
      shape,
      verdict: traverse(rules, chain.hook, { ...packet, ...shape }),
    }));
    const own = ends.filter(({ shape }) => isShape(packet, shape));
    for (const { verdict } of own) {
      const key = verdict.rule ?? "";
      // A rule for some port or rate is not likely to be about these.
      if (verdict.maybe || found.has(key)) continue;
      const told = isToldElsewhere(chain, survey);
      if (told && verdict.rule === ends[0]?.verdict.rule) continue;
      const hit = ends.filter((end) => end.verdict.rule === verdict.rule)
        .map(({ shape }) => shape);
      const obstacle = obstacleOf(
        {
          ...{ ...chain, packet, verdict, called: calledShapes(hit) },
          isSure: own.every((end) => hit.includes(end.shape)),
        },
        survey,
        traffic,
      );
      if (obstacle !== undefined) found.set(key, obstacle);
    }
  }
  return [...found.values()];
}

function obstacleOf(
  { packet, verdict: { target, rule }, called, isSure, ...chain }: Chain & {
    readonly packet: Packet;
    readonly verdict: Verdict;
    /** Which of such packets are hit, in words; none for all. */
    readonly called: string;
    /** Whether all that were asked about are hit. */
    readonly isSure: boolean;
  },
  survey: KernelSurvey,
  traffic: Traffic,
): Obstacle | undefined {
  const { space } = survey;
  const { tool, table, hook } = chain;
  const hops = rule === undefined ? undefined : hopsLeft(target, rule);
  if (!losing.has(target) && hops === undefined) {
    if (rule === undefined) return undefined;
    const end = { ...chain, rule, target, packet };
    return translationObstacle(end, survey, traffic);
  }
  const remove = rule === undefined
    ? cmd`${tool} -w -t ${table} -P ${hook} ACCEPT`
    : cmd`${tool} -w -t ${table} -D ${words(rule).slice(1)}`;
  return {
    kind: hops === undefined ? "iptables" : "ttl",
    is: isSure ? "loses" : "may lose",
    space,
    what: `${rule === undefined ? "the policy" : "a rule"} of ${hook} in ` +
      `the table ${table} of ${tool} on ${spaceName(space)} ` +
      (hops === undefined ? `says ${target}` : `lets packets end ${hops}`) +
      called + (rule === undefined ? "" : `: ${rule}`),
    evidence: [
      shownIn(
        space,
        cmd`${tool} -t ${table} -S ${hook}`,
        rule ?? `-P ${hook} ${target}`,
      ),
    ],
    remedies: [mendIn(space, remove)],
  };
}

/** Where a rule lets a packet end by its TTL, in words (iptables-extensions(8), TTL, HL). */
function hopsLeft(target: string, rule: string): string | undefined {
  if (target !== "TTL" && target !== "HL") return undefined;
  const [, what = "", number] = /--(?:ttl|hl)-(set|dec) (\d+)/.exec(rule) ?? [];
  const left = what === "set" ? Number(number) : 64 - Number(number);
  return left < enoughHops ? `by its TTL of ${Math.max(left, 0)}` : undefined;
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
