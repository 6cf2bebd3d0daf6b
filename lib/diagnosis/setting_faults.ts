/**
 * What a node's settings of interfaces do to pods' packets: the kernel's
 * combined values on every device on their way. Pure.
 */
import { familyOf } from "../net/cidr.ts";
import { cmd } from "../exec/command.ts";
import {
  effectiveValue,
  readInterfaceValues,
  settingName,
  valueAt,
} from "../net/interface_settings.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { listed } from "../node/batch.ts";
import type { Cause } from "./cause.ts";
import {
  isSetUp,
  type LinkFacts,
  type NodeFacts,
  type RouteFacts,
} from "./evidence.ts";
import { makeStage, onNode } from "./remedy.ts";
import {
  bareFault,
  type ClusterFacts,
  type DeviceOnWay,
  type SettingFacts,
  type SettingFault,
  writes,
} from "./setting_fault.ts";
import { longestMatch } from "../net/route_match.ts";

/**
 * The bridge, the link that has the node's address, and the devices of the
 * default route and of those to the other nodes and their pods.
 */
function waysOf(
  { node, links, routes }: SettingFacts,
  { bridge, nodes }: ClusterFacts,
): readonly DeviceOnWay[] {
  const own = links.filter(({ addresses }) => addresses.includes(node.address))
    .map(({ name }) => name);
  const others = nodes.filter(({ name }) => name !== node.name)
    .flatMap(({ addresses, podCIDRs }) =>
      [...addresses, ...podCIDRs].map((one) => one.replace(/\/.*/, ""))
    )
    .filter((one) => familyOf(one) === familyOf(node.address));
  const routed = [
    ...routes.filter(({ dst }) => dst === "default"),
    ...others.map((address) => longestMatch(routes, address)),
  ].flatMap((route) => route?.dev === undefined ? [] : [route.dev]);
  // A link that has lost its address may be either.
  const maybe = own.length > 0 ? own : links.map(({ name }) => name)
    .filter((name) => name !== "lo" && !/^(veth|docker|br-)/.test(name));
  // Where the link has lost its routes, a setting of its own may be why.
  const tunnel = links.some(({ name }) => name === tunnelLink)
    ? [tunnelLink]
    : [];
  const outward = new Set([...maybe, ...routed, ...tunnel]);
  outward.delete(bridge);
  return [
    ...links.filter(({ name }) => name === bridge)
      .map(({ name }): DeviceOnWay => ({ device: name, is: "bridge" })),
    ...[...outward].map((device): DeviceOnWay => ({ device, is: "outward" })),
  ];
}

/** What is wrong with a node's settings on its pods' way, the worst first. */
export function settingFaults(
  facts: SettingFacts,
  cluster: ClusterFacts,
): readonly SettingFault[] {
  const ways = waysOf(facts, cluster);
  const all = ways.flatMap((way) =>
    familyOf(facts.node.address) === 4
      ? [
        ...ipv4Faults(facts, way),
        ...apartFaults(facts, way, cluster),
        ...mislead(facts, way, 4),
      ]
      : [...ipv6Faults(facts, way), ...mislead(facts, way, 6)]
  );
  return [
    ...all.filter(({ isWarning }) => !isWarning),
    ...all.filter(({ isWarning }) => isWarning),
  ];
}

function ipv4Faults(facts: SettingFacts, way: DeviceOnWay): SettingFault[] {
  const { values, node: { name: on } } = facts;
  const { device } = way;
  const value = (name: string) => effectiveValue(values, 4, name, device);
  const found: SettingFault[] = [];
  // Without `all` nothing is forwarded, which is told by itself.
  if (
    value("forwarding") === 0 && valueAt(values, 4, "forwarding", "all") !== 0
  ) {
    found.push({
      ...bareFault(facts, 4, "forwarding", device, "forwarding"),
      what: `${on} does not forward what comes in by ${device}: ` +
        `${settingName(4, "forwarding", device)} is off, and the interface's ` +
        "own value is what counts",
      remedies: [makeStage("06-forwarding", on)],
    });
  }
  // Of an end of the tunnels the others are told the MAC: nothing asks for it.
  if ((value("arp_ignore") ?? 0) >= 8 && device !== tunnelLink) {
    found.push({
      ...bareFault(facts, 4, "arp_ignore", device),
      what: `${on} answers no ARP request on ${device}: arp_ignore, the ` +
        "greater of all's and the interface's, is 8",
      remedies: writes(facts, 4, "arp_ignore", device, 0),
    });
  }
  for (const name of ["proxy_arp", "proxy_arp_pvlan"]) {
    if (value(name) !== 1) continue;
    found.push({
      ...bareFault(facts, 4, name, device),
      isWarning: true,
      what: `${on} answers ARP requests on ${device} for addresses of others ` +
        `(${name}, on for all or for the interface): their packets come to ` +
        "it, and two machines with one address are not noticed",
      remedies: writes(facts, 4, name, device, 0),
    });
  }
  return found;
}

/**
 * Where the answer to another node would go by another link: a strict rp_filter
 * drops what comes from it, and arp_filter leaves its ARP requests unanswered.
 */
