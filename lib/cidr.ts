/** Address arithmetic for planning: which addresses belong to whom. The only importer of ip-num. */
import { IPv4, IPv4CidrRange, IPv6, IPv6CidrRange } from "ip-num";

/** A CIDR that makes no sense; the message says what is wrong with it, without the value. */
export class CidrError extends Error {
  override readonly name = "CidrError";
}

/** The IP version of an address or a CIDR. */
export type Family = 4 | 6;

/** A range of addresses: `network/prefixLength`, as RFC 4632 and RFC 4291 write it. */
export interface Cidr {
  readonly family: Family;
  readonly network: bigint;
  readonly prefixLength: number;
}

/** Bits of an address. */
const width = { 4: 32, 6: 128 } as const;

/** The family that a text is of, by its looks. */
export function familyOf(text: string): Family {
  return text.includes(":") ? 6 : 4;
}

/**
 * Reads an address.
 *
 * @param text e.g. `10.0.1.11` or `fd00::b`
 * @throws {CidrError}
 */
export function parseAddress(text: string): bigint {
  const family = familyOf(text);
  if (family === 4 && !/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    throw new CidrError("is not an IPv4 address, expected e.g. 10.0.1.11");
  }
  if (family === 4 && /(^|\.)0\d/.test(text)) {
    throw new CidrError(
      "has a leading zero, which some programs read as octal",
    );
  }
  if (family === 6 && !/^[0-9a-fA-F:]+$/.test(text)) {
    throw new CidrError("is not an IPv6 address, expected e.g. fd00:10::b");
  }
  try {
    return family === 4
      ? IPv4.fromString(text).getValue()
      : IPv6.fromString(text).getValue();
  } catch {
    throw new CidrError(
      family === 4
        ? "is not an IPv4 address, expected e.g. 10.0.1.11"
        : "is not an IPv6 address, expected e.g. fd00:10::b",
    );
  }
}

/** Writes an address; IPv6 in the canonical form of RFC 5952. */
export function formatAddress(value: bigint, family: Family): string {
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
  const [address = "", length = "", ...more] = text.split("/");
  const family = familyOf(address);
  const example = family === 4 ? "10.244.0.0/16" : "fd00:10:244::/56";
  if (more.length > 0 || !/^(0|[1-9]\d*)$/.test(length)) {
    throw new CidrError(`is not a CIDR, expected e.g. ${example}`);
  }
  const prefixLength = Number(length);
  if (prefixLength > width[family]) {
    throw new CidrError(`has a prefix longer than ${width[family]} bits`);
  }
  const value = parseAddress(address);
  const hostBits = BigInt(width[family] - prefixLength);
  const network = (value >> hostBits) << hostBits;
  if (network !== value) {
    throw new CidrError(
      `has host bits set, did you mean ${
        formatAddress(network, family)
      }/${prefixLength}?`,
    );
  }
  return { family, network, prefixLength };
}

/** Writes a CIDR. */
export function formatCidr({ family, network, prefixLength }: Cidr): string {
  return `${formatAddress(network, family)}/${prefixLength}`;
}

/** How many addresses a CIDR holds. */
export function size({ family, prefixLength }: Cidr): bigint {
  return 1n << BigInt(width[family] - prefixLength);
}

/** Whether the address lies in the CIDR. */
export function containsAddress(cidr: Cidr, address: string): boolean {
  if (familyOf(address) !== cidr.family) return false;
  const value = parseAddress(address);
  return value >= cidr.network && value < cidr.network + size(cidr);
}

/** Whether all of `inner` lies in `outer`. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  return outer.family === inner.family &&
    inner.prefixLength >= outer.prefixLength &&
    inner.network >= outer.network &&
    inner.network < outer.network + size(outer);
}

/** Whether the two have an address in common. */
export function overlap(a: Cidr, b: Cidr): boolean {
  return contains(a, b) || contains(b, a);
}

/**
 * The gateway of a podCIDR: its first host address, with the podCIDR's prefix
 * length, e.g. `10.244.1.1/24`.
 *
 * @throws {CidrError}
 */
export function gateway(podCIDR: string): string {
  const { family, network, prefixLength } = parseCidr(podCIDR);
  return `${formatAddress(network + 1n, family)}/${prefixLength}`;
}

/** What a split is made from. */
export interface Split {
  readonly clusterCIDRs: readonly string[];
  readonly nodeMasks: readonly number[];
  readonly nodes: readonly {
    readonly name: string;
    readonly podCIDRs: readonly string[];
  }[];
}

/**
 * Splits the clusterCIDRs among the nodes as kube-controller-manager's range
 * allocator does (`--allocate-node-cidrs`, `--node-cidr-mask-size`): in the
 * nodes' order, each the first subnet that nobody has. Nodes that have their
 * podCIDRs keep them.
 *
 * @returns podCIDRs by node name, one a family
 * @throws {CidrError} when the clusterCIDR has too few subnets for the nodes
 */
export function splitClusterCIDR(cluster: Split): Record<string, string[]> {
  const given = cluster.nodes.flatMap(({ podCIDRs }) =>
    podCIDRs.map(parseCidr)
  );
  const subnets = cluster.clusterCIDRs.map((text, at) =>
    freeSubnets(parseCidr(text), cluster.nodeMasks[at] ?? 24, given)
  );
  return Object.fromEntries(cluster.nodes.map(({ name, podCIDRs }) => {
    if (podCIDRs.length > 0) return [name, [...podCIDRs]];
    return [
      name,
      subnets.map((free, at) => {
        const { value, done } = free.next();
        if (!done) return formatCidr(value);
        throw new CidrError(
          `the clusterCIDR ${
            cluster.clusterCIDRs[at]
          } has no subnet left for ${name}`,
        );
      }),
    ];
  }));
}

function* freeSubnets(
  cluster: Cidr,
  prefixLength: number,
  given: readonly Cidr[],
): Generator<Cidr, undefined> {
  const { family } = cluster;
  const step = size({ ...cluster, prefixLength });
  const end = cluster.network + size(cluster);
  for (let network = cluster.network; network < end; network += step) {
    const subnet = { family, network, prefixLength };
    if (!given.some((taken) => overlap(taken, subnet))) yield subnet;
  }
}
