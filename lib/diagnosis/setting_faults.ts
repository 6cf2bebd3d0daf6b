/**
 * What a node's settings of interfaces do to pods' packets: the kernel's
 * combined values on every device on their way. Pure.
 */
import { familyOf } from "../net/cidr.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import {
  effectiveValue,
  type InterfaceValues,
  placesToSet,
  readInterfaceValues,
  settingName,
  valueAt,
} from "../net/interface_settings.ts";
import { listed } from "../node/batch.ts";
import type { Cause } from "./cause.ts";
import {
  type Evidence,
  isSetUp,
  type LinkFacts,
  type NodeFacts,
  type RouteFacts,
} from "./evidence.ts";
import { makeStage, onNode, type Remedy } from "./remedy.ts";
import { routeFor } from "./ways.ts";

/** A node's settings, and what tells which devices are on its pods' way. */
export interface SettingFacts {
  /** With the addresses of one family alone (inFamily()). */
  readonly node: ClusterNode;
  readonly values: InterfaceValues;
  /** Its links with their addresses; ports of a bridge are left out. */
  readonly links: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
  }[];
  /** Those of the node's family. */
  readonly routes: readonly RouteFacts[];
}

/** A setting on a pod's way that loses packets, or lets others mislead them. */
export interface SettingFault extends Cause {
  readonly isWarning: boolean;
  readonly device: string;
  readonly setting: string;
}

/** What of a cluster matters here. */
type ClusterFacts = Pick<Cluster, "bridge" | "nodes">;

/** A device on pods' way, and what for. */
interface Way {
  readonly device: string;
  readonly is: "bridge" | "outward";
}

/** The bridge, the link to the other nodes, and the default route's device. */
function waysOf(
  { node, links, routes }: SettingFacts,
  bridge: string,
): readonly Way[] {
  const own = links.filter(({ addresses }) => addresses.includes(node.address))
    .map(({ name }) => name);
  const defaults = routes.filter(({ dst }) => dst === "default")
    .flatMap(({ dev }) => dev === undefined ? [] : [dev]);
  // A link that has lost its address may be either.
  const maybe = own.length > 0 ? own : links.map(({ name }) => name)
    .filter((name) => name !== "lo" && !/^(veth|docker|br-)/.test(name));
  const outward = new Set([...maybe, ...defaults]);
  outward.delete(bridge);
  return [
    ...links.filter(({ name }) => name === bridge)
      .map(({ name }): Way => ({ device: name, is: "bridge" })),
    ...[...outward].map((device): Way => ({ device, is: "outward" })),
  ];
}

/** What is wrong with a node's settings on its pods' way, the worst first. */
export function settingFaults(
  facts: SettingFacts,
  cluster: ClusterFacts,
): readonly SettingFault[] {
  const ways = waysOf(facts, cluster.bridge);
  const all = ways.flatMap((way) =>
    familyOf(facts.node.address) === 4
      ? [...ipv4Faults(facts, way), ...reversePath(facts, way, cluster)]
      : ipv6Faults(facts, way)
  );
  return [
    ...all.filter(({ isWarning }) => !isWarning),
    ...all.filter(({ isWarning }) => isWarning),
  ];
}

function ipv4Faults(facts: SettingFacts, way: Way): SettingFault[] {
  const { values, node: { name: on } } = facts;
  const { device } = way;
  const value = (name: string) => effectiveValue(values, 4, name, device);
  const found: SettingFault[] = [];
  // Without `all` nothing is forwarded, which is told by itself.
  if (
    value("forwarding") === 0 && valueAt(values, 4, "forwarding", "all") !== 0
  ) {
    found.push({
      ...fault(facts, 4, "forwarding", device, "forwarding"),
      what: `${on} does not forward what comes in by ${device}: ` +
        `${settingName(4, "forwarding", device)} is off, and the interface's ` +
        "own value is what counts",
      remedies: [makeStage("06-forwarding", on)],
    });
  }
  if ((value("arp_ignore") ?? 0) >= 8) {
    found.push({
      ...fault(facts, 4, "arp_ignore", device),
      what: `${on} answers no ARP request on ${device}: arp_ignore, the ` +
        "greater of all's and the interface's, is 8",
      remedies: writes(facts, 4, "arp_ignore", device, 0),
    });
  }
  for (const name of ["proxy_arp", "proxy_arp_pvlan"]) {
    if (value(name) !== 1) continue;
    found.push({
      ...fault(facts, 4, name, device),
      isWarning: true,
      what: `${on} answers ARP requests on ${device} for addresses of others ` +
        `(${name}, on for all or for the interface): their packets come to ` +
        "it, and two machines with one address are not noticed",
      remedies: writes(facts, 4, name, device, 0),
    });
  }
  return found;
}

