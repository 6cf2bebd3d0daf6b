/** Address arithmetic for planning: which addresses belong to whom. The only importer of ip-num. */
import type { Family } from "../../plugin/address/address.ts";
import { IPv4, IPv6 } from "ip-num";

/**
 * An address or a CIDR that makes no sense; the message is the rest of a
 * sentence that begins with the value.
 */
export class CidrError extends Error {
  override readonly name = "CidrError";
}

export type { Family };

/** A range of addresses: `network/prefixLength`, as RFC 4632 and RFC 4291 write it. */
export interface Cidr {
  readonly family: Family;
  readonly network: bigint;
  readonly prefixLength: number;
}

/** So many texts are kept; of a hundred thousand pods all need not be. */
const mostRemembered = 10_000;

/** Bits of an address. */
const width = { 4: 32, 6: 128 } as const;

/** The family that a text is of, by its looks. */
export function familyOf(text: string): Family {
  return text.includes(":") ? 6 : 4;
}

/**
 * Reads an address.
 *
 * @param text e.g. `10.0.1.11` or `fd00:10::b`
 * @throws {CidrError}
 */
export function addressNumber(text: string): bigint {
  return numberOf(text);
}

const numberOf = remembering((text) =>
  familyOf(text) === 4 ? parseIPv4(text) : parseIPv6(text)
);

/**
 * The same function, which reads no text twice: where many nodes are compared
 * with each other, the same few addresses are read over and over.
 */
function remembering<Value>(
  read: (text: string) => Value,
): (text: string) => Value {
  const known = new Map<string, Value>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const value = read(text);
    if (known.size >= mostRemembered) known.clear();
    known.set(text, value);
    return value;
  };
}

function parseIPv4(text: string): bigint {
  const wrong = "is not an IPv4 address; expected e.g. 10.0.1.11";
  if (!/^\d+(\.\d+){3}$/.test(text)) throw new CidrError(wrong);
  if (/(^|\.)0\d/.test(text)) {
    throw new CidrError(
      "has a leading zero, which some programs read as octal; expected none",
    );
  }
  try {
    return IPv4.fromString(text).getValue();
  } catch {
    throw new CidrError(wrong);
  }
}

function parseIPv6(text: string): bigint {
  try {
    // ip-num would take a dotted quad at the end, too.
    if (/^[0-9a-fA-F:]+$/.test(text)) return IPv6.fromString(text).getValue();
  } catch {
    // Said below, in our words.
  }
  throw new CidrError("is not an IPv6 address; expected e.g. fd00:10::b");
}

/** Writes an address; IPv6 in the canonical form of RFC 5952. */
export function addressText(value: bigint, family: Family): string {
  if (family === 4) return new IPv4(value).toString();
  const groups = Array.from(
    { length: 8 },
    (_, at) => ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16),
  );
  const { start, length } = longestZeros(groups);
  if (length < 2) return groups.join(":");
  return groups.slice(0, start).join(":") + "::" +
    groups.slice(start + length).join(":");
}

/** The longest run of zero groups, the first of several (RFC 5952, section 4.2.3). */
function longestZeros(
  groups: readonly string[],
): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, at) => {
    if (group !== "0") start = at + 1;
    else if (at + 1 - start > best.length) {
      best = { start, length: at + 1 - start };
    }
  });
  return best;
}

/**
 * Reads a CIDR whose host bits are zero.
 *
 * @param text e.g. `10.244.0.0/16`
 * @throws {CidrError}
 */
export function parseCidr(text: string): Cidr {
  return cidrOf(text);
}

const cidrOf = remembering((text): Cidr => {
  const [address = "", length = "", ...more] = text.split("/");
  const family = familyOf(address);
  const example = family === 4 ? "10.244.0.0/16" : "fd00:10:244::/56";
  if (more.length > 0 || !/^(0|[1-9]\d*)$/.test(length)) {
    throw new CidrError(`is not a CIDR; expected e.g. ${example}`);
  }
  const prefixLength = Number(length);
  if (prefixLength > width[family]) {
    throw new CidrError(
      `has a prefix of ${length} bits; expected ${width[family]} at most`,
    );
  }
  const value = addressNumber(address);
  const hostBits = BigInt(width[family] - prefixLength);
  const network = (value >> hostBits) << hostBits;
  if (network !== value) {
    const meant = formatCidr({ family, network, prefixLength });
    throw new CidrError(`has host bits set; did you mean ${meant}?`);
  }
  return { family, network, prefixLength };
});

