/**
 * What a packet meets in a table of iptables: a reading of `iptables -S`
 * (iptables(8)) that is good enough to name the rule that stands in a path's
 * way. Pure. A match that it does not know makes a rule a "maybe".
 */
import {
  type Carried,
  inRange,
  isEcho,
  isPort,
  isProtocol,
  usual_bytes,
} from "./packet_matches.ts";
import {
  AddressError,
  addressOrUndefined,
  contains,
  parseSubnet,
} from "../../plugin/address/address.ts";

/** A packet on its way through a node. */
export interface Packet extends Carried {
  readonly source: string;
  readonly destination: string;
  /** The link that it came in by; none for what the node itself sends. */
  readonly in?: string;
  /** The link that it leaves by; none for what the node itself receives. */
  readonly out?: string;
  /** How long it is: as a ping, where that is not said. */
  readonly length_bytes?: number;
}

/** The least TTL that takes a packet to every machine of a cluster: two count it down (ip(7)). */
export const enoughHops = 3;

/** The program for the rules of an address's or a network's family. */
export function iptablesFor(address: string): "iptables" | "ip6tables" {
  return address.includes(":") ? "ip6tables" : "iptables";
}

/** Where a packet's way through a chain ends. */
export interface Verdict {
  /** ACCEPT, DROP, MASQUERADE, …: the rule's target, or the chain's policy. */
  readonly target: string;
  /** The rule as `iptables -S` prints it; none where the policy decided. */
  readonly rule?: string;
  /** The rule has a match that is not understood here: it may not be this one. */
  readonly maybe?: true;
}

interface Rule {
  readonly text: string;
  readonly target: string | undefined;
  readonly matches: readonly Match[];
}

interface Match {
  readonly option: string;
  readonly value: string;
  readonly not: boolean;
}

interface Chain {
  policy?: string;
  readonly rules: Rule[];
}

/** A table: its chains by name. */
type Table = ReadonlyMap<string, Chain>;

/** Targets that neither end a packet's way nor change it. */
const passing = new Set([
  "LOG",
  "NFLOG",
  "ULOG",
  "MARK",
  "CONNMARK",
  "TRACE",
  "AUDIT",
  "CHECKSUM",
  "CLASSIFY",
  "DSCP",
  "ECN",
  "SECMARK",
  "CONNSECMARK",
  "SET",
  "TCPMSS",
  "TEE",
  "TOS",
]);

/** Reads what `iptables -t TABLE -S` printed; lines of another form are left out. */
export function readTable(text: string): Table {
  const chains = new Map<string, Chain>();
  const chain = (name: string) => {
    const found = chains.get(name) ?? { rules: [] };
    chains.set(name, found);
    return found;
  };
  for (const line of rulesIn(text)) {
    const [what, name, ...rest] = words(line);
    if (name === undefined) continue;
    if (what === "-P" && rest[0] !== undefined) chain(name).policy = rest[0];
    else if (what === "-N") chain(name);
    else if (what === "-A") chain(name).rules.push(readRule(line, rest));
  }
  return chains;
}

/**
 * Sends a packet through a built-in chain.
 *
 * @returns where its way ends; ACCEPT for a chain that the table does not have
 */
export function traverse(table: Table, name: string, packet: Packet): Verdict {
  return walk(table, name, packet, 0) ??
    { target: table.get(name)?.policy ?? "ACCEPT" };
}

/**
 * Chains may jump to each other, but not in circles: iptables refuses those.
 * This bounds a text that was not checked.
 */
const deepest = 16;

function walk(
  table: Table,
  name: string,
  packet: Packet,
  depth: number,
): Verdict | undefined {
  for (const rule of table.get(name)?.rules ?? []) {
    if (rule.target === undefined || passing.has(rule.target)) continue;
    const matched = matching(rule, packet);
    if (matched === "no") continue;
    if (rule.target === "RETURN") {
      if (matched === "yes") return undefined;
      continue;
    }
    if (!table.has(rule.target)) {
      // An ACCEPT that may not match must not hide a DROP behind it.
      if (matched === "maybe" && rule.target === "ACCEPT") continue;
      const found = { target: rule.target, rule: rule.text };
      return matched === "maybe" ? { ...found, maybe: true } : found;
    }
    if (depth >= deepest) continue;
    const inner = walk(table, rule.target, packet, depth + 1);
    if (inner === undefined) continue;
    if (matched === "yes") return inner;
    if (inner.target !== "ACCEPT") return { ...inner, maybe: true };
  }
  return undefined;
}

