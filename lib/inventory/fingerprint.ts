/**
 * How a node's network is set: rules, settings, routes, links and addresses,
 * a line each, so that two moments can be compared. Left out is what comes and
 * goes by itself: the pods' veths, routes that the kernel makes of addresses,
 * and chains that are as they are without a change by hand.
 */
import { CommandError, type RunOptions } from "../exec/command.ts";
import { type AnswerPart, askParts, partOf } from "../node/parts.ts";
import type { Family } from "../net/cidr.ts";
import { readLinks, readRoutes } from "../net/ip_json.ts";
import type { Node } from "../node/node.ts";

/** What became of a node's network between two fingerprints. */
interface Difference {
  readonly gone: readonly string[];
  readonly added: readonly string[];
}

const settings = [
  "net.ipv4.ip_forward",
  "net.ipv4.conf.all.rp_filter",
  "net.ipv4.conf.default.rp_filter",
  "net.ipv4.conf.all.proxy_arp",
  "net.ipv6.conf.all.forwarding",
  "net.bridge.bridge-nf-call-iptables",
  "net.bridge.bridge-nf-call-ip6tables",
];

const program = `set -e
part iptables; iptables-save
part ip6tables; ip6tables-save 2>/dev/null || :
part settings; sysctl -e "$@"
part routes4; ip -4 -j route
part routes6; ip -6 -j route
part links; ip -j -d addr`;

/**
 * Asks a node; changes nothing.
 *
 * @throws {CommandError} when it cannot be asked
 * @throws {UnreachableError}
 */
export async function fingerprint(
  node: Node,
  options?: RunOptions,
): Promise<readonly string[]> {
  const { parts, outcome, command } = await askParts(
    node,
    { name: "fingerprint", program, args: settings },
    options,
  );
  if (parts !== undefined) return readFingerprint(parts);
  const why = "see how its network is set";
  throw new CommandError(node.name, command, outcome, why);
}

/** What is no longer as it was. */
export function fingerprintDifference(
  before: readonly string[],
  now: readonly string[],
): Difference {
  return { gone: missingIn(before, now), added: missingIn(now, before) };
}

/** The lines of one that the other has not, or has less often. */
function missingIn(one: readonly string[], other: readonly string[]): string[] {
  const left = [...other];
  return one.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** Reads a node's answer. */
export function readFingerprint(
  parts: readonly AnswerPart[],
): readonly string[] {
  const of = (name: string) => partOf(parts, name) ?? "";
  return [
    ...ruleLines("iptables", of("iptables")),
    ...ruleLines("ip6tables", of("ip6tables")),
    ...of("settings").split("\n").filter((line) => line.includes("=")),
    ...routeLines(of("routes4"), 4),
    ...routeLines(of("routes6"), 6),
    ...linkLines(of("links")),
  ].toSorted();
}

/** Rules as `iptables -t TABLE` takes them; a chain of iptables' own at ACCEPT says nothing. */
function ruleLines(program: string, saved: string): string[] {
  let table = "";
  return saved.split("\n").flatMap((line) => {
    if (line.startsWith("*")) table = line.slice(1).trim();
    const [, chain = "", policy = ""] = /^:(\S+) (\S+)/.exec(line) ?? [];
    const rule = chain === ""
      ? line
      : policy === "-"
      ? `-N ${chain}`
      : `-P ${chain} ${policy}`;
    const says = /^-[ANP] /.test(rule) && policy !== "ACCEPT";
    return says ? [`${program} -t ${table} ${rule.trim()}`] : [];
  });
}

function routeLines(json: string, family: Family): string[] {
  return readRoutes(json, family)
    .filter(({ dev = "", protocol }) =>
      protocol !== "kernel" && protocol !== "ra" && !isVeth(dev)
    )
    .map(({ to, via, dev, protocol }) =>
      [
        `ip route ${to}`,
        ...(via === undefined ? [] : [`via ${via}`]),
        ...(dev === undefined ? [] : [`dev ${dev}`]),
        ...(protocol === undefined ? [] : [`proto ${protocol}`]),
      ].join(" ")
    );
}

function linkLines(json: string): string[] {
  return readLinks(json).filter(({ name }) => !isVeth(name))
    .flatMap(({ name, up, mtu, master, alias, addresses }) => [
      `link ${name}: ${up ? "up" : "down"}, mtu ${mtu}` +
      (master === undefined ? "" : `, on ${master}`) +
      (alias === undefined ? "" : `, alias ${alias}`),
      ...addresses.map(({ address, prefixLength }) =>
        `address ${address}/${prefixLength} on ${name}`
      ),
    ]);
}

/**
 * The plugin's host veths are named so; the uplink of a lab's node is a veth
 * too, by another name.
 */
function isVeth(name: string): boolean {
  return name.startsWith("veth");
}