/** Of addresses or CIDRs, the first one of a family. */
export function ofFamily(
  list: readonly string[],
  family: Family,
): string | undefined {
  return list.find((text) => familyOf(text) === family);
}

/** Writes a CIDR. */
export function formatCidr({ family, network, prefixLength }: Cidr): string {
  return `${addressText(network, family)}/${prefixLength}`;
}

/** How many addresses a CIDR holds, the network's and the broadcast address among them. */
export function size({ family, prefixLength }: Cidr): bigint {
  return 1n << BigInt(width[family] - prefixLength);
}

/** The first address behind a CIDR. */
export function end(cidr: Cidr): bigint {
  return cidr.network + size(cidr);
}

/** Whether the address lies in the CIDR. */
export function containsAddress(cidr: Cidr, address: string): boolean {
  if (familyOf(address) !== cidr.family) return false;
  const value = addressNumber(address);
  return value >= cidr.network && value < end(cidr);
}

/** Whether each of these addresses lies in one of the CIDRs. */
export function allWithin(
  addresses: readonly string[],
  cidrs: readonly string[],
): boolean {
  const known = cidrs.map(parseCidr);
  return addresses.every((address) =>
    known.some((cidr) => containsAddress(cidr, address))
  );
}

/** Whether all of `inner` lies in `outer`. */
export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  return outer.family === inner.family && outer.network <= inner.network &&
    end(inner) <= end(outer);
}

/** Whether the two have an address in common. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.network < end(b) && b.network < end(a);
}

/**
 * The gateway of a podCIDR: its first host address, with the podCIDR's prefix
 * length, e.g. `10.244.1.1/24`.
 *
 * @throws {CidrError}
 */
export function gateway(podCIDR: string): string {
  const { family, network, prefixLength } = parseCidr(podCIDR);
  return `${addressText(network + 1n, family)}/${prefixLength}`;
}

/** What a split is made from. */
interface Split {
  readonly clusterCIDRs: readonly string[];
  /** Prefix length of a node's podCIDR, one for each clusterCIDR. */
  readonly nodeMasks: readonly number[];
  readonly nodes: readonly {
    readonly name: string;
    readonly podCIDRs: readonly string[];
  }[];
}

/**
 * Splits the clusterCIDRs among the nodes as kube-controller-manager's range
 * allocator does (`--allocate-node-cidrs`, `--node-cidr-mask-size`): in the
 * nodes' order, each the first subnet that is free. Nodes that have their
 * podCIDRs keep them.
 *
 * @returns podCIDRs by node name, one for each clusterCIDR
 * @throws {CidrError} when the clusterCIDR has too few subnets for the nodes
 */
export function splitClusterCIDR(cluster: Split): Record<string, string[]> {
  const { clusterCIDRs, nodeMasks, nodes } = cluster;
  const given = nodes.flatMap(({ podCIDRs }) => podCIDRs.map(parseCidr))
    .toSorted((a, b) => compare(a.network, b.network));
  const free = clusterCIDRs.map((text, at) => {
    const cidr = parseCidr(text);
    const mask = nodeMasks[at];
    if (mask === undefined) {
      throw new CidrError(`${text} has no nodeMask; expected one each`);
    }
    return freeSubnets(cidr, mask, given);
  });
  const take = (name: string): string[] =>
    free.map((subnets, at) => {
      const next = subnets.next();
      if (!next.done) return formatCidr(next.value);
      throw new CidrError(
        `${clusterCIDRs[at]} has no subnet left for the node ${name}; ` +
          `expected a /${nodeMasks[at]} for each`,
      );
    });
  return Object.fromEntries(
    nodes.map((
      { name, podCIDRs },
    ) => [name, podCIDRs.length > 0 ? [...podCIDRs] : take(name)]),
  );
}

/** Orders addresses. */
export function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** @param given in the order of their networks */
function* freeSubnets(
  cluster: Cidr,
  prefixLength: number,
  given: readonly Cidr[],
): Generator<Cidr, undefined> {
  const { family } = cluster;
  const step = size({ ...cluster, prefixLength });
  const taken = given.filter((cidr) => cidr.family === family);
  let at = 0;
  let network = cluster.network;
  while (network < end(cluster)) {
    const subnet = { family, network, prefixLength };
    let next = taken[at];
    while (next !== undefined && end(next) <= network) next = taken[++at];
    if (next !== undefined && overlaps(next, subnet)) {
      // Past it; both begin at a multiple of their size.
      const past = end(next);
      network = past > network + step ? past : network + step;
    } else {
      yield subnet;
      network += step;
    }
  }
}
