/** What a node does for its pods' packets, in words, as its own rules and routes say. Pure. */
import { birdProtocol } from "../steps/probes.ts";
import { tunnelAddress, tunnelLink } from "../net/vxlan.ts";
import {
  type Family,
  familyOf,
  formatCidr,
  gateway,
  parseCidr,
} from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { familiesOf } from "../cluster/address_family.ts";
import type {
  Host,
  Inventory,
  InventoryNode,
  InventoryRules,
} from "../inventory/inventory.ts";
import { type Packet, readTable, traverse } from "../net/iptables.ts";
import type { StageName } from "../stage/stage.ts";

/** How it is with a thing: there, missing though it should be there, or not yet due. */
type Tone = "good" | "bad" | "waiting";

/** The sign that stands before a fact, so that its colour need not be seen. */
export const signs: Readonly<Record<Tone, string>> = {
  good: "✓",
  bad: "✗",
  waiting: "–",
};

/** One thing that a node does, or does not. */
export interface Fact {
  /** The same in two pictures for the same thing. */
  readonly key: string;
  readonly text: string;
  readonly tone: Tone;
}

/** Targets that end a packet's way; the chains of others are not in an inventory. */
const known = /-[jg] (ACCEPT|DROP|REJECT|RETURN|MASQUERADE|SNAT)\b/;

/**
 * All that a node does, routes included.
 *
 * @param link the node's link to the others
 */
export function allFacts(
  node: InventoryNode,
  host: Host,
  cluster: Cluster,
  inventory: Inventory,
  link: string,
): readonly Fact[] {
  return [
    ...factsOf(node, host, cluster, link),
    ...shortened(routeFacts(node, host, cluster, inventory)),
  ];
}

/** More routes than this are counted, and only those that are wrong are named. */
const routesNamed = 4;

function shortened(facts: readonly Fact[]): readonly Fact[] {
  if (facts.length <= routesNamed) return facts;
  const good = facts.filter(({ tone }) => tone === "good");
  const rest = facts.filter(({ tone }) => tone !== "good");
  const named = rest.slice(0, routesNamed - 1);
  const more = rest.length - named.length;
  return [
    ...(good.length === 0 ? [] : [{
      key: "routes",
      text: `routes to ${good.length} of ${facts.length} podCIDRs`,
      tone: "good" as const,
    }]),
    ...named,
    ...(more === 0 ? [] : [{
      key: "more routes",
      text: `${more} more routes like that`,
      tone: named[0]?.tone ?? "waiting",
    }]),
  ];
}

/**
 * What a node does for its pods, told in a few lines.
 *
 * @param link the node's link to the others
 */
function factsOf(
  node: InventoryNode,
  host: Host,
  cluster: Cluster,
  link: string,
): readonly Fact[] {
  const families = familiesOf(cluster);
  return families.flatMap((family) => {
    const suffix = families.length === 1 ? "" : `, IPv${family}`;
    const own = node.podCIDRs.find((cidr) => familyOf(cidr) === family);
    const ends = own === undefined ? undefined : endsOf(own, cluster, family);
    if (ends === undefined) return [];
    return [
      forwarding(host, cluster, ends, link, suffix),
      masquerading(host, cluster, ends, link, suffix),
    ].map((fact) => ({ ...fact, key: `${fact.key}${family}` }));
  });
}

/** A pod of the node, a pod of another, and a host outside. */
interface Ends {
  readonly family: Family;
  readonly pod: string;
  readonly other: string;
  readonly outside: string;
}

function endsOf(
  podCIDR: string,
  cluster: Cluster,
  family: Family,
): Ends | undefined {
  const { nodes, outside } = cluster;
  const others = nodes.flatMap(({ podCIDRs }) => podCIDRs)
    .filter((cidr) => familyOf(cidr) === family && cidr !== podCIDR);
  const address = (cidr: string) => gateway(cidr).replace(/\/.*/, "");
  const beyond = outside.addresses.find((one) => familyOf(one) === family);
  return {
    family,
    pod: address(podCIDR),
    other: address(others[0] ?? podCIDR),
    outside: beyond ?? outside.address,
  };
}