function apartFaults(
  facts: SettingFacts,
  { device }: DeviceOnWay,
  { bridge, nodes }: ClusterFacts,
): SettingFault[] {
  if (device === bridge) return []; // Nothing of another node comes by it.
  const { values, node, links, routes } = facts;
  const value = (name: string) => effectiveValue(values, 4, name, device);
  const holds = links.some(({ name, addresses }) =>
    name === device && addresses.includes(node.address)
  );
  // By a link without an address a loose filter drops what a strict one would
  // (net/ipv4/fib_frontend.c, __fib_validate_source()).
  const bare = links.some(({ name, addresses }) =>
    name === device && addresses.every((one) => familyOf(one) !== 4)
  );
  const filter = value("rp_filter") ?? 0;
  const strict = bare ? filter > 0 : holds && filter === 1;
  const silent = holds && value("arp_filter") === 1;
  if (!(strict || silent)) return [];
  const apart = nodes.filter(({ name }) => name !== node.name)
    .flatMap((other) =>
      [...other.addresses, ...other.podCIDRs].flatMap((one) => {
        const address = one.replace(/\/.*/, "");
        if (familyOf(address) !== 4) return [];
        const dev = longestMatch(routes, address)?.dev;
        // What is routed into a tunnel comes out of it, and not bare by this link.
        return dev === undefined || dev === device || dev === tunnelLink
          ? []
          : [{ one, dev, other }];
      })
    )[0];
  if (apart === undefined) return [];
  const { one, dev, other } = apart;
  const found: SettingFault[] = [];
  if (strict) {
    found.push({
      ...bareFault(facts, 4, "rp_filter", device, "rp-filter"),
      what: `${node.name} drops what comes from ${one} of ${other.name} by ` +
        `${device}: its answer would go by ${dev}, and rp_filter, the ` +
        `greater of all's and the interface's, is ${filter}` +
        (bare ? `, and ${device} has no address` : ""),
      remedies: [onNode(node.name, cmd`sysctl -w ${looser(device, bare)}`)],
    });
  }
  if (silent) {
    found.push({
      ...bareFault(facts, 4, "arp_filter", device),
      what: `${node.name} does not answer ARP requests of ${other.name} on ` +
        `${device}: its answer to ${one} would go by ${dev}, and arp_filter ` +
        "is on for all or for the interface",
      remedies: writes(facts, 4, "arp_filter", device, 0),
    });
  }
  return found;
}

/**
 * Assignments that let in by a link what is answered by another. For all, too:
 * what comes by the other link has the same trouble.
 *
 * @param bare whether the link has no IPv4 address
 */
export function looser(device: string, bare: boolean): readonly string[] {
  return ["all", device].map((place) =>
    `${settingName(4, "rp_filter", place)}=${bare ? 0 : 2}`
  );
}

/**
 * What lets others on a link mislead the node's packets. The bridge has a check
 * of its own. A node that does not forward is a host, to which the kernel
 * allows more. send_redirects, which a kernel has on unless told otherwise, loses
 * nothing: pods heed no redirect, and one that was made to reached a service of
 * its own node all the same. Nor does arp_announce: what a node forwards is no
 * reason to ask by another address than the link's. They are told of nowhere.
 */
function mislead(
  facts: SettingFacts,
  { device, is }: DeviceOnWay,
  family: 4 | 6,
): SettingFault[] {
  const { values, node: { name: on } } = facts;
  if (is === "bridge") return [];
  if (effectiveValue(values, family, "forwarding", device) === 0) return [];
  const why: Readonly<Record<string, string>> = {
    accept_redirects: "takes ICMP redirects: anything on that link can have " +
      "its packets sent elsewhere",
    accept_source_route: "forwards packets on the way that their sender " +
      "writes into them",
    ...(family === 6
      ? {
        proxy_ndp:
          "answers for addresses of others (ip -6 neigh show proxy): " +
          "their packets come to it",
      }
      : {}),
  };
  return Object.entries(why).filter(([name]) =>
    (effectiveValue(values, family, name, device) ?? 0) > 0
  ).map(([name, harm]): SettingFault => ({
    ...bareFault(facts, family, name, device),
    isWarning: true,
    what:
      `${on} ${harm} (${settingName(family, name, device)}, as the kernel ` +
      "combines it with all's)",
    remedies: writes(facts, family, name, device, 0),
  }));
}

function ipv6Faults(
  facts: SettingFacts,
  { device, is }: DeviceOnWay,
): SettingFault[] {
  const { values, node } = facts;
  if (effectiveValue(values, 6, "disable_ipv6", device) !== 1) return [];
  const enable = writes(facts, 6, "disable_ipv6", device, 0);
  return [{
    ...bareFault(facts, 6, "disable_ipv6", device),
    what: `IPv6 is disabled on ${device} of ${node.name}: its addresses and ` +
      "routes of that family are gone with it",
    remedies: is === "bridge"
      ? [...enable, makeStage("04-bridge", node.name)]
      : device === tunnelLink
      ? [...enable, makeStage("08-routes", node.name)]
      : enable,
  }];
}

/** The settings of a node that evidence was gathered of. */
function settingFactsOf(
  { node, links, routes, settings }: NodeFacts,
): SettingFacts {
  return {
    node,
    values: readInterfaceValues(settings.outcome.stdout ?? ""),
    links: listed<LinkFacts>(links)
      .filter((link) => link.master === undefined && isSetUp(link))
      .map(({ ifname, addr_info }) => ({
        name: ifname,
        addresses: addr_info.map(({ local }) => local),
      })),
    routes: listed<RouteFacts>(routes),
  };
}

/**
 * The setting that loses packets of a node.
 *
 * @param about which settings to look at
 */
export function settingFault(
  facts: NodeFacts,
  cluster: ClusterFacts,
  about: (fault: SettingFault) => boolean = () => true,
): Cause | undefined {
  const found = settingFaults(settingFactsOf(facts), cluster)
    .find((one) => !one.isWarning && about(one));
  if (found === undefined) return undefined;
  const { kind, on, what, evidence, remedies } = found;
  return { kind, on, what, evidence, remedies };
}
