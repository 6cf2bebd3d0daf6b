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
import { type Args, checkMac, isName } from "./environment.ts";
import {
  flag,
  integer,
  isObject,
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
  type Owner,
  type Result,
  type RouteOptions,
  type Version,
  versions,
} from "./protocol.ts";
import { parseDns, parseResult, parseRoutes } from "./result.ts";

/** Where leases lie unless told: a reboot, which ends every pod, ends them too. */
const dataDir = "/run/deno-cni/networks";

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
  /** undefined: that of the node's default route's device. */
  mtu: number | undefined;
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
  /** GC: the attachments that stay; undefined where the key is missing. */
  validAttachments: Owner[] | undefined;
}

/**
 * The JSON object that came on stdin.
 * @throws {CniError} 6 for what is no JSON object
 */
export function parseInput(input: string): JsonObject {
  let parsed: Json;
  try {
    parsed = JSON.parse(input);
  } catch (error) {
    throw new CniError(
      code.decoding,
      `the network configuration on stdin is no JSON: ${
        (error as SyntaxError).message
      }`,
      input.trim() === ""
        ? "nothing came"
        : "the container runtime writes it there",
    );
  }
  if (isObject(parsed)) return parsed;
  throw new CniError(
    code.decoding,
    `the network configuration on stdin is ${shown(parsed)}`,
    "a JSON object is expected",
  );
}

/**
 * The version that the caller speaks; 0.1.0 where it says none.
 * @throws {CniError} 1 for one that is not supported
 */
export function parseVersion(config: JsonObject): Version {
  const asked = config.cniVersion ?? "0.1.0";
  const found = versions.find((version) => version === asked);
  if (found !== undefined) return found;
  throw new CniError(
    code.version,
    `cniVersion is ${shown(asked)}`,
    `supported are ${versions.join(", ")}`,
  );
}

/**
 * The configuration of one call.
 * @param args of the call: they ask for an address or MAC too, and win
 * @throws {CniError} 7 for a value that makes no sense, 2 for a key of the
 * reference plugin that this plugin does not support
 */
export function parseConfig(
  config: JsonObject,
  version: Version,
  args: Args | undefined,
): Config {
  const name = read(config, "name", text) ?? "";
  if (!isName(name)) {
    throw wrong(
      `name is ${name === "" ? "missing" : JSON.stringify(name)}`,
      "the network's name: letters, digits, _ . and -, a letter or digit first",
    );
  }
  refuseUnsupported(config);
  const ipam = parseIpam(config);
  const subnets = parseSubnets(config, ipam !== undefined);
  return {
    version,
    name,
    subnets,
    bridge: parseBridge(config),
    mtu: parseMtu(config),
    hairpinMode: read(config, "hairpinMode", flag) ?? false,
    routes: parsePodRoutes(config),
    dns: parseDns(config, "dns", ""),
    dataDir: parseDataDir(config),
    ipam,
    ips: parseIps(config, subnets, args),
    mac: parseMac(config, args),
    prevResult: parsePrevResult(config),
    validAttachments: parseAttachments(config),
  };
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

function parseDataDir(config: JsonObject): string {
  const given = read(config, "dataDir", text);
  if (given === undefined || given === "") return dataDir;
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

/**
 * The valid attachments: SPEC.md, "GC"; the second key is that of early drafts
 * of 1.1.0. A Go runtime that knows of none sends null, its empty list.
 */
function parseAttachments(config: JsonObject): Owner[] | undefined {
  const key = ["cni.dev/valid-attachments", "cni.dev/attachments"]
    .find((name) => Object.hasOwn(config, name));
  if (key === undefined) return undefined;
  return (read(config, key, listOf(object)) ?? []).map((item, at) => {
    const path = `${key}[${at}]`;
    const containerID = read(item, "containerID", text, path);
    const ifname = read(item, "ifname", text, path);
    if (containerID !== undefined && ifname !== undefined) {
      return { containerID, ifname };
    }
    throw wrong(
      `${path} is ${shown(item)}`,
      "containerID and ifname are expected",
    );
  });
}
