/**
 * The lines of a fingerprint, of what fingerprint.sh printed. Left out is what
 * comes and goes by itself: the veths of other pods, routes that the kernel
 * makes of addresses, chains as they are without a change by hand, and what a
 * new pod has otherwise than an old one (its address, its veth's name). Pure.
 */
import { type AnswerPart, linesOf, partOf } from "../node/parts.ts";
import { readList } from "../net/ip_json.ts";
import { isLease, readLeases } from "./leases.ts";

/** A link as `ip -j -d addr` gives it, as far as a fingerprint tells of it. */
interface Link {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly master?: string;
  readonly ifalias?: string;
  readonly linkinfo?: {
    readonly info_slave_data?: Readonly<Record<string, unknown>>;
  };
  readonly xdp?: unknown;
  readonly addr_info?: readonly {
    readonly local?: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

/**
 * The lines of a network namespace.
 *
 * @param pods whose host veths are told of, by the pods' names
 * @param leased addresses that are told of without their number
 */
export function networkLines(
  parts: readonly AnswerPart[],
  pods: readonly string[] = [],
  leased: ReadonlySet<string> = new Set(),
): readonly string[] {
  const of = (name: string) => partOf(parts, name) ?? "";
  return [
    ...ruleLines("iptables", of("iptables")),
    ...ruleLines("ip6tables", of("ip6tables")),
    ...linesOf(parts, "settings").flatMap(settingLine),
    ...[4, 6].flatMap((family) => [
      ...linesOf(parts, `rules${family}`).flatMap((line) =>
        policyRuleLine(line, family === 6)
      ),
      ...linesOf(parts, `routes${family}`).flatMap(routeLine),
    ]),
    ...linesOf(parts, "neighbours").flatMap(neighbourLine),
    ...linkLines(of("links"), pods, leased),
    ...linesOf(parts, "qdiscs").flatMap(qdiscLine),
    ...linesOf(parts, "ipsec").map((line) => `ipsec policy ${plain(line)}`),
    ...parts.filter(({ name }) => name.startsWith("nft ")).map((
      { name, text },
    ) =>
      `${name}: ${plain(byName(text.replace(/packets \d+ bytes \d+/g, "")))}`
    ),
  ];
}

/** A table's sets and chains by name: one that is made anew is listed last. */
function byName(table: string): string {
  const block = /^\t\S.* \{\n[^]*?^\t\}$/gm;
  const sorted = (table.match(block) ?? []).toSorted();
  let at = 0;
  return table.replace(block, () => sorted[at++] ?? "");
}

/** The lines of a node's files, and the addresses that pods have leases for. */
export function fileLines(parts: readonly AnswerPart[]): {
  readonly lines: readonly string[];
  readonly leased: ReadonlySet<string>;
} {
  const leases = readLeases(partOf(parts, "leases") ?? "");
  const aliases = linksOf(partOf(parts, "links") ?? "")
    .flatMap(({ ifalias = "" }) => ifalias.split(" "));
  const isHeld = new Set(aliases);
  const [held, stale] = [true, false].map((wanted) =>
    leases.filter((lease) =>
      (isLease(lease) && isHeld.has(lease.containerID)) === wanted
    )
  );
  const byFolder = Map.groupBy(
    stale ?? [],
    ({ path }) => path.replace(/\/[^/]*$/, ""),
  );
  return {
    lines: [
      ...["configs", "programs"].flatMap((name) =>
        linesOf(parts, name).map((line) => `file ${line}`)
      ),
      ...[...byFolder].map(([folder, { length }]) =>
        `leases without a pod: ${length} in ${folder}`
      ),
    ],
    leased: new Set(held?.map(({ address }) => address)),
  };
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

/** `/proc/sys/net/ipv4/conf/eth0/rp_filter:0` as sysctl(8) says it. */
function settingLine(line: string): string[] {
  const [, path = "", value = ""] = /^\/proc\/sys\/(\S+?):(.*)$/.exec(line) ??
    [];
  if (path === "" || path.split("/").some(isVeth)) return [];
  return [`${path.replaceAll("/", ".")} = ${value}`];
}

function policyRuleLine(line: string, isV6: boolean): string[] {
  const [, priority = "", rule = ""] = /^(\d+):\s*(.*)$/.exec(line) ?? [];
  const isKernels = /^(0|3276[67])$/.test(priority) &&
    /^from all lookup (local|main|default)$/.test(rule.trim());
  if (priority === "" || isKernels) return [];
  return [`ip${isV6 ? " -6" : ""} rule ${priority}: ${rule.trim()}`];
}

function routeLine(line: string): string[] {
  const route = plain(line).replace(
    / (linkdown|dead|onlink|pref medium)\b/g,
    "",
  );
  const [, dev = ""] = / dev (\S+)/.exec(route) ?? [];
  const isOther = / proto (kernel|ra)\b/.test(route) || isVeth(dev) ||
    /^(ff00::|multicast )/.test(route);
  return isOther ? [] : [`ip route ${route}`];
}

function neighbourLine(line: string): string[] {
  const neighbour = plain(line);
  const [, dev = ""] = / dev (\S+)/.exec(neighbour) ?? [];
  return isVeth(dev) ? [] : [`neighbour ${neighbour}`];
}

function qdiscLine(line: string): string[] {
  const [, kind = "", rest = ""] = /^qdisc (\S+) \S+ (.*)$/.exec(line) ?? [];
  const byItself = /^(|noqueue|mq|fq|fq_codel|pfifo_fast)$/.test(kind);
  return byItself
    ? []
    : [`qdisc ${kind} ${plain(rest.replace(/refcnt \d+/, ""))}`];
}

function linksOf(json: string): readonly Link[] {
  return readList<Link>(json);
}

function linkLines(
  json: string,
  pods: readonly string[],
  leased: ReadonlySet<string>,
): string[] {
  return linksOf(json).flatMap((link) => {
    const { ifname, ifalias = "", addr_info = [] } = link;
    const pod = pods.find((pod) => ifalias.endsWith(`-${pod} eth0`));
    if (isVeth(ifname) && pod === undefined) return [];
    const name = pod === undefined ? ifname : `of pod ${pod}`;
    const addresses = addr_info.filter(({ scope }) => scope !== "link");
    return [
      linkLine(link, name, pod === undefined),
      ...addresses.flatMap(({ local, prefixlen }) => {
        if (local === undefined) return [];
        const address = leased.has(local) ? "its own" : local;
        return [`address ${address}/${prefixlen} on ${name}`];
      }),
    ];
  });
}

function linkLine(
  { flags, mtu, master, ifalias, linkinfo, xdp }: Link,
  name: string,
  tellAlias: boolean,
): string {
  const port = linkinfo?.info_slave_data ?? {};
  const unusual = ["isolated", "locked"].filter((flag) => port[flag] === true);
  const usual = ["flood", "bcast_flood", "mcast_flood", "hairpin"]
    .filter((flag) => port[flag] === false).map((flag) => `no ${flag}`);
  return [
    `link ${name}: ${flags.includes("UP") ? "up" : "down"}`,
    `mtu ${mtu}`,
    ...(master === undefined ? [] : [`on ${master}`]),
    ...(tellAlias && ifalias !== undefined ? [`alias ${ifalias}`] : []),
    ...(flags.includes("NOARP") ? ["no ARP"] : []),
    ...(xdp === undefined ? [] : ["an XDP program"]),
    ...unusual,
    ...usual,
  ].join(", ");
}

function plain(text: string): string {
  return text.replace(/[\s\\]+/g, " ").trim();
}

/**
 * The plugin's host veths are named so; the uplink of a lab's node is a veth
 * too, by another name.
 */
function isVeth(name: string | undefined): boolean {
  return name?.startsWith("veth") ?? false;
}
