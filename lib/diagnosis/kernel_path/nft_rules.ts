/** What a rule of nftables says to a packet: a reading of libnftables-json(5). Pure. */
import { containsAddress, familyOf, parseCidr } from "../../net/cidr.ts";
import { addressOrUndefined } from "../../../plugin/address/address.ts";
import type { Packet } from "../../net/iptables.ts";
import { enoughHops } from "./packets.ts";

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

/** What a rule may refer to, of its own table. */
interface NftTable {
  /** The rules of another chain, by its name. */
  readonly rulesOf: (chain: string) => readonly NftRule[];
  /** The elements of a set, or of a map, by its name. */
  readonly elementsOf: (name: string) => readonly unknown[];
}

/** What a chain says: nothing where its policy decides. */
export interface NftVerdict {
  /** "expire": the packet goes on, and ends at the next machines by its TTL. */
  readonly is: "drop" | "accept" | "expire";
  readonly rule: NftRule;
  /** Some match was not understood here. */
  readonly maybe: boolean;
}

/** Chains cannot jump in circles; this bounds a text that nobody checked. */
const deepest = 8;

/** Walks the rules of a chain. */
export function walkChain(
  rules: readonly NftRule[],
  frame: Frame,
  table: NftTable,
  depth = 0,
): NftVerdict | undefined {
  for (const rule of rules) {
    const { expr = [] } = rule;
    const answers = expr.map((part) => meets(part, frame, table));
    if (answers.includes(false)) continue;
    const maybe = answers.includes(undefined);
    const verdicts = expr.map((part) => verdictIn(part, frame, table));
    const has = (...names: readonly string[]) =>
      verdicts.some((part) => names.some((name) => name in part));
    if (has("drop", "reject")) return { is: "drop", rule, maybe };
    if (expr.some(endsByTTL)) return { is: "expire", rule, maybe };
    // An accept that may not match must not hide a drop behind it.
    if (has("accept")) {
      if (maybe) continue;
      return { is: "accept", rule, maybe };
    }
    if (has("return") && !maybe) return undefined;
    const to = verdicts.map(jumpOf).find((chain) => chain !== undefined);
    if (to === undefined || depth >= deepest) continue;
    const inner = walkChain(table.rulesOf(to), frame, table, depth + 1);
    if (inner === undefined || (maybe && inner.is === "accept")) continue;
    return { ...inner, maybe: inner.maybe || maybe };
  }
  return undefined;
}

/** A part itself, or the verdict that a map has for the packet (nft(8), vmap). */
function verdictIn(
  part: Expression,
  frame: Frame,
  table: NftTable,
): Expression {
  if (!("vmap" in part)) return part;
  const { key, data } = asRecord(part.vmap);
  const found = elementsIn(data, table).find((entry) => {
    const [wanted] = Array.isArray(entry) ? entry : [];
    return equals(asRecord(key), { set: [wanted] }, frame, table) === true;
  });
  return asRecord(Array.isArray(found) ? found[1] : undefined);
}

/** Whether a rule leaves a packet fewer hops than a cluster has. */
function endsByTTL({ mangle }: Expression): boolean {
  const { key, value } = asRecord(mangle);
  const { field } = asRecord(asRecord(key).payload);
  return (field === "ttl" || field === "hoplimit") &&
    typeof value === "number" && value < enoughHops;
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
function meets(
  part: Expression,
  frame: Frame,
  table: NftTable,
): boolean | undefined {
  if ("vmap" in part) {
    return Object.keys(verdictIn(part, frame, table)).length > 0
      ? true
      : undefined;
  }
  if (!("match" in part)) {
    return silent.some((name) => name in part) ? true : undefined;
  }
  const { left, right, op } = asRecord(part.match);
  const same = equals(asRecord(left), right, frame, table);
  if (same === undefined) return undefined;
  return op === "!=" ? !same : op === "==" || op === "in" ? same : undefined;
}

function equals(
  { payload, meta }: Expression,
  right: unknown,
  { is, packet }: Frame,
  table: NftTable,
): boolean | undefined {
  const { protocol, field } = asRecord(payload);
  if (protocol === "ip" || protocol === "ip6") {
    const family = protocol === "ip" ? 4 : 6;
    if (is !== "ip" || familyOf(packet.source) !== family) return false;
    const wanted = elementsIn(right, table);
    return addressIn(field === "saddr", field === "daddr", wanted, packet);
  }
  if (protocol === "arp") {
    if (is !== "arp") return false;
    const wanted = elementsIn(right, table);
    return addressIn(
      field === "saddr ip",
      field === "daddr ip",
      wanted,
      packet,
    );
  }
  if (protocol === "ether" && field === "type") {
    return isType(right, is, packet);
  }
  if (protocol === "tcp" || protocol === "udp") {
    if (is !== "ip") return false;
    const wanted = elementsIn(right, table);
    return portIn(protocol, field === "sport", wanted, packet);
  }
  if (protocol !== undefined) return undefined;
  const { key } = asRecord(meta);
  if (key === "l4proto" && packet.port !== undefined) {
    return elementsIn(right, table).includes(packet.protocol ?? "tcp");
  }
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
  wanted: readonly unknown[],
  { source, destination }: Packet,
): boolean | undefined {
  if (!isSource && !isDestination) return undefined;
  const address = isSource ? source : destination;
  const answers = wanted.map((one) => isWithin(address, one));
  return answers.includes(true)
    ? true
    : answers.includes(undefined)
    ? undefined
    : false;
}

/** Whether a packet's port is among these; undefined where that end's is not known. */
function portIn(
  protocol: "tcp" | "udp",
  isSource: boolean,
  wanted: readonly unknown[],
  packet: Packet,
): boolean | undefined {
  if (packet.port === undefined) return undefined;
  if (packet.protocol !== protocol) return false;
  if (packet.reply !== isSource) return undefined;
  return wanted.every((one) => typeof one === "number")
    ? wanted.includes(packet.port)
    : undefined;
}

/** What is on the right of a match: one value, a set of them, or the name of a set. */
function elementsIn(
  right: unknown,
  { elementsOf }: NftTable,
): readonly unknown[] {
  if (typeof right === "string" && right.startsWith("@")) {
    return elementsOf(right.slice(1)).map(bare);
  }
  const { set } = asRecord(right);
  return Array.isArray(set) ? set.map(bare) : [right];
}

/** An element without its timeout, counter or comment. */
function bare(element: unknown): unknown {
  const { elem } = asRecord(element);
  return Array.isArray(element) || elem === undefined
    ? element
    : asRecord(elem).val;
}

function isWithin(address: string, wanted: unknown): boolean | undefined {
  if (typeof wanted === "string") return wanted === address;
  const { prefix, range } = asRecord(wanted);
  if (Array.isArray(range)) {
    const [from, to] = range;
    return typeof from === "string" && typeof to === "string"
      ? isBetween(address, from, to)
      : undefined;
  }
  const { addr, len } = asRecord(prefix);
  return typeof addr === "string" && typeof len === "number"
    ? containsAddress(parseCidr(`${addr}/${len}`), address)
    : undefined;
}

function isBetween(
  address: string,
  from: string,
  to: string,
): boolean | undefined {
  const [value, first, last] = [address, from, to].map(addressOrUndefined);
  if (!value || !first || !last || value.family !== first.family) {
    return undefined;
  }
  return value.value >= first.value && value.value <= last.value;
}