/** What comes from another node is dropped where its answer would go by another link. */
function reversePath(
  facts: SettingFacts,
  { device }: Way,
  { nodes }: ClusterFacts,
): SettingFault[] {
  const { values, node, links, routes } = facts;
  const holds = links.some(({ name, addresses }) =>
    name === device && addresses.includes(node.address)
  );
  if (!holds || effectiveValue(values, 4, "rp_filter", device) !== 1) return [];
  const apart = nodes.filter(({ name }) => name !== node.name)
    .flatMap((other) =>
      [...other.addresses, ...other.podCIDRs].flatMap((one) => {
        const address = one.replace(/\/.*/, "");
        if (familyOf(address) !== 4) return [];
        const dev = routeFor(routes, address)?.dev;
        return dev === undefined || dev === device ? [] : [{ one, dev, other }];
      })
    )[0];
  if (apart === undefined) return [];
  return [{
    ...fault(facts, 4, "rp_filter", device, "rp-filter"),
    what: `${node.name} drops what comes from ${apart.one} of ` +
      `${apart.other.name} by ${device}: its answer would go by ${apart.dev}, ` +
      "and rp_filter, the greater of all's and the interface's, is 1",
    // For all: what comes by the other link has the same trouble.
    remedies: [
      onNode(node.name, cmd`sysctl -w net.ipv4.conf.all.rp_filter=2`),
    ],
  }];
}

function ipv6Faults(facts: SettingFacts, { device, is }: Way): SettingFault[] {
  const { values, node } = facts;
  if (effectiveValue(values, 6, "disable_ipv6", device) !== 1) return [];
  const enable = writes(facts, 6, "disable_ipv6", device, 0);
  return [{
    ...fault(facts, 6, "disable_ipv6", device),
    what: `IPv6 is disabled on ${device} of ${node.name}: its addresses and ` +
      "routes of that family are gone with it",
    remedies: is === "bridge"
      ? [...enable, makeStage("04-bridge", node.name)]
      : enable,
  }];
}

/** A fault without its words, with what `sysctl` shows of it. */
function fault(
  { node, values }: SettingFacts,
  family: 4 | 6,
  name: string,
  device: string,
  kind: Cause["kind"] = "setting",
): Omit<SettingFault, "what" | "remedies"> {
  const shown = ["all", device].flatMap((place) => {
    const value = valueAt(values, family, name, place);
    return value === undefined ? [] : [{ place, value }];
  });
  const names = shown.map(({ place }) => settingName(family, name, place));
  const evidence: Evidence = {
    where: node.name,
    command: `sysctl ${names.join(" ")}`,
    printed: shown.map(({ value }, at) =>
      `${shownName(names[at] ?? "")} = ${value}`
    ).join("\n"),
  };
  return {
    kind,
    on: node.name,
    evidence: [evidence],
    isWarning: false,
    device,
    setting: name,
  };
}

/** The name as `sysctl` prints it: dots and slashes change places. */
function shownName(name: string): string {
  return name.startsWith("net/")
    ? name.replace(/[./]/g, (found) => found === "." ? "/" : ".")
    : name;
}

function writes(
  { node, values }: SettingFacts,
  family: 4 | 6,
  name: string,
  device: string,
  wanted: number,
): readonly Remedy[] {
  const assignments = placesToSet(values, family, name, device, wanted)
    .map((place) => `${settingName(family, name, place)}=${wanted}`);
  return [onNode(node.name, cmd`sysctl -w ${assignments}`)];
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
