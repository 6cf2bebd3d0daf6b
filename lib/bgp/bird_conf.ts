/**
 * BIRD's configuration, as text: https://bird.network.cz/?get_doc&f=bird-3.html
 * for version 2. Pure.
 */
import { containsAddress, familyOf, ofFamily, parseCidr } from "../net/cidr.ts";
import { digest } from "../net/mac.ts";
import { mark } from "../net/mark.ts";
import {
  type BgpSession,
  reflectorsOf,
  sessionsOf,
} from "../cluster/bgp_sessions.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";

/** Where bird looks for it; a lab's node has an /etc of its own. */
export const confPath = "/etc/bird/bird.conf";

/** What the package puts there, which is nobody's. */
export const examplePath = "/usr/share/bird2/bird.conf";

/** The line of the configuration that holds the password, for bird alone to read. */
export const passwordPath = "/etc/bird/deno-cni.password";

/** What bird says in a lab, where no syslog is; a lab's node has a /run of its own. */
const logPath = "/run/bird/bird.log";

/** The constant by which a running bird tells which configuration it has read. */
const confConstant = "deno_cni";

/** What begins every configuration of ours. */
export const confHead = `# ${mark}: written by stage 08; changes are lost.\n`;

/**
 * As many routes of a session are kept beside a podCIDR of each node, to tell what
 * is announced and must not be: a router may announce the whole internet.
 */
const spare = 1000;

/** What one speaker of BGP is to be. */
interface Speaker {
  readonly id: string;
  /** Its autonomous system, as the far ends of this address of it know it. */
  readonly as: (local: string) => number;
  /** What it announces; nothing, where it is no node. */
  readonly podCIDRs: readonly string[];
  readonly addresses: readonly string[];
  readonly sessions: readonly BgpSession[];
  readonly bridge?: string;
  /** Whether it passes on to nodes what other nodes told. */
  readonly reflects: boolean;
}

/** A node's configuration; one for both families, whatever the cluster is given with. */
export function nodeConf(
  { whole, ...one }: Cluster,
  { name }: Pick<ClusterNode, "name">,
): string {
  const cluster = whole ?? one;
  const node = cluster.nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`${name} is no node`);
  return confOf(cluster, {
    id: routerId(node.addresses),
    as: () => cluster.bgp?.as ?? 0,
    podCIDRs: node.podCIDRs,
    addresses: node.addresses,
    sessions: sessionsOf(cluster, node),
    bridge: cluster.bridge,
    reflects: reflectorsOf(cluster).includes(node.name),
  });
}

/**
 * The configuration of the router between a lab's segments.
 *
 * @returns undefined where it is no peer of any node
 */
export function routerConf(cluster: Cluster): string | undefined {
  const sessions = routerSessions(cluster);
  if (sessions.length === 0) return undefined;
  const { bgp, segments } = cluster;
  const router = segments?.[0]?.router ?? [];
  return confOf(cluster, {
    id: routerId(router),
    as: (local) => bgp?.peers.find(({ address }) => address === local)?.as ?? 0,
    podCIDRs: [],
    addresses: router,
    sessions,
    reflects: false,
  });
}

/** The sessions of the router between a lab's segments. */
export function routerSessions(cluster: Cluster): readonly BgpSession[] {
  const { bgp, segments = [], nodes } = cluster;
  if (bgp === undefined) return [];
  const addresses = segments.flatMap(({ router }) => router);
  const peers = bgp.peers.filter(({ address }) => addresses.includes(address));
  return peers.flatMap(({ address }) => {
    const own = segments.find(({ router }) => router.includes(address));
    return nodes.flatMap((node): readonly BgpSession[] => {
      const far = ofFamily(node.addresses, familyOf(address));
      const here = own?.cidrs.some((cidr) =>
        far !== undefined && containsAddress(parseCidr(cidr), far)
      );
      return far === undefined || !here ? [] : [{
        name: `to-${node.name}`.slice(0, 64),
        node: node.name,
        local: address,
        address: far,
        as: bgp.as,
        near: true,
        client: false,
      }];
    });
  });
}

/** 32 bits that no other speaker has: the IPv4 address, or what is made of the IPv6 address. */
function routerId(addresses: readonly string[]): string {
  const four = ofFamily(addresses, 4);
  if (four !== undefined) return four;
  const bytes = digest(addresses.join(" ")).match(/../g) ?? [];
  return bytes.map((byte) => parseInt(byte, 16) || 1).join(".");
}

