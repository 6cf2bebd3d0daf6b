/**
 * The network configuration, parsed and checked: SPEC.md, "Network
 * configuration". README.md has the table of all keys.
 */

import {
  type Address,
  parseAddress,
  parseSubnet,
  type Subnet,
} from "../address/address.ts";
import {
  parsed,
  parseIps,
  parseSubnets,
  requests,
  wrong,
} from "./config_addresses.ts";
import { type Args, checkMac, isName, parseArgs } from "./environment.ts";
import {
  flag,
  integer,
  type Json,
  type JsonObject,
  listOf,
  object,
  read,
  shown,
  text,
} from "./json.ts";
import {
  CniError,
  code,
  type Dns,
  type Result,
  type RouteOptions,
  type Version,
} from "./protocol.ts";
import { parseDns, parseResult, parseRoutes } from "./result.ts";

/** Where leases lie unless told: a reboot, which ends every pod, ends them too. */
export const defaultDataDir = "/run/deno-cni/networks";

/** A route into the pod; without a gateway, by the pod's own gateway of that family. */
export interface PodRoute extends RouteOptions {
  dst: Subnet;
  gateway: Address | undefined;
}

/** Another plugin for addresses, and what it is called with. */
export interface Ipam {
  type: string;
  /** The whole configuration as it came. */
  input: JsonObject;
}

export interface Config {
  version: Version;
  name: string;
  /** One subnet a family at most; none where `ipam` gives the addresses. */
  subnets: Subnet[];
  bridge: string;
  /** undefined: the smallest on the ways out and to the peers. */
  mtu: number | undefined;
  /** Addresses of other nodes, one of each network that they are in. */
  peers: Address[];
  hairpinMode: boolean;
  routes: PodRoute[];
  dns: Dns;
  dataDir: string;
  /** The plugin that gives addresses instead of us. */
  ipam: Ipam | undefined;
  /** Addresses asked for by the runtime. */
  ips: Address[];
  mac: string | undefined;
  prevResult: Result | undefined;
}

/** What DEL and GC need of the configuration. */
export interface Removal {
  name: string;
  dataDir: string;
  ipam: Ipam | undefined;
}

/**
 * What DEL and GC need. They take back what is there, also where the rest of
 * the configuration is such that ADD would refuse it.
 * @param warn is told of each value that something else stands in for
 * @throws {CniError} 7 for the network's name
 */
export function parseRemoval(
  config: JsonObject,
  warn: (text: string) => void,
): Removal {
  function or<T>(instead: T, parse: () => T, words: string): T {
    try {
      return parse();
    } catch (error) {
      warn(`${(error as Error).message}: ${words}`);
      return instead;
    }
  }
  return {
    name: parseName(config),
    dataDir: or(
      defaultDataDir,
      () => parseDataDir(config),
      `leases are looked for in ${defaultDataDir}`,
    ),
    ipam: or(
      undefined,
      () => parseIpam(config),
      "no IPAM plugin is called",
    ),
  };
}

/**
 * The configuration of one call.
 * @param cniArgs CNI_ARGS of the call, or "": they ask for an address or MAC too, and win
 * @throws {CniError} 7 for a value that makes no sense, 2 for a key of the
 * reference plugin that this plugin does not support
 */
export function parseConfig(
  config: JsonObject,
  version: Version,
  cniArgs: string,
): Config {
  const args = parseArgs(cniArgs);
  const name = parseName(config);
  refuseUnsupported(config);
  const ipam = parseIpam(config);
  const subnets = parseSubnets(config, ipam !== undefined);
  return {
    version,
    name,
    subnets,
    bridge: parseBridge(config),
    mtu: parseMtu(config),
    peers: parsePeers(config),
    hairpinMode: read(config, "hairpinMode", flag) ?? false,
    routes: parsePodRoutes(config),
    dns: parseDns(config, "dns", ""),
    dataDir: parseDataDir(config),
    ipam,
    ips: parseIps(config, subnets, args),
    mac: parseMac(config, args),
    prevResult: parsePrevResult(config),
  };
}

