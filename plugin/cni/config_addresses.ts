/**
 * Subnets and addresses in the network configuration.
 */

import {
  type Address,
  AddressError,
  contains,
  firstHost,
  formatAddress,
  formatSubnet,
  isUsable,
  overlap,
  parseAddress,
  parseSubnet,
  type Subnet,
} from "../address/address.ts";
import type { Args } from "./environment.ts";
import { type JsonObject, listOf, object, read, text } from "./json.ts";
import { CniError, code } from "./protocol.ts";

/** A value of the configuration that makes no sense. */
export function wrong(message: string, details: string): CniError {
  return new CniError(code.configuration, message, details);
}

/** Runs a parser of address.ts on a value of the configuration. */
export function parsed<T>(
  path: string,
  value: string,
  parse: (text: string) => T,
): T {
  try {
    return parse(value);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw wrong(`${path} is ${JSON.stringify(value)}`, error.message);
  }
}

/**
 * The subnets that pods get addresses from, one a family, within `network`.
 * @param delegated whether another plugin gives the addresses: then none
 * @throws {CniError} 7
 */
export function parseSubnets(config: JsonObject, delegated: boolean): Subnet[] {
  const subnets = parseSubnetList(config, "subnet", "subnets");
  const networks = parseSubnetList(config, "network", "networks");
  if (delegated) {
    if (subnets.length === 0) return [];
    throw wrong(
      "both subnet and ipam are given",
      "take one away: with ipam, that plugin has the subnets",
    );
  }
  if (subnets.length === 0) {
    throw wrong(
      "subnet is missing",
      "this node's podCIDR is expected, such as 10.244.1.0/24",
    );
  }
  for (const subnet of subnets) {
    parsed("subnet", formatSubnet(subnet), () => firstHost(subnet));
    const network = networks.find((n) => n.family === subnet.family);
    if (network === undefined) continue;
    if (
      overlap(network, subnet) && subnet.prefixLength >= network.prefixLength
    ) continue;
    throw wrong(
      `subnet ${formatSubnet(subnet)} is not within network ${
        formatSubnet(network)
      }`,
      "a node's podCIDR is a part of the clusterCIDR",
    );
  }
  return subnets;
}

/** The subnets of a key that holds one, or of its plural that holds a list; one a family. */
function parseSubnetList(
  config: JsonObject,
  one: string,
  many: string,
): Subnet[] {
  const single = read(config, one, text);
  const several = read(config, many, listOf(text));
  if (single !== undefined && several !== undefined) {
    throw wrong(`both ${one} and ${many} are given`, "take one away");
  }
  const subnets = single !== undefined
    ? [parsed(one, single, parseSubnet)]
    : (several ?? []).map((item, at) =>
      parsed(`${many}[${at}]`, item, parseSubnet)
    );
  const families = subnets.map((subnet) => subnet.family);
  const twice = subnets.find((s, at) => families.indexOf(s.family) !== at);
  if (twice === undefined) return subnets;
  throw wrong(
    `${many} holds ${formatSubnet(twice)} beside another of IPv${twice.family}`,
    "one subnet a family is expected",
  );
}

/**
 * The addresses asked for: CONVENTIONS.md of the CNI project, `runtimeConfig.ips`,
 * `args.cni.ips`, CNI_ARGS.
 * @throws {CniError} 7
 */
export function parseIps(
  config: JsonObject,
  subnets: readonly Subnet[],
  args: Args | undefined,
): Address[] {
  const ips = args?.ip === undefined ? [] : [args.ip];
  for (const [path, from] of requests(config)) {
    read(from, "ips", listOf(text), path)?.forEach((item, at) => {
      // A prefix length may stand there; the subnet's is what counts.
      const address = item.split("/", 1)[0] ?? "";
      ips.push(parsed(`${path}.ips[${at}]`, address, parseAddress));
    });
  }
  if (subnets.length === 0) return ips;
  for (const ip of ips) {
    if (
      subnets.some((subnet) => contains(subnet, ip) && isUsable(subnet, ip))
    ) continue;
    throw wrong(
      `the address ${formatAddress(ip)} is asked for`,
      `one that a pod of ${
        subnets.map(formatSubnet).join(" or ")
      } can have is expected`,
    );
  }
  return ips;
}

/** Where the configuration may hold what a runtime requests for one pod. */
export function requests(
  config: JsonObject,
): [path: string, from: JsonObject][] {
  const args = read(config, "args", object) ?? {};
  return [
    ["runtimeConfig", read(config, "runtimeConfig", object) ?? {}],
    ["args.cni", read(args, "cni", object, "args") ?? {}],
  ];
}
