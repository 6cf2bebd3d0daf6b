/**
 * Addresses and routes as values, to and from rtnetlink's messages; pure.
 * Source: rtnetlink(7), and Linux `include/uapi/linux/`
 * {rtnetlink,if_addr}.h for the numbers.
 */

import {
  type Address,
  addressBytes,
  addressFromBytes,
  type Family,
  type Subnet,
} from "../address/address.ts";
import {
  attributes,
  NLM_F,
  numberOf,
  type Part,
  type Request,
} from "./netlink.ts";

/** Message types. */
const RTM = {
  NEWADDR: 20,
  GETADDR: 22,
  NEWROUTE: 24,
  GETROUTE: 26,
  GETMULTICAST: 58,
} as const;

/** Attributes and flags of an address. */
const IFA = {
  ADDRESS: 1,
  LOCAL: 2,
  BROADCAST: 4,
  MULTICAST: 7,
  FLAGS: 8,
  TARGET_NETNSID: 10,
  /** No duplicate address detection: usable at once. */
  F_NODAD: 0x2,
  F_DADFAILED: 0x8,
  F_TENTATIVE: 0x40,
} as const;

/** Attributes of a route. */
const RTA = {
  DST: 1,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  METRICS: 8,
  CACHEINFO: 12,
  TABLE: 15,
  /** Inside METRICS. */
  METRIC_MTU: 2,
  METRIC_ADVMSS: 8,
} as const;

const AF = { UNSPEC: 0, INET: 2, BRIDGE: 7, INET6: 10 } as const;
type AddressFamily = typeof AF[keyof typeof AF];

const RT = {
  TABLE_MAIN: 254,
  PROT_BOOT: 3,
  SCOPE_UNIVERSE: 0,
  SCOPE_LINK: 253,
  UNICAST: 1,
} as const;

/** `struct ifaddrmsg`. */
function addressHeader(
  family: AddressFamily,
  prefixLength: number,
  index: number,
): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[0] = family;
  bytes[1] = prefixLength;
  new DataView(bytes.buffer).setUint32(4, index, true);
  return bytes;
}

/** `struct rtmsg`. */
function routeHeader(
  family: AddressFamily,
  prefixLength: number,
  { table = 0, protocol = 0, scope = 0, type = 0 } = {},
): Uint8Array {
  const bytes = new Uint8Array(12);
  bytes[0] = family;
  bytes[1] = prefixLength;
  bytes[4] = table;
  bytes[5] = protocol;
  bytes[6] = scope;
  bytes[7] = type;
  return bytes;
}

const create = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL;
const none = new Uint8Array(0);

/** An address on a link. */
export interface LinkAddress {
  index: number;
  address: Address;
  prefixLength: number;
  /** Duplicate address detection has not ended well: not usable (yet). */
  tentative: boolean;
}

/** A route; `dst` undefined is the default route. */
export interface KernelRoute {
  family: Family;
  dst: Address | undefined;
  prefixLength: number;
  gateway: Address | undefined;
  /** Index of the link it leaves by; 0 for none. */
  link: number;
  table: number;
  /** What its packets may have, where the route says so; not what was learnt for a while. */
  mtu: number | undefined;
}

/** Puts an address on a link, usable at once: a fresh veth has no duplicates to look for. */
export function newAddress(
  link: number,
  address: Address,
  prefixLength: number,
): Request {
  const bytes = addressBytes(address);
  const parts: Part[] = [
    addressHeader(familyNumber(address.family), prefixLength, link),
    [IFA.LOCAL, bytes],
    [IFA.ADDRESS, bytes],
  ];
  if (address.family === 4) {
    const hosts = (1n << BigInt(32 - prefixLength)) - 1n;
    const last = { family: address.family, value: address.value | hosts };
    if (prefixLength < 31) parts.push([IFA.BROADCAST, addressBytes(last)]);
  } else {
    parts.push([IFA.FLAGS, IFA.F_NODAD]);
  }
  return { type: RTM.NEWADDR, flags: create, parts };
}

/**
 * Asks for the addresses of one family on a link; an older kernel answers for all links.
 * @param network the number of another network namespace that the link is in
 */
export function getAddresses(
  family: Family,
  link: number,
  network?: number,
): Request {
  const parts: Part[] = [addressHeader(familyNumber(family), 0, link)];
  if (network !== undefined) parts.push([IFA.TARGET_NETNSID, network]);
  return { type: RTM.GETADDR, flags: NLM_F.DUMP, parts };
}

/** Asks for the IPv6 groups that a link listens to; an older kernel answers for all links. */
export function getMulticast(link: number): Request {
  return {
    type: RTM.GETMULTICAST,
    flags: NLM_F.DUMP,
    parts: [addressHeader(AF.INET6, 0, link)],
  };
}