function parseName(config: JsonObject): string {
  const name = read(config, "name", text) ?? "";
  if (isName(name)) return name;
  throw wrong(
    `name is ${name === "" ? "missing" : JSON.stringify(name)}`,
    "the network's name: letters, digits, _ . and -, a letter or digit first",
  );
}

/**
 * Keys of the reference `bridge` that change what a pod may do: passing them
 * over would not be safe.
 */
function refuseUnsupported(config: JsonObject): void {
  const harmless: Json[] = [false, 0, null];
  const instead: [key: string, what: string][] = [
    ["ipMasq", "stage 07 masquerades; take the key away"],
    ["vlan", "this bridge has no VLANs"],
    ["vlanTrunk", "this bridge has no VLANs"],
    ["promiscMode", "use hairpinMode"],
    ["macspoofchk", "this plugin writes no packet filter"],
    ["portIsolation", "every pod reaches every pod"],
  ];
  for (const [key, what] of instead) {
    const value = Object.hasOwn(config, key) ? config[key] : undefined;
    if (value === undefined || harmless.includes(value)) continue;
    throw new CniError(
      code.unsupportedField,
      `${key} is ${shown(value)}, which this plugin does not support`,
      what,
    );
  }
}

function parseIpam(config: JsonObject): Ipam | undefined {
  const ipam = read(config, "ipam", object);
  if (ipam === undefined || Object.keys(ipam).length === 0) return undefined;
  const type = read(ipam, "type", text, "ipam") ?? "";
  if (type !== "" && type !== "." && type !== ".." && !type.includes("/")) {
    return { type, input: config };
  }
  throw wrong(
    `ipam.type is ${type === "" ? "missing" : JSON.stringify(type)}`,
    "the name of an IPAM plugin is expected, such as host-local; " +
      "without ipam this plugin gives the addresses itself",
  );
}

function parseBridge(config: JsonObject): string {
  const bridge = read(config, "bridge", text) ?? "cni0";
  if (/^[^\s/:\0]{1,15}$/.test(bridge) && bridge !== "." && bridge !== "..") {
    return bridge;
  }
  throw wrong(
    `bridge is ${JSON.stringify(bridge)}`,
    "the name of a link is expected: 1 to 15 bytes without white space, / or :",
  );
}

/** The bounds of IPv4 and of a veth. */
function parseMtu(config: JsonObject): number | undefined {
  const mtu = read(config, "mtu", integer);
  if (mtu === undefined || mtu === 0) return undefined;
  if (mtu >= 68 && mtu <= 65535) return mtu;
  throw wrong(`mtu is ${mtu}`, "68 to 65535 is expected, or 0 for the default");
}

function parsePeers(config: JsonObject): Address[] {
  return (read(config, "peers", listOf(text)) ?? [])
    .map((peer, at) => parsed(`peers[${at}]`, peer, parseAddress));
}

function parseDataDir(config: JsonObject): string {
  const given = read(config, "dataDir", text);
  if (given === undefined || given === "") return defaultDataDir;
  if (given.startsWith("/") && !given.includes("\0")) return given;
  throw wrong(
    `dataDir is ${JSON.stringify(given)}`,
    "an absolute path is expected: a runtime's working directory may be any",
  );
}

function parsePodRoutes(config: JsonObject): PodRoute[] {
  return parseRoutes(config, "routes", "").map((
    { dst, gw, ...options },
    at,
  ) => ({
    ...options,
    dst: parsed(`routes[${at}].dst`, dst, parseSubnet),
    gateway: gw === undefined
      ? undefined
      : parsed(`routes[${at}].gw`, gw, parseAddress),
  }));
}

/** `runtimeConfig.mac`, `args.cni.mac`, CNI_ARGS. */
function parseMac(
  config: JsonObject,
  args: Args | undefined,
): string | undefined {
  if (args?.mac !== undefined) return args.mac;
  for (const [path, from] of requests(config)) {
    const mac = read(from, "mac", text, path);
    if (mac !== undefined) {
      return checkMac(mac, `${path}.mac`, code.configuration);
    }
  }
  return undefined;
}

function parsePrevResult(config: JsonObject): Result | undefined {
  const previous = read(config, "prevResult", object);
  return previous === undefined
    ? undefined
    : parseResult(previous, "prevResult");
}
