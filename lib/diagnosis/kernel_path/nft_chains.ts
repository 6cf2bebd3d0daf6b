/** What ends packets in nftables, of all its families. Pure. */
import { cmd } from "../../exec/command.ts";
import { isNftName } from "../../net/nft_name.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import {
  type Frame,
  type NftRule,
  type NftVerdict,
  walkChain,
} from "./nft_rules.ts";
import { type PacketHook, packetsOf } from "./packets.ts";
import type { KernelSurvey } from "./survey.ts";

interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/** A set or a map. */
interface NftSet {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly elem?: readonly unknown[];
}

interface Ruleset {
  readonly chains: readonly NftChain[];
  readonly rules: readonly NftRule[];
  readonly sets: readonly NftSet[];
}

/**
 * Chains of nftables that drop packets. iptables' own tables are left out where it
 * shows them itself: where the program went, they may have stayed.
 */
export function nftObstacles(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  const { chains, rules, sets } = readRuleset(survey.parts.get("nft") ?? "");
  return chains.filter((chain) =>
    chain.hook !== undefined && !isShownByIptables(chain, survey) &&
    [chain.table, chain.name].every(isNftName)
  ).flatMap((chain) => {
    const inTable = ({ family, table }: Pick<NftChain, "family" | "table">) =>
      family === chain.family && table === chain.table;
    const own = rules.filter(inTable);
    const rulesOf = (name: string) => own.filter(({ chain }) => chain === name);
    const elementsOf = (wanted: string) =>
      sets.find((set) => inTable(set) && set.name === wanted)?.elem ?? [];
    for (const frame of framesOf(chain, survey, traffic)) {
      const verdict = walkChain(rulesOf(chain.name), frame, {
        rulesOf,
        elementsOf,
      });
      if (verdict?.is === "accept") continue;
      if (verdict === undefined && chain.policy !== "drop") continue;
      // Firewalls of the IP families ask for much that is not understood here.
      if (verdict?.maybe === true && ipFamilies.has(chain.family)) continue;
      return [chainObstacle(chain, frame, verdict, survey)];
    }
    return [];
  });
}

const ipFamilies = new Set(["ip", "ip6", "inet"]);

function readRuleset(text: string): Ruleset {
  const objects = readObjects(text);
  return {
    chains: objects.flatMap(({ chain }) => chain ?? []),
    rules: objects.flatMap(({ rule }) => rule ?? []),
    sets: objects.flatMap(({ set, map }) => set ?? map ?? []),
  };
}

