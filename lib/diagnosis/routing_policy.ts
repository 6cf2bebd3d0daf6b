/** Rules of policy routing (ip-rule(8)): which table a packet's route comes from. Pure. */
import {
  containsAddress,
  type Family,
  familyOf,
  parseCidr,
} from "../net/cidr.ts";
import { cmd, type Command } from "../exec/command.ts";
import { birdProtocol, routeProtocol } from "../steps/probes.ts";
import type { RouteFacts } from "./evidence.ts";

/** A rule as `ip -j rule` has it; a flag has no value. */
export interface PolicyRule {
  readonly priority: number;
  readonly not?: null;
  readonly src: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly dstlen?: number;
  readonly tos?: string;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly iif?: string;
  readonly oif?: string;
  readonly uid_start?: number;
  readonly uid_end?: number;
  readonly ipproto?: string;
  readonly sport?: number;
  readonly sport_start?: number;
  readonly sport_end?: number;
  readonly dport?: number;
  readonly dport_start?: number;
  readonly dport_end?: number;
  readonly l3mdev?: null;
  readonly table?: string;
  readonly suppress_prefixlen?: number;
  readonly suppress_ifgroup?: string;
  readonly action?: string;
  readonly goto?: number;
}

/** A packet whose route is chosen. */
export interface RoutedPacket {
  readonly source?: string;
  readonly destination: string;
  /** The link that it came in by; none of one that begins here. */
  readonly in?: string;
  readonly mark?: number;
}

/** The rules that every machine has, by their priority (ip-rule(8)). */
const usual: Readonly<Record<number, string>> = {
  0: "local",
  32766: "main",
  32767: "default",
};

/** Whether a rule is one of those that every machine has. */
export function isUsual(rule: PolicyRule): boolean {
  const { priority, table } = rule;
  return usual[priority] !== undefined && usual[priority] === table &&
    ruleText(rule) === `from all lookup ${table}`;
}

/** The rules that somebody has added and that are about such a packet, in their order. */
function addedRules(
  rules: readonly PolicyRule[],
  packet: RoutedPacket,
): readonly PolicyRule[] {
  return rules.filter((rule) => !isUsual(rule) && matches(rule, packet));
}

/** Whether a rule is about a packet; ports, users and the like are not looked at. */
function matches(
  rule: PolicyRule,
  { source, destination, in: link, mark = 0 }: RoutedPacket,
): boolean {
  const { fwmark, fwmask, iif, oif } = rule;
  const mask = Number(fwmask ?? "0xffffffff");
  // A rule of an outgoing link is for sockets that are bound to it.
  const fits = covers(rule.src, rule.srclen, source) &&
    covers(rule.dst ?? "all", rule.dstlen, destination) &&
    (iif === undefined || iif === link || (iif === "lo" && !link)) &&
    oif === undefined &&
    (fwmark === undefined || (mark & mask) >>> 0 === Number(fwmark));
  return fits !== (rule.not !== undefined);
}

function covers(
  network: string,
  length: number | undefined,
  address: string | undefined,
): boolean {
  if (network === "all") return true;
  if (address === undefined || familyOf(address) !== familyOf(network)) {
    return false;
  }
  const whole = familyOf(network) === 4 ? 32 : 128;
  return containsAddress(parseCidr(`${network}/${length ?? whole}`), address);
}

/** A rule in the words of `ip rule`, without its priority. */
export function ruleText(rule: PolicyRule): string {
  return words(rule).join(" ");
}

function words(rule: PolicyRule): readonly string[] {
  const cidr = (network: string, length?: number) =>
    length === undefined ? network : `${network}/${length}`;
  const { src, srclen, dst, dstlen, fwmark, fwmask, table, l3mdev } = rule;
  const named = (name: string, value: unknown): readonly string[] =>
    value === undefined ? [] : [name, String(value)];
  const range = (name: string, one: unknown, from: unknown, to: unknown) =>
    named(name, one ?? (from === undefined ? undefined : `${from}-${to}`));
  return [
    ...(rule.not === undefined ? [] : ["not"]),
    ...["from", cidr(src, srclen)],
    ...named("to", dst === undefined ? undefined : cidr(dst, dstlen)),
    ...named("tos", rule.tos),
    ...named("fwmark", fwmark && (fwmask ? `${fwmark}/${fwmask}` : fwmark)),
    ...named("iif", rule.iif),
    ...named("oif", rule.oif),
    ...range("uidrange", undefined, rule.uid_start, rule.uid_end),
    ...named("ipproto", rule.ipproto),
    ...range("sport", rule.sport, rule.sport_start, rule.sport_end),
    ...range("dport", rule.dport, rule.dport_start, rule.dport_end),
    ...(l3mdev === undefined ? [] : ["l3mdev"]),
    ...named("lookup", table),
    ...named("suppress_prefixlength", rule.suppress_prefixlen),
    ...named("suppress_ifgroup", rule.suppress_ifgroup),
    ...named("goto", rule.goto),
    ...(rule.action === undefined ? [] : [rule.action]),
  ];
}