function readRule(text: string, rest: readonly string[]): Rule {
  const matches: Match[] = [];
  let target: string | undefined;
  let not = false;
  for (let at = 0; at < rest.length; at++) {
    const option = rest[at] ?? "";
    if (option === "!") {
      not = true;
      continue;
    }
    const values: string[] = [];
    while (at + 1 < rest.length && !/^(-|!$)/.test(rest[at + 1] ?? "")) {
      values.push(rest[++at] ?? "");
    }
    if (option === "-j" || option === "-g") {
      target = values[0];
      break; // What follows belongs to the target.
    }
    matches.push({ option, value: values.join(" "), not });
    not = false;
  }
  return { text, target, matches };
}

function matching(rule: Rule, packet: Packet): "yes" | "no" | "maybe" {
  let answer: "yes" | "maybe" = "yes";
  for (const match of rule.matches) {
    const met = meets(match, packet);
    if (met === undefined) answer = "maybe";
    else if (met === match.not) return "no";
  }
  return answer;
}

/** Whether the packet meets a match, before its "!"; undefined when that cannot be told. */
function meets({ option, value }: Match, packet: Packet): boolean | undefined {
  switch (option) {
    case "-s":
      return inSubnet(packet.source, value);
    case "-d":
      return inSubnet(packet.destination, value);
    case "-i":
      return isLink(packet.in, value);
    case "-o":
      return isLink(packet.out, value);
    case "-p":
      return value === "all" || isProtocol(value, packet);
    case "-m": // Loads a match; what it asks follows.
      return understood.has(value) ||
          value === "multiport" && packet.port !== undefined
        ? true
        : undefined;
    case "--dport":
    case "--dports":
      return isPort(value, packet, false);
    case "--icmp-type":
    case "--icmpv6-type":
      return isEcho(value, packet);
    case "--sport":
    case "--sports":
      return isPort(value, packet, true);
    case "--length":
      return inRange(packet.length_bytes ?? usual_bytes, value);
    case "--comment":
      return true;
    case "--mark":
      return isUnmarked(value);
    case "--ctstate":
    case "--state":
      return value.split(",").includes(packet.reply ? "ESTABLISHED" : "NEW");
    default:
      return undefined;
  }
}

/** Matches whose questions are understood here. */
const understood = new Set([
  ...["comment", "conntrack", "state", "tcp", "udp", "icmp", "icmp6"],
  ...["addrtype", "length", "mark"],
]);

/**
 * Whether VALUE/MASK is what a packet without a mark has (iptables-extensions(8),
 * mark). Kubernetes marks what goes to its services, and no path leads to one.
 */
function isUnmarked(text: string): boolean | undefined {
  const [value = NaN, mask = 0xffff_ffff] = text.split("/").map(Number);
  return Number.isNaN(value) || Number.isNaN(mask) ? undefined : value === 0;
}

function isLink(link: string | undefined, pattern: string): boolean {
  if (link === undefined) return false;
  return pattern.endsWith("+")
    ? link.startsWith(pattern.slice(0, -1))
    : link === pattern;
}

/** How long an address is. */
function bits(text: string): number {
  return text.includes(":") ? 128 : 32;
}

function inSubnet(address: string, text: string): boolean | undefined {
  const parsed = addressOrUndefined(address);
  if (parsed === undefined) return undefined;
  try {
    return contains(
      parseSubnet(text.includes("/") ? text : `${text}/${bits(text)}`),
      parsed,
    );
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    return undefined; // A mask that is no prefix, which iptables also takes.
  }
}

/** The lines of `iptables -S`; one goes on where a comment holds an end of line. */
function rulesIn(text: string): readonly string[] {
  return text.match(/(?:"(?:[^"\\]|\\.)*"|[^"\n]|"(?!.*"))+/gs) ?? [];
}

/** Splits a line of `iptables -S` as iptables quotes it: "…", with \ before " and \. */
export function words(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/gs)]
    .map(([, quoted, bare]) => bare ?? (quoted ?? "").replace(/\\(.)/gs, "$1"));
}