function readObjects(
  text: string,
): readonly {
  readonly chain?: NftChain;
  readonly rule?: NftRule;
  readonly set?: NftSet;
  readonly map?: NftSet;
}[] {
  try {
    const { nftables } = JSON.parse(text.trim() || "{}");
    return Array.isArray(nftables) ? nftables : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function isShownByIptables(
  { family, table }: NftChain,
  { parts }: KernelSurvey,
): boolean {
  const shown = parts.get(family === "ip" ? "iptables" : "ip6tables") ?? "";
  return /^ip6?$/.test(family) && shown.trim() !== "" &&
    ["filter", "nat", "mangle", "raw", "security"].includes(table);
}

/** The frames and packets that a chain sees. */
function framesOf(
  chain: NftChain,
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Frame[] {
  const { family, hook = "" } = chain;
  const { flows, bridge, links, linkTo } = traffic;
  if (ipFamilies.has(family) && hook !== "ingress") {
    const name = hook.toUpperCase();
    return isHook(name)
      ? packetsOf(survey, traffic, name).map((packet) => ({ is: "ip", packet }))
      : [];
  }
  if (family === "arp") {
    return flows.map((packet) => ({ is: "arp", packet }));
  }
  const both = (packet: Frame["packet"]): Frame[] => [
    { is: "ip", packet },
    { is: "arp", packet },
  ];
  if (family === "bridge") {
    return flows.filter(({ source, destination }) => {
      const [from, to] = [linkTo(source), linkTo(destination)];
      const [comes, leaves] = [from === bridge, to === bridge];
      if (bridge === undefined || !(comes || leaves)) return false;
      return hook === "forward" ? comes && leaves : true;
    }).flatMap(both);
  }
  const devices = devicesOf(chain, survey).filter((name) => links.has(name));
  const inner = (name: string | undefined) =>
    name !== undefined && name === bridge;
  return devices.flatMap((device) =>
    flows.filter(({ source, destination }) => {
      const link = linkTo(hook === "ingress" ? source : destination);
      return link === device || inner(link);
    }).flatMap(both)
  );
}

function isHook(name: string): name is PacketHook {
  return ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]
    .includes(name);
}

/** A chain's lines in the listing. */
function listing(
  { family, table, name }: NftChain,
  { parts }: KernelSurvey,
): readonly string[] {
  const lines = (parts.get("nft.text") ?? "").split("\n");
  const begins = (from: number, what: string) =>
    lines.findIndex((line, at) =>
      at >= from && line.trim().startsWith(`${what} {`)
    );
  const at = begins(0, `table ${family} ${table}`);
  const begin = at < 0 ? -1 : begins(at, `chain ${name}`);
  if (begin < 0) return [];
  const end = lines.findIndex((line, at) => at > begin && line === "\t}");
  return lines.slice(begin + 1, end).map((line) => line.trim());
}

/** The links that a chain of the family netdev hangs at; the JSON of nft 1.0 leaves them out. */
function devicesOf(
  chain: NftChain,
  survey: KernelSurvey,
): readonly string[] {
  const head = listing(chain, survey).find((line) => line.startsWith("type "));
  const [, one, many = ""] =
    /devices? (?:= )?(?:"([^"]*)"|(\{[^}]*\}))/.exec(head ?? "") ?? [];
  return one === undefined
    ? [...many.matchAll(/"?([^\s",{}]+)"?/g)].map(([, name = ""]) => name)
    : [one];
}

function chainObstacle(
  chain: NftChain,
  { is }: Frame,
  verdict: NftVerdict | undefined,
  survey: KernelSurvey,
): Obstacle {
  const { space } = survey;
  const { family, table, name, hook } = chain;
  const lines = listing(chain, survey);
  const rule = verdict?.rule;
  const place = [family, table, rule?.chain ?? name];
  const shown = rule === undefined
    ? lines.find((line) => line.startsWith("type "))
    : lines.find((line) => line.endsWith(`# handle ${rule.handle}`));
  const expires = verdict?.is === "expire";
  const maybe = verdict?.maybe === true;
  const isForward = hook === "forward" && ipFamilies.has(family);
  return {
    kind: expires ? "ttl" : isForward ? "nft-forward" : "nft",
    is: maybe ? "may lose" : "loses",
    space,
    what: `${rule === undefined ? "the policy" : "a rule"} of the chain ` +
      `${place.join(" ")} of nftables on ${spaceName(space)} ` +
      (expires
        ? `${maybe ? "may let" : "lets"} packets end by its TTL`
        : maybe
        ? "may drop"
        : "drops") +
      (is === "arp" ? " ARP" : "") +
      (rule === undefined || shown === undefined
        ? ""
        : `: ${ruleWords(shown)}`),
    evidence: [shownIn(
      space,
      cmd`nft -a list chain ${place}`,
      shown ?? `policy ${chain.policy ?? ""}`,
    )],
    remedies: [mendIn(
      space,
      rule === undefined
        ? cmd`nft chain ${place} ${"{ policy accept; }"}`
        : cmd`nft delete rule ${place} handle ${rule.handle}`,
    )],
  };
}

/** A rule of the listing, without its handle and what it has counted. */
function ruleWords(line: string): string {
  return line.replace(/ # handle \d+$/, "")
    .replace(/\bcounter packets \d+ bytes \d+/, "counter");
}
