/**
 * What the places of a trace say of themselves once the packets are through:
 * routes, neighbours, rules.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { nftTable } from "../net/nft_table.ts";
import { type Family, familyOf } from "../net/cidr.ts";
import { cmd, type Command } from "../exec/command.ts";
import { lookOn, onNode, type Remedy } from "../diagnosis/remedy.ts";
import { atPlace } from "./send_packets.ts";
import type { RoutedPacket } from "../diagnosis/routing_policy.ts";
import { type RouteAnswers, routeKey, routeQuestion } from "./kernel_routes.ts";
import type { StageName } from "../stage/stage.ts";
import type { Decision } from "./report.ts";
import { type Asked, listed, type Question } from "../node/batch.ts";
import {
  type Counters,
  countersProgram,
  grown,
  readCounters,
} from "./kernel_counters.ts";
import type { TraceEvent } from "./nft_events.ts";
import type { Place } from "./endpoints.ts";
import type { Heard } from "./passages.ts";
import type { SurveyedMachine } from "./machine_survey.ts";
import { mark } from "../net/mark.ts";
import { isNftName } from "../net/nft_name.ts";

/** A neighbour as `ip -j neigh show` has it. */
interface Neighbour {
  readonly dst: string;
  readonly dev: string;
  /** Its link-layer address; none while nothing answers. */
  readonly lladdr?: string;
  readonly state?: readonly string[];
}

/** What a place answered. */
export interface PlaceAnswers extends RouteAnswers {
  readonly neighbours: Asked;
  /** The kernel's counters once the packets are through. */
  readonly after: Counters;
  /** The chains that packets met: as nft lists them, and as iptables does. */
  readonly chains: ReadonlyMap<
    string,
    { readonly nft: Asked; readonly iptables: Asked }
  >;
}

/** A place's name, as evidence has it. */
export function placeName({ machine, pod }: Place): string {
  return pod === undefined ? machine : `${pod.name} on ${machine}`;
}

/** What the kernel dropped at a place since the trace began, by its own counters. */
export function grownAt(
  place: Place,
  { cluster, machines, answersOf }: {
    readonly cluster: Cluster;
    readonly machines: ReadonlyMap<string, SurveyedMachine>;
    readonly answersOf: (place: Place) => PlaceAnswers;
  },
): Counters {
  const [family = 4] = familiesOf(cluster);
  const before = place.pod?.counters ?? machines.get(place.machine)?.counters;
  return before === undefined
    ? new Map()
    : grown(before, answersOf(place).after, family);
}

/** A command to run at a place, as what mends something. */
export function remedyAt(place: Place, command: Command): Remedy {
  return onNode(place.machine, atPlace(command, place));
}

/** A command that shows something at a place, and mends nothing. */
export function lookAtPlace(place: Place, command: Command): Remedy {
  return lookOn(place.machine, atPlace(command, place));
}

/** Tables that iptables also shows. */
const iptablesTables = ["filter", "nat", "mangle", "raw", "security"];

/** The chains at a place whose rules decided on something, and which iptables also shows. */
function chainsOf({ events }: Heard): readonly string[] {
  const names = events.filter(({ table, chain, met }) => {
    const [family = "", name = ""] = table.split(" ");
    return met.is === "rule" && /^ip6?$/.test(family) &&
      iptablesTables.includes(name) && isNftName(chain);
  }).map(({ table, chain }) => `${table} ${chain}`);
  return [...new Set(names)];
}

