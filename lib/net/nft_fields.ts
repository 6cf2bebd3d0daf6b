/** What a rule of nftables looks at in a packet: a reading of libnftables-json(5). Pure. */
import {
  addressOrUndefined,
  contains,
  subnetAround,
} from "../../plugin/address/address.ts";
import { familyOf } from "./cidr.ts";
import type { Packet } from "./iptables.ts";
import { isEcho } from "./packet_matches.ts";

/** A part of a rule: a match, a verdict, … */
export type NftExpression = Readonly<Record<string, unknown>>;

/** A packet of IP, or the question of ARP that goes ahead of it. */
export interface Frame {
  readonly is: "ip" | "arp";
  readonly packet: Packet;
}

/** Whether what a rule looks at is one of these. */
export function isOneOf(
  left: unknown,
  wanted: readonly unknown[],
  frame: Frame,
): boolean | undefined {
  return anyOf(wanted.map((one) => is(left, one, frame)));
}

function anyOf(
  answers: readonly (boolean | undefined)[],
): boolean | undefined {
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

function is(
  left: unknown,
  wanted: unknown,
  frame: Frame,
): boolean | undefined {
  const { payload, meta, ct, concat, ...others } = asRecord(left);
  if (Array.isArray(concat)) {
    const { concat: parts } = asRecord(wanted);
    if (!Array.isArray(parts) || parts.length !== concat.length) {
      return undefined;
    }
    const answers = concat.map((part, at) => is(part, parts[at], frame));
    if (answers.includes(false)) return false;
    return answers.includes(undefined) ? undefined : true;
  }
  if (payload !== undefined) return isField(asRecord(payload), wanted, frame);
  if (wanted === "*") return true;
  if (meta !== undefined) return isMeta(asRecord(meta).key, wanted, frame);
  if (ct !== undefined) return isTracked(asRecord(ct).key, wanted, frame);
  // A mark under a mask: packets come without one.
  const masked = others["&"];
  return Array.isArray(masked) && asRecord(asRecord(masked[0]).meta).key ===
      "mark"
    ? wanted === 0
    : undefined;
}

/** What nothing says of a packet is as TCP has it. */
function protocolOf({ protocol = "tcp" }: Packet): "tcp" | "icmp" | "udp" {
  return protocol;
}

function isField(
  { protocol, field }: NftExpression,
  wanted: unknown,
  { is, packet }: Frame,
): boolean | undefined {
  const { source, destination } = packet;
  const family = familyOf(source);
  if (protocol === "ip" || protocol === "ip6") {
    if (is !== "ip" || family !== (protocol === "ip" ? 4 : 6)) return false;
    // What a map has for all that it does not name.
    if (wanted === "*") return true;
    if (field === "protocol" || field === "nexthdr") {
      return isProtocol(wanted, packet);
    }
    return field === "saddr"
      ? isWithin(source, wanted)
      : field === "daddr"
      ? isWithin(destination, wanted)
      : undefined;
  }
  if (protocol === "arp") {
    if (is !== "arp") return false;
    return field === "saddr ip"
      ? isWithin(source, wanted)
      : field === "daddr ip"
      ? isWithin(destination, wanted)
      : undefined;
  }
  if (protocol === "ether") {
    return field === "type" ? isType(wanted, is, packet) : undefined;
  }
  const carries = protocolOf(packet);
  if (protocol === "icmp" || protocol === "icmpv6") {
    if (carries !== "icmp" || family !== (protocol === "icmp" ? 4 : 6)) {
      return false;
    }
    return field === "type" && typeof wanted === "string"
      ? isEcho(wanted, packet)
      : undefined;
  }
  const others = ["sctp", "dccp", "udplite", "esp", "ah", "comp"];
  if (others.some((name) => name === protocol)) return false;
  if (protocol === "tcp" || protocol === "udp") {
    if (carries !== protocol) return false;
  } else if (protocol !== "th" || carries === "icmp") return undefined;
  return isPortOf(packet, field, wanted);
}

/** Whether that end's port is wanted; undefined where it is not known. */
function isPortOf({ port, reply }: Packet, field: unknown, wanted: unknown) {
  if (port === undefined || field !== (reply ? "sport" : "dport")) {
    return undefined;
  }
  const { range } = asRecord(wanted);
  const [from, to] = Array.isArray(range) ? range : [wanted, wanted];
  return typeof from === "number" && typeof to === "number"
    ? from <= port && port <= to
    : undefined;
}

function isMeta(
  key: unknown,
  wanted: unknown,
  { is, packet }: Frame,
): boolean | undefined {
  switch (key) {
    case "protocol":
      return isType(wanted, is, packet);
    case "nfproto":
      return wanted === (familyOf(packet.source) === 4 ? "ipv4" : "ipv6");
    case "l4proto":
      return isProtocol(wanted, packet);
    case "iif":
    case "iifname":
      return isLink(packet.in, wanted);
    case "oif":
    case "oifname":
      return isLink(packet.out, wanted);
    case "mark":
      return typeof wanted === "number" ? wanted === 0 : undefined;
    case "pkttype":
      return is === "ip" && packet.in !== undefined
        ? wanted === "host" || wanted === "unicast"
        : undefined;
    default:
      return undefined;
  }
}

/** Whether a packet's length is above or below a number; nothing else is compared so here. */
export function isLength(
  op: string,
  left: unknown,
  right: unknown,
  { packet: { length_bytes } }: Frame,
): boolean | undefined {
  const { payload, meta } = asRecord(left);
  const { protocol, field } = asRecord(payload);
  const isTotal = asRecord(meta).key === "length" ||
    (protocol === "ip" && field === "length");
  if (!isTotal || length_bytes === undefined || typeof right !== "number") {
    return undefined;
  }
  return (op.startsWith("<") ? length_bytes < right : length_bytes > right) ||
    (op.endsWith("=") && length_bytes === right);
}

/** What conntrack knows: of an answer, that it is of a connection, else that it begins one. */
function isTracked(
  key: unknown,
  wanted: unknown,
  { is, packet: { reply } }: Frame,
): boolean | undefined {
  if (is !== "ip") return undefined;
  if (key === "state") return wanted === (reply ? "established" : "new");
  return key === "direction"
    ? wanted === (reply ? "reply" : "original")
    : undefined;
}

function isType(wanted: unknown, is: Frame["is"], { source }: Packet) {
  return wanted ===
    (is === "arp" ? "arp" : familyOf(source) === 4 ? "ip" : "ip6");
}

function isProtocol(wanted: unknown, packet: Packet): boolean {
  const carries = protocolOf(packet);
  const own: readonly unknown[] = carries !== "icmp"
    ? [carries, carries === "tcp" ? 6 : 17]
    : familyOf(packet.source) === 4
    ? ["icmp", 1]
    : ["ipv6-icmp", "icmpv6", 58];
  return own.includes(wanted);
}

function isLink(
  link: string | undefined,
  wanted: unknown,
): boolean | undefined {
  if (link === undefined || typeof wanted !== "string") return undefined;
  return wanted.endsWith("*")
    ? link.startsWith(wanted.slice(0, -1))
    : wanted === link;
}

function isWithin(text: string, wanted: unknown): boolean | undefined {
  const { prefix, range } = asRecord(wanted);
  const [from, to] = Array.isArray(range) ? range : [wanted, wanted];
  const address = addressOrUndefined(text);
  if (prefix !== undefined) {
    const { addr, len } = asRecord(prefix);
    const network = addressIn(addr);
    return address && network && typeof len === "number"
      ? contains(subnetAround(network, len), address)
      : undefined;
  }
  const [first, last] = [from, to].map(addressIn);
  if (!address || !first || !last) return undefined;
  return address.family === first.family && address.value >= first.value &&
    address.value <= last.value;
}

function addressIn(value: unknown) {
  return typeof value === "string" ? addressOrUndefined(value) : undefined;
}

export function asRecord(value: unknown): NftExpression {
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {};
}