function due(host: Host, stage: StageName): Tone {
  return host.complete.includes(stage) ? "bad" : "waiting";
}

/** With what, where that is not the usual. */
function by(firewall: Cluster["firewall"]): string {
  return firewall === "nftables" ? " (nftables)" : "";
}

function forwarding(
  host: Host,
  { bridge, firewall }: Cluster,
  { family, pod, other }: Ends,
  link: string,
  suffix: string,
): Fact {
  const key = "forwarding";
  const setting = family === 4
    ? "net.ipv4.ip_forward"
    : "net.ipv6.conf.all.forwarding";
  const lacking = due(host, "06-forwarding");
  if (host.sysctls[setting] !== "1") {
    const text = `does not forward (ip_forward is off)${suffix}`;
    return { key, text, tone: lacking };
  }
  const there = { source: pod, destination: other, in: bridge, out: link };
  const back = { source: other, destination: pod, in: link, out: bridge };
  const dropped = [there, back].find((packet) =>
    verdict(host.forward, family, "FORWARD", packet) !== "ACCEPT"
  );
  if (dropped === undefined) {
    const text = `forwards for its pods${suffix}${by(firewall)}`;
    return { key, text, tone: "good" };
  }
  const what = dropped === there ? "what pods send" : "what is for pods";
  return { key, text: `FORWARD drops ${what}${suffix}`, tone: lacking };
}

function masquerading(
  host: Host,
  { bridge, firewall }: Cluster,
  { family, pod, other, outside }: Ends,
  link: string,
  suffix: string,
): Fact {
  const key = "masquerade";
  const target = (destination: string) =>
    verdict(host.postrouting, family, "POSTROUTING", {
      source: pod,
      destination,
      in: bridge,
      out: link,
    });
  const rewrites = (destination: string) => target(destination) !== "ACCEPT";
  if (!rewrites(outside)) {
    const text = `masquerades nothing${suffix}`;
    return { key, text, tone: due(host, "07-masquerade") };
  }
  return rewrites(other)
    ? { key, text: `masquerades also pod to pod${suffix}`, tone: "bad" }
    : {
      key,
      text: `masquerades what leaves${suffix}${by(firewall)}`,
      tone: "good",
    };
}

function verdict(
  chains: readonly InventoryRules[],
  family: Family,
  name: string,
  packet: Omit<Packet, "reply">,
): string {
  const chain = chains.find((chain) => chain.family === family);
  if (chain === undefined) return "ACCEPT";
  const rules = chain.rules.filter((rule) => known.test(rule));
  const text = [`-P ${name} ${chain.policy}`, ...rules].join("\n");
  return traverse(readTable(text), name, { ...packet, reply: false }).target;
}

/** The routes to the other nodes' pods, a fact each; none where a cloud's router keeps them. */
function routeFacts(
  node: InventoryNode,
  host: Host,
  cluster: Cluster,
  { nodes }: Inventory,
): readonly Fact[] {
  if (!["host", "vxlan", "bgp"].includes(cluster.routes)) return [];
  const others = nodes.filter(({ name }) => name !== node.name);
  return others.flatMap(({ name, podCIDRs, address }) =>
    podCIDRs.map((podCIDR): Fact => {
      const key = `route ${podCIDR}`;
      const to = formatCidr(parseCidr(podCIDR));
      const route = host.routes.find((route) => route.to === to);
      const via = route?.via;
      if (route === undefined) {
        const text = `no route to ${podCIDR} (${name})`;
        return { key, text, tone: due(host, "08-routes") };
      }
      if (via === tunnelAddress(podCIDR) && route.dev === tunnelLink) {
        const text = `${podCIDR} through the tunnel to ${name}`;
        return { key, text, tone: "good" };
      }
      const right = via === address || route.protocol === birdProtocol ||
        cluster.nodes.some((one) =>
          one.name === name && one.addresses.includes(via ?? "")
        );
      return {
        key,
        text: `${podCIDR} via ${via ?? route.dev ?? "?"} (${name})`,
        tone: right ? "good" : "bad",
      };
    })
  );
}