/** What a route carries beside its destination and gateway. */
interface RouteAttributes {
  mtu?: number;
  advmss?: number;
  priority?: number;
  table?: number;
  scope?: number;
}

/** Makes a route out of a link; without a gateway, to what is on the link itself. */
export function newRoute(
  link: number,
  dst: Subnet,
  gateway: Address | undefined,
  options: RouteAttributes = {},
): Request {
  const table = options.table ?? RT.TABLE_MAIN;
  const direct = dst.family === 4 ? RT.SCOPE_LINK : RT.SCOPE_UNIVERSE;
  const parts: Part[] = [
    routeHeader(familyNumber(dst.family), dst.prefixLength, {
      table: table < 256 ? table : 0,
      protocol: RT.PROT_BOOT,
      scope: options.scope ??
        (gateway === undefined ? direct : RT.SCOPE_UNIVERSE),
      type: RT.UNICAST,
    }),
    [RTA.OIF, link],
    [RTA.TABLE, table],
  ];
  if (dst.prefixLength > 0) {
    parts.push([
      RTA.DST,
      addressBytes({ family: dst.family, value: dst.network }),
    ]);
  }
  if (gateway !== undefined) parts.push([RTA.GATEWAY, addressBytes(gateway)]);
  if (options.priority !== undefined) {
    parts.push([RTA.PRIORITY, options.priority]);
  }
  const metrics: Part[] = [];
  if (options.mtu !== undefined) metrics.push([RTA.METRIC_MTU, options.mtu]);
  if (options.advmss !== undefined) {
    metrics.push([RTA.METRIC_ADVMSS, options.advmss]);
  }
  if (metrics.length > 0) parts.push([RTA.METRICS, metrics]);
  return { type: RTM.NEWROUTE, flags: create, parts };
}

/** Asks which way the kernel would send to an address. */
export function getRouteTo(address: Address): Request {
  const bytes = addressBytes(address);
  return {
    type: RTM.GETROUTE,
    flags: 0,
    parts: [
      routeHeader(familyNumber(address.family), bytes.length * 8),
      [RTA.DST, bytes],
    ],
  };
}

/** Asks for the routes of one family, of all tables. */
export function getRoutes(family: Family): Request {
  return {
    type: RTM.GETROUTE,
    flags: NLM_F.DUMP,
    parts: [routeHeader(familyNumber(family), 0)],
  };
}

/** The address of a message of {@linkcode getAddresses}' answer. */
export function addressOf(body: Uint8Array): LinkAddress {
  const found = attributes(body, 8);
  const flags = found.get(IFA.FLAGS);
  const set = flags === undefined ? body[2] ?? 0 : numberOf(flags);
  return {
    index: numberOf(body.subarray(4)),
    address: addressFromBytes(
      found.get(IFA.LOCAL) ?? found.get(IFA.ADDRESS) ?? none,
    ),
    prefixLength: body[1] ?? 0,
    tentative: (set & (IFA.F_TENTATIVE | IFA.F_DADFAILED)) !== 0,
  };
}

/** The link and the group of a message of {@linkcode getMulticast}'s answer. */
export function multicastOf(
  body: Uint8Array,
): { index: number; group: Address } {
  const group = attributes(body, 8).get(IFA.MULTICAST) ?? none;
  return {
    index: numberOf(body.subarray(4)),
    group: addressFromBytes(group),
  };
}

/** The route of a message of {@linkcode getRoutes}' or {@linkcode getRouteTo}'s answer. */
export function routeOf(body: Uint8Array): KernelRoute {
  const found = attributes(body, 12);
  const address = (type: number) => {
    const bytes = found.get(type);
    return bytes === undefined ? undefined : addressFromBytes(bytes);
  };
  return {
    family: body[0] === AF.INET6 ? 6 : 4,
    dst: address(RTA.DST),
    prefixLength: body[1] ?? 0,
    gateway: address(RTA.GATEWAY),
    link: numberOf(found.get(RTA.OIF) ?? none),
    table: numberOf(found.get(RTA.TABLE) ?? none) || (body[4] ?? 0),
    mtu: mtuOf(found),
  };
}

/** Of struct rta_cacheinfo, the third number says when an entry ends that was learnt. */
function mtuOf(found: ReadonlyMap<number, Uint8Array>): number | undefined {
  const cached = found.get(RTA.CACHEINFO);
  if (cached !== undefined && numberOf(cached.subarray(8, 12)) !== 0) {
    return undefined;
  }
  const metrics = attributes(found.get(RTA.METRICS) ?? none, 0);
  const mtu = metrics.get(RTA.METRIC_MTU);
  return mtu === undefined ? undefined : numberOf(mtu);
}

function familyNumber(family: Family): AddressFamily {
  return family === 4 ? AF.INET : AF.INET6;
}