function confOf(cluster: Cluster, speaker: Speaker): string {
  const families = cluster.clusterCIDRs.map(familyOf);
  const body = [
    ...(cluster.provider === "lab"
      ? [`log "${logPath}" 1000000 "${logPath}.old" all;`]
      : ["log syslog { warning, error, auth, fatal, bug };"]),
    `router id ${speaker.id};`,
    "",
    "# The pods of the whole cluster, and of this node.",
    ...cluster.clusterCIDRs.map((cidr) =>
      `define all_pods_${familyOf(cidr)} = [ ${cidr}+ ];`
    ),
    ...speaker.podCIDRs.map((cidr) =>
      `define own_pods_${familyOf(cidr)} = [ ${cidr}+ ];`
    ),
    "",
    "# The networks that the node is on, and its other routes: ways to next hops.",
    "protocol device { scan time 10; }",
    `protocol direct { ${channels(cluster)} interface ${
      speaker.bridge === undefined ? "" : `"-${speaker.bridge}", `
    }"*"; }`,
    ...families.flatMap((family) => kernelPart(family)),
    ...speaker.podCIDRs.flatMap((cidr) => [
      "",
      "# What this node announces. The route is for others: the kernel has its own.",
      `protocol static announced_${familyOf(cidr)} {`,
      `  ipv${familyOf(cidr)};`,
      `  route ${cidr} blackhole;`,
      "}",
    ]),
    ...speaker.sessions.flatMap((session) =>
      sessionPart(cluster, speaker, session)
    ),
    "",
  ].join("\n");
  return `${confHead}define ${confConstant} = "${digest(body)}";\n${body}`;
}

function channels({ clusterCIDRs }: Cluster): string {
  return clusterCIDRs.map((cidr) => `ipv${familyOf(cidr)};`).join(" ");
}

/** What BGP told goes to the kernel; what the kernel has of pods comes from others. */
function kernelPart(family: 4 | 6): string[] {
  return [
    `protocol kernel kernel_${family} {`,
    "  learn;",
    "  scan time 10;",
    `  ipv${family} {`,
    `    import where net !~ all_pods_${family};`,
    "    export where source = RTS_BGP;",
    "  };",
    "}",
  ];
}

function sessionPart(
  cluster: Cluster,
  speaker: Speaker,
  session: BgpSession,
): string[] {
  const { podCIDRs, addresses, reflects } = speaker;
  const as = speaker.as(session.local);
  const { name, local, address, near, client } = session;
  const isInternal = session.as === as;
  const way = !near ? ["multihop;"] : isInternal
    // RFC 5082: what a router has passed on is not from this segment.
    ? ["direct;", "ttl security on;"]
    : ["direct;"];
  return [
    "",
    `protocol bgp '${name}' {`,
    `  local ${local} as ${as};`,
    `  neighbor ${address} as ${session.as};`,
    ...[...way, "strict bind on;"].map((line) => `  ${line}`),
    ...(client ? ["  rr client;"] : []),
    "  hold time 30;",
    "  connect delay time 1;",
    "  connect retry time 5;",
    "  error wait time 1, 10;",
    ...(cluster.bgp?.passwordFile === undefined
      ? []
      : [`include "${passwordPath}";`]),
    ...cluster.clusterCIDRs.flatMap((cidr) => {
      const family = familyOf(cidr);
      const own = podCIDRs.some((podCIDR) => familyOf(podCIDR) === family);
      const hop = ofFamily(addresses, family);
      const isTold = hop !== undefined &&
        (family === 6 || family !== familyOf(local));
      return [
        `  ipv${family} {`,
        "    import keep filtered on;",
        `    receive limit ${spare + cluster.nodes.length} action block;`,
        `    import ${importOf(cluster, speaker, session, family)};`,
        ...(!own ? ["    export none;"] : [
          "    export filter {",
          `      if proto = "announced_${family}" then {`,
          // Else a link-local address (RFC 2545), or one of the other family.
          ...(isTold ? [`        bgp_next_hop = ${hop};`] : []),
          "        accept;",
          "      }",
          ...(reflects && session.node !== undefined
            ? ["      if source = RTS_BGP then accept;"]
            : []),
          "      reject;",
          "    };",
        ]),
        ...(isInternal ? ["    gateway recursive;"] : []),
        "  };",
      ];
    }),
    "}",
  ];
}

/**
 * What is believed of a session: of a node its own podCIDRs, of one that reflects
 * (or a router of the same system) whole podCIDRs of others, of any other router
 * nothing. So no other route, and no part of a podCIDR, comes into the kernel.
 */
function importOf(
  cluster: Cluster,
  { as, podCIDRs }: Speaker,
  session: BgpSession,
  family: 4 | 6,
): string {
  const { node } = session;
  const passesOn = node === undefined
    ? session.as === as(session.local)
    : reflectorsOf(cluster).includes(node);
  if (!passesOn) {
    const own = cluster.nodes.find(({ name }) => name === node);
    const podCIDR = ofFamily(own?.podCIDRs ?? [], family);
    return podCIDR === undefined ? "where false" : `where net = ${podCIDR}`;
  }
  const all = cluster.nodes.flatMap((one) =>
    ofFamily(one.podCIDRs, family) ?? []
  );
  const lengths = all.map((cidr) => parseCidr(cidr).prefixLength);
  const whole = `[ ${ofFamily(cluster.clusterCIDRs, family)}{${
    Math.min(...lengths)
  },${Math.max(...lengths)}} ]`;
  const own = podCIDRs.some((podCIDR) => familyOf(podCIDR) === family);
  return `where net ~ ${whole}${own ? ` && net !~ own_pods_${family}` : ""}`;
}

/** What a bird that has read this configuration says of it. */
export function confDigest(conf: string): string {
  return new RegExp(`^define ${confConstant} = "(\\w+)";$`, "m").exec(conf)
    ?.[1] ?? "";
}
