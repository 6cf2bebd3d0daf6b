/**
 * What the plugin and its caller say to each other: versions, result shapes,
 * error codes. Source of every rule: the CNI specification 1.1.0 (SPEC.md of
 * containernetworking/cni), by the section named beside it.
 */

/** Every version of the specification that results can be written in, oldest first. */
export const versions = [
  "0.1.0",
  "0.2.0",
  "0.3.0",
  "0.3.1",
  "0.4.0",
  "1.0.0",
  "1.1.0",
] as const;

export type Version = typeof versions[number];

/** An attachment of one network, the key of everything: a container's interface. */
export interface Owner {
  readonly containerID: string;
  /** "" in a lease of the oldest format, which names the container alone: all its interfaces. */
  readonly ifname: string;
}

/** Whether `a` is `b` or newer. */
export function since(a: Version, b: Version): boolean {
  return versions.indexOf(a) >= versions.indexOf(b);
}

/** Error codes: SPEC.md, "Error"; from 100 on they are this plugin's own. */
export const code = {
  version: 1,
  unsupportedField: 2,
  noContainer: 3,
  environment: 4,
  io: 5,
  decoding: 6,
  configuration: 7,
  ownNamespace: 8,
  tryAgain: 11,
  cannotAdd: 50,
  cannotAddAndSuffering: 51,
  /** The kernel refused a step. */
  kernel: 100,
  /** The pod already has an interface of that name. */
  interfaceTaken: 101,
  /** The bridge's name or address belongs to something else. */
  bridgeTaken: 102,
  /** Every address of the subnet is taken. */
  subnetFull: 103,
  /** The address asked for is taken, or not one that a pod may have. */
  addressTaken: 104,
  /** CHECK: the attachment is not what prevResult says. */
  checkFailed: 105,
  /** GC: something could not be cleaned; the rest was. */
  gcIncomplete: 106,
  /** The plugin named by `ipam.type` cannot be run, or answered nonsense. */
  delegation: 107,
  /** ADD: the attachment holds an address already. */
  leaseHeld: 108,
  /** A mistake in this plugin. */
  internal: 199,
} as const;

/** What went wrong, in the shape that the caller is told. */
export class CniError extends Error {
  override readonly name = "CniError";

  /**
   * @param code one of {@linkcode code}
   * @param message one line: which step, on what, what was found
   * @param details what to do about it
   */
  constructor(
    readonly code: number,
    message: string,
    readonly details: string = "",
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** SPEC.md, "Success" of ADD; in the shape of 1.1.0, whatever version is asked for. */
export interface Result {
  interfaces: Interface[];
  ips: Ip[];
  routes: Route[];
  dns: Dns;
}

export interface Interface {
  name: string;
  mac?: string;
  mtu?: number;
  /** The network namespace as CNI_NETNS named it; absent on the node's own. */
  sandbox?: string;
  socketPath?: string;
  pciID?: string;
}

export interface Ip {
  /** An address with its prefix length, `10.244.1.2/24`. */
  address: string;
  gateway?: string;
  /** Index into `interfaces`. */
  interface?: number;
}

export interface Route extends RouteOptions {
  dst: string;
  gw?: string;
}

/** What a route carries beside its destination and gateway. */
export interface RouteOptions {
  mtu?: number;
  advmss?: number;
  priority?: number;
  table?: number;
  scope?: number;
}

export interface Dns {
  nameservers?: string[];
  domain?: string;
  search?: string[];
  options?: string[];
}

/** The answer to VERSION: SPEC.md, "VERSION". */
export function versionAnswer(
  asked: string | undefined,
): Record<string, unknown> {
  return {
    cniVersion: asked ?? versions[versions.length - 1]!,
    supportedVersions: [...versions],
  };
}

/** An error as the caller is told it: SPEC.md, "Error". */
export function errorFor(
  version: Version,
  error: CniError,
): Record<string, unknown> {
  return {
    cniVersion: version,
    code: error.code,
    msg: error.message,
    ...(error.details === "" ? {} : { details: error.details }),
  };
}