/** Takes a rule away, and no other of the same priority. */
export function removeRule(family: Family, rule: PolicyRule): Command {
  return cmd`ip ${`-${family}`} rule del pref ${rule.priority} ${words(rule)}`;
}

/** A route as `ip -j route get fibmatch` has it. */
export interface FibRoute extends RouteFacts {
  readonly type?: string;
  readonly protocol?: string;
  /** None where it is the main one. */
  readonly table?: string;
  readonly metric?: number;
  readonly metrics?: readonly Readonly<Record<string, number | string>>[];
}

/** A route in the words of `ip route`. */
export function routeText(
  { type, dst, gateway, dev, protocol, table, metric, metrics = [] }: FibRoute,
): string {
  const named = (name: string, value: unknown): readonly string[] =>
    value === undefined ? [] : [name, String(value)];
  return [
    ...(type === undefined || type === "unicast" ? [] : [type]),
    dst,
    ...named("via", gateway),
    ...named("dev", dev),
    ...named("table", table),
    ...named(
      "proto",
      [routeProtocol, birdProtocol].includes(protocol ?? "")
        ? protocol
        : undefined,
    ),
    ...named("metric", metric),
    ...metrics.flatMap((one) =>
      Object.entries(one).flatMap(([name, value]) => named(name, value))
    ),
  ].join(" ");
}

/**
 * The added rule by which a packet's route did not come from the main table.
 *
 * @param found the kernel's route; undefined where it refuses
 */
export function decidingRule(
  rules: readonly PolicyRule[],
  packet: RoutedPacket,
  found: FibRoute | undefined,
): PolicyRule | undefined {
  const added = addedRules(rules, packet);
  if (found !== undefined) {
    return found.table === undefined
      ? undefined
      : added.find(({ table }) => table === found.table);
  }
  return added.find(({ action }) => action !== undefined) ??
    added.find(({ table, suppress_prefixlen }) =>
      table !== "main" || suppress_prefixlen !== undefined
    );
}

/** What the kernel says of a packet that it refuses, and the type of route that does. */
const refusals: readonly (readonly [says: string, type: string])[] = [
  ["Invalid argument", "blackhole"],
  ["Permission denied", "prohibit"],
  ["No route to host", "unreachable"],
];

/** The type of the rule or route by which the kernel says such a no. */
export function refusalType(said: string): string | undefined {
  return refusals.find(([words]) => said.includes(words))?.[1];
}

/** What the kernel says of a packet that a rule or a route of this kind refuses. */
export function refusalSaid(type: string | undefined): string | undefined {
  const said = refusals.find(([, one]) => one === type)?.[0];
  // Of an unreachable one it says that there is no network, as where no route is.
  return type === "unreachable" ? "Network is unreachable" : said;
}

/**
 * What such a rule does to a packet, in words; undefined where the main table
 * would do the same, or has no way either.
 *
 * @param where the machine's or pod's name
 * @param said what `ip route get` said of errors
 */
export function policyWords(
  { where, rule, packet, found, main, said }: {
    readonly where: string;
    readonly rule: PolicyRule;
    readonly packet: RoutedPacket;
    readonly found: FibRoute | undefined;
    readonly main: FibRoute | undefined;
    readonly said: string;
  },
): string | undefined {
  const isSame = found !== undefined && found.gateway === main?.gateway &&
    found.dev === main?.dev;
  if (main === undefined || isSame) return undefined;
  const { destination, mark } = packet;
  const type = refusalType(said) ?? "no route";
  const does = found !== undefined
    ? `sends it by "${routeText(found)}"`
    : rule.table === undefined
    ? `refuses it (${type})`
    : `looks into the table ${rule.table}, which has no way for it (${type})`;
  return `a rule of policy routing on ${where} ("${
    ruleText(rule)
  }") is about ` +
    `what goes to ${destination}` +
    (mark === undefined || mark === 0 ? "" : ` and bears the mark ${mark}`) +
    ` and ${does}, where the main table has "${routeText(main)}"`;
}
