/** What a rule of nftables says to a packet: a reading of libnftables-json(5). Pure. */
import { containsAddress, familyOf, parseCidr } from "../../net/cidr.ts";
import type { Packet } from "../../net/iptables.ts";

/** A part of a rule: a match, a verdict, … */
type Expression = Readonly<Record<string, unknown>>;

/** A rule as libnftables-json(5) has it. */
export interface NftRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly expr?: readonly Expression[];
}

/** A packet of IP, or the question of ARP that goes ahead of it. */
export interface Frame {
  readonly is: "ip" | "arp";
  readonly packet: Packet;
}

/** What a chain says: nothing where its policy decides. */
export interface NftVerdict {
  readonly is: "drop" | "accept";
  readonly rule: NftRule;
  /** Some match was not understood here. */
  readonly maybe: boolean;
}

/** Chains cannot jump in circles; this bounds a text that nobody checked. */
const deepest = 8;

/**
 * Walks the rules of a chain.
 *
 * @param rulesOf the rules of another chain of the same table, by its name
 */
export function walkChain(
  rules: readonly NftRule[],
  frame: Frame,
  rulesOf: (chain: string) => readonly NftRule[],
  depth = 0,
): NftVerdict | undefined {
  for (const rule of rules) {
    const { expr = [] } = rule;
    const answers = expr.map((part) => meets(part, frame));
    if (answers.includes(false)) continue;
    const maybe = answers.includes(undefined);
    if (expr.some((part) => "drop" in part || "reject" in part)) {
      return { is: "drop", rule, maybe };
    }
    // An accept that may not match must not hide a drop behind it.
    if (expr.some((part) => "accept" in part)) {
      if (maybe) continue;
      return { is: "accept", rule, maybe };
    }
    if (expr.some((part) => "return" in part) && !maybe) return undefined;
    const to = expr.map(jumpOf).find((chain) => chain !== undefined);
    if (to === undefined || depth >= deepest) continue;
    const inner = walkChain(rulesOf(to), frame, rulesOf, depth + 1);
    if (inner === undefined || (maybe && inner.is === "accept")) continue;
    return { ...inner, maybe: inner.maybe || maybe };
  }
  return undefined;
}

function jumpOf({ jump, goto }: Expression): string | undefined {
  const { target } = asRecord(jump ?? goto);
  return typeof target === "string" ? target : undefined;
}

function asRecord(value: unknown): Expression {
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {};
}

/** Parts of a rule that ask nothing. */
const silent = [
  ...["drop", "reject", "accept", "return", "jump", "goto", "counter", "log"],
  ...["mangle", "notrack", "continue"],
];

/** Whether a packet meets a part of a rule; undefined when that cannot be told. */
function meets(part: Expression, frame: Frame): boolean | undefined {
  if (!("match" in part)) {
    return silent.some((name) => name in part) ? true : undefined;
  }
  const { left, right, op } = asRecord(part.match);
  const same = equals(asRecord(left), right, frame);
  if (same === undefined) return undefined;
  return op === "!=" ? !same : op === "==" || op === "in" ? same : undefined;
}

function equals(
  { payload, meta }: Expression,
  right: unknown,
  { is, packet }: Frame,
): boolean | undefined {
  const { protocol, field } = asRecord(payload);
  if (protocol === "ip" || protocol === "ip6") {
    const family = protocol === "ip" ? 4 : 6;
    if (is !== "ip" || familyOf(packet.source) !== family) return false;
    return addressIn(field === "saddr", field === "daddr", right, packet);
  }
  if (protocol === "arp") {
    if (is !== "arp") return false;
    return addressIn(field === "saddr ip", field === "daddr ip", right, packet);
  }
  if (protocol === "ether" && field === "type") {
    return isType(right, is, packet);
  }
  if (protocol !== undefined) return undefined;
  const { key } = asRecord(meta);
  if (key === "protocol") return isType(right, is, packet);
  if (key === "nfproto") {
    return right === (familyOf(packet.source) === 4 ? "ipv4" : "ipv6");
  }
  if (key === "iifname" && packet.in !== undefined) return right === packet.in;
  if (key === "oifname" && packet.out !== undefined) {
    return right === packet.out;
  }
  return undefined;
}

function isType(right: unknown, is: Frame["is"], { source }: Packet): boolean {
  const own = is === "arp" ? "arp" : familyOf(source) === 4 ? "ip" : "ip6";
  return right === own;
}

function addressIn(
  isSource: boolean,
  isDestination: boolean,
  right: unknown,
  { source, destination }: Packet,
): boolean | undefined {
  if (!isSource && !isDestination) return undefined;
  const address = isSource ? source : destination;
  const { set } = asRecord(right);
  const wanted = Array.isArray(set) ? set : [right];
  const answers = wanted.map((one) => isWithin(address, one));
  return answers.includes(true)
    ? true
    : answers.includes(undefined)
    ? undefined
    : false;
}

function isWithin(address: string, wanted: unknown): boolean | undefined {
  if (typeof wanted === "string") {
    return wanted.startsWith("@") ? undefined : wanted === address;
  }
  const { addr, len } = asRecord(asRecord(wanted).prefix);
  return typeof addr === "string" && typeof len === "number"
    ? containsAddress(parseCidr(`${addr}/${len}`), address)
    : undefined;
}