/** What to ask at a place, and the reading of the answers, in the order of the questions. */
export function inquiry(
  heard: Heard,
  family: Family,
  packets: readonly RoutedPacket[],
): {
  readonly questions: readonly Question[];
  readonly read: (answers: readonly Asked[]) => PlaceAnswers;
} {
  const { place } = heard;
  const at = {
    where: placeName(place),
    ...(place.pod === undefined ? {} : { sandbox: place.pod.sandbox }),
  };
  const chains = chainsOf(heard);
  const questions: Question[] = [
    { ...at, command: cmd`ip ${`-${family}`} -j neigh show` },
    { ...at, command: cmd`sh -c ${countersProgram} counters` },
    { ...at, command: cmd`ip ${`-${family}`} -j rule` },
    ...packets.map((packet) => ({ ...at, command: routeQuestion(packet) })),
    ...chains.flatMap((name) => {
      const [ip = "", table = "", chain = ""] = name.split(" ");
      const iptables = ip === "ip" ? "iptables" : "ip6tables";
      return [
        { ...at, command: cmd`nft -a list chain ${ip} ${table} ${chain}` },
        { ...at, command: cmd`${iptables} -w -t ${table} -S ${chain}` },
      ];
    }),
  ];
  return {
    questions,
    read(answers) {
      const [neighbours, counters, rules, ...rest] = answers;
      if (!neighbours || !counters || !rules) {
        throw new TypeError(
          "expected an answer to each question about a place",
        );
      }
      const ofChains = rest.slice(packets.length);
      return {
        place,
        neighbours,
        rules,
        after: readCounters(counters.outcome.stdout),
        routes: new Map(packets.flatMap((packet, at) => {
          const asked = rest[at];
          return asked === undefined
            ? []
            : [[routeKey(packet), asked] as const];
        })),
        chains: new Map(chains.flatMap((name, at) => {
          const [nft, iptables] = ofChains.slice(2 * at, 2 * at + 2);
          return nft === undefined || iptables === undefined
            ? []
            : [[name, { nft, iptables }] as const];
        })),
      };
    },
  };
}

/** What a place knows of a neighbour. */
export function neighbourOf(
  { neighbours }: PlaceAnswers,
  address: string,
): Neighbour | undefined {
  return listed<Neighbour>(neighbours).find(({ dst }) => dst === address);
}

/** A neighbour as what decided. */
export function neighbourDecision(
  answers: PlaceAnswers,
  address: string,
): Decision {
  const found = neighbourOf(answers, address);
  const protocol = familyOf(address) === 4 ? "ARP" : "neighbour discovery";
  const text = found?.lladdr === undefined
    ? `nobody answers ${protocol} for ${address}${
      found === undefined
        ? ""
        : ` on ${found.dev} (${found.state?.join(", ") ?? "no state"})`
    }`
    : `${address} dev ${found.dev} lladdr ${found.lladdr}`;
  return { kind: "neighbour", text };
}

/** The rule or policy that an event tells of, in iptables' words where it shows it too. */
export function ruleDecision(
  { chains }: PlaceAnswers,
  event: TraceEvent,
): Decision {
  const { table, chain, met } = event;
  if (met.is !== "rule") {
    const verdict = met.is === "policy" ? met.verdict : "accept";
    const [family = "", name = ""] = table.split(" ");
    const isIptables = /^ip6?$/.test(family) && iptablesTables.includes(name);
    return {
      kind: "policy",
      text: isIptables
        ? `-P ${chain} ${verdict.toUpperCase()}`
        : `policy ${verdict} of ${table} ${chain}`,
    };
  }
  const known = chains.get(`${table} ${chain}`);
  const text = known === undefined || met.handle === undefined
    ? undefined
    : iptablesRule(known.nft, known.iptables, met.handle, chain);
  if (text === undefined) {
    const own = table === nftTable.join(" ") && met.text.includes(`"${mark}"`);
    const stage = chain === "forward" ? "06-forwarding" : "07-masquerade";
    return {
      kind: "rule",
      text: `${table} ${chain}: ${met.text}`,
      ...(own ? { stage } : {}),
    };
  }
  const ours = new RegExp(`--comment "?${mark}"? `).test(`${text} `);
  const stage: StageName = table.endsWith(" nat")
    ? "07-masquerade"
    : "06-forwarding";
  return { kind: "rule", text, ...(ours ? { stage } : {}) };
}

/** iptables lists a chain's rules in nft's order, but without handles. */
function iptablesRule(
  nft: Asked,
  iptables: Asked,
  handle: number,
  chain: string,
): string | undefined {
  const handles = nft.outcome.stdout.split("\n").flatMap((line) => {
    const [, found] = /^\t\t.* # handle (\d+)$/.exec(line) ?? [];
    return found === undefined ? [] : [Number(found)];
  });
  const rules = iptables.outcome.stdout.split("\n")
    .filter((line) => line.startsWith(`-A ${chain} `));
  const at = handles.indexOf(handle);
  return at < 0 || handles.length !== rules.length ? undefined : rules[at];
}
