/** What ends packets in nftables, of all its families. Pure. */
import { cmd } from "../../exec/command.ts";
import type { Frame } from "../../net/nft_fields.ts";
import { isNftName } from "../../net/nft_name.ts";
import {
  type NftChain,
  type NftVerdict,
  readRuleset,
} from "../../net/nft_rules.ts";
import { nftRemedies } from "./nft_remedies.ts";
import { type Obstacle, shownIn, spaceName, type Traffic } from "./obstacle.ts";
import {
  calledShapes,
  isShape,
  type PacketHook,
  packetsOf,
  shapesOf,
} from "./packets.ts";
import type { KernelSurvey } from "./survey.ts";

/** Where a packet ends in a chain: by a rule, or by its policy. */
type Verdict = NftVerdict | "policy";

interface End {
  readonly frame: Frame;
  readonly verdict: Verdict;
  /** Which of such packets are hit, in words; nothing for all. */
  readonly called: string;
  /** Whether all that were asked about are lost. */
  readonly isSure: boolean;
}

/**
 * Chains of nftables that drop packets. iptables' own tables are left out where it
 * shows them itself: where the program went, they may have stayed.
 */
export function nftObstacles(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  const { chains, verdict } = readRuleset(survey.parts.get("nft") ?? "");
  return chains.filter((chain) =>
    chain.hook !== undefined && !isShownByIptables(chain, survey) &&
    [chain.table, chain.name].every(isNftName)
  ).flatMap((chain) => {
    const endOf = (frame: Frame): Verdict | undefined => {
      const found = verdict(chain, frame);
      if (found?.is === "accept") return undefined;
      // Firewalls of the IP families ask for much that is not understood here.
      const isUnclear = found?.maybe === true && ipFamilies.has(chain.family);
      if (found !== undefined && !isUnclear) return found;
      return chain.policy === "drop" ? "policy" : undefined;
    };
    const ends = framesOf(chain, survey, traffic)
      .flatMap((frame) => endsOf(frame, endOf));
    return [...Map.groupBy(ends, ({ verdict }) => ruleOf(verdict)).values()]
      .map((same) => chainObstacle(chain, same, survey, traffic));
  });
}

const ipFamilies = new Set(["ip", "ip6", "inet"]);

/** The rule that decided, by its handle, which its table has once; none for a policy. */
function ruleOf(verdict: Verdict | undefined): number | "policy" | undefined {
  return verdict === undefined || verdict === "policy"
    ? verdict
    : verdict.rule.handle;
}

/** Where a frame ends; with IP, each of the packets that it may be. */
function endsOf(
  frame: Frame,
  endOf: (frame: Frame) => Verdict | undefined,
): readonly End[] {
  const { is, packet } = frame;
  if (is === "arp") {
    const verdict = endOf(frame);
    return verdict === undefined
      ? []
      : [{ frame, verdict, called: "", isSure: true }];
  }
  const tried = shapesOf(packet).map((shape) => {
    const frame: Frame = { is, packet: { ...packet, ...shape } };
    return { shape, frame, verdict: endOf(frame) };
  });
  const own = tried.filter(({ shape }) => isShape(packet, shape));
  const isSure = own.every(({ verdict }) => verdict !== undefined);
  return own.flatMap(({ frame, verdict }): readonly End[] => {
    if (verdict === undefined) return [];
    const hit = tried.filter((one) => ruleOf(one.verdict) === ruleOf(verdict))
      .map(({ shape }) => shape);
    return [{ frame, verdict, called: calledShapes(hit), isSure }];
  });
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
  ends: readonly End[],
  survey: KernelSurvey,
  traffic: Traffic,
): Obstacle {
  const { space } = survey;
  const { family, table, name, hook } = chain;
  const [end] = ends;
  const verdict = end?.verdict === "policy" ? undefined : end?.verdict;
  const lines = listing(
    { ...chain, name: verdict?.rule.chain ?? name },
    survey,
  );
  const rule = verdict?.rule;
  const place = [family, table, rule?.chain ?? name];
  const shown = rule === undefined
    ? lines.find((line) => line.startsWith("type "))
    : lines.find((line) => line.endsWith(`# handle ${rule.handle}`));
  const expires = verdict?.is === "expire";
  const maybe = verdict?.maybe === true;
  const isForward = hook === "forward" && ipFamilies.has(family);
  const called = ends.every((one) => one.called === end?.called)
    ? end?.called ?? ""
    : "";
  return {
    kind: expires ? "ttl" : isForward ? "nft-forward" : "nft",
    is: maybe || !ends.some(({ isSure }) => isSure) ? "may lose" : "loses",
    space,
    what: `${rule === undefined ? "the policy" : "a rule"} of the chain ` +
      `${place.join(" ")} of nftables on ${spaceName(space)} ` +
      (expires
        ? `${maybe ? "may let" : "lets"} packets end by its TTL`
        : maybe
        ? "may drop"
        : "drops") +
      (end?.frame.is === "arp" ? " ARP" : called.replace(/^ to/, "")) +
      (rule === undefined || shown === undefined
        ? ""
        : `: ${ruleWords(shown)}`),
    evidence: [shownIn(
      space,
      cmd`nft -a list chain ${place}`,
      shown ?? `policy ${chain.policy ?? ""}`,
    )],
    remedies: nftRemedies(
      chain,
      verdict,
      ends.map(({ frame }) => frame.packet),
      space,
      traffic.cluster,
    ),
  };
}

/** A rule of the listing, without its handle and what it has counted. */
function ruleWords(line: string): string {
  return line.replace(/ # handle \d+$/, "")
    .replace(/\bcounter packets \d+ bytes \d+/, "counter");
}
