/**
 * Addresses and subnets as numbers, IPv4 and IPv6: strict text in, canonical text out.
 *
 * Strict, because the programs of a node disagree about the lax forms: `010.1.1.1` is
 * 8.1.1.1 to inet_aton(3) and an error to Go. Text for IPv6 follows RFC 4291, 2.2 on the
 * way in and RFC 5952 on the way out, which is also how the reference names its files.
 */

import {
  decimal,
  formatIpv4,
  formatIpv6,
  parseIpv4,
  parseIpv6,
} from "./text.ts";

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

export interface Subnet {
  readonly family: Family;
  /** The first address, its host bits all zero. */
  readonly network: bigint;
  readonly prefixLength: number;
}

/** A text or number that is not the address or subnet that it should be. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

/**
 * An address from its text, `10.244.1.7` or `fd00::7`.
 *
 * @throws {AddressError} leading zeros, shorthand, zones (`%eth0`), white space, anything else
 */
export function parseAddress(text: string): Address {
  const address = addressOrUndefined(text);
  if (address === undefined) {
    throw new AddressError(
      `${quote(text)} is not an IP address: ${addressFault(text)}`,
    );
  }
  return address;
}

/** As {@linkcode parseAddress}, for a text that may be something else: a file's name. */
export function addressOrUndefined(text: string): Address | undefined {
  if (text.includes(":")) {
    const value = parseIpv6(text);
    return value === undefined ? undefined : { family: 6, value };
  }
  const value = parseIpv4(text);
  return value === undefined ? undefined : { family: 4, value: BigInt(value) };
}

/**
 * A subnet from its text, `10.244.1.0/24`.
 *
 * @throws {AddressError} also when host bits are set (naming the subnet that was probably
 *   meant), and for IPv4 addresses inside IPv6 (`::ffff:0:0/96`), which no interface can have
 */
export function parseSubnet(text: string): Subnet {
  const slash = text.indexOf("/");
  if (slash < 0) {
    throw new AddressError(
      `${
        quote(text)
      } is not a subnet: expected an address, "/" and a prefix length, such as 10.244.1.0/24`,
    );
  }
  const { family, value } = parseAddress(text.slice(0, slash));
  const bits = bitsOf(family);
  const prefixLength = decimal(text.slice(slash + 1), bits);
  if (prefixLength === undefined) {
    throw new AddressError(
      `${
        quote(text)
      } is not a subnet: expected a prefix length from 0 to ${bits} ` +
        'after the "/", without leading zeros',
    );
  }
  const subnet = subnetAround({ family, value }, prefixLength);
  const { network } = subnet;
  if (network !== value) {
    throw new AddressError(
      `${quote(text)} is an address in a subnet, not a subnet: expected ${
        formatSubnet(subnet)
      }`,
    );
  }
  if (family === 6 && prefixLength >= 96 && network >> 32n === 0xffffn) {
    throw new AddressError(
      `${quote(text)} is a subnet of IPv4 addresses written as IPv6: expected ${
        formatIpv4(Number(network & 0xffff_ffffn))
      }/${prefixLength - 96}`,
    );
  }
  return subnet;
}

/** `10.244.1.7`, `fd00::7`: the one canonical text (RFC 5952, 4 and 5). */
export function formatAddress({ family, value }: Address): string {
  return family === 4 ? formatIpv4(Number(value)) : formatIpv6(value);
}

/** `10.244.1.0/24`. */
export function formatSubnet(
  { family, network, prefixLength }: Subnet,
): string {
  return `${formatAddress({ family, value: network })}/${prefixLength}`;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.value === b.value && a.family === b.family;
}

export function contains(subnet: Subnet, address: Address): boolean {
  return subnet.family === address.family &&
    (address.value & ~hostMask(subnet.family, subnet.prefixLength)) ===
      subnet.network;
}

/** The subnet of an address and a prefix length, as an interface has them. */
export function subnetAround(
  { family, value }: Address,
  prefixLength: number,
): Subnet {
  const network = value & ~hostMask(family, prefixLength);
  return { family, network, prefixLength };
}

/** Whether they share an address: one lies within the other, or they are the same. */
export function overlap(a: Subnet, b: Subnet): boolean {
  const [wide, narrow] = a.prefixLength <= b.prefixLength ? [a, b] : [b, a];
  return contains(wide, { family: narrow.family, value: narrow.network });
}

/** fe80::/10, which every link that speaks IPv6 has. */
export const linkLocal: Subnet = {
  family: 6,
  network: 0xfe80n << 112n,
  prefixLength: 10,
};

/** The first address that an interface may have, which is the gateway's, and the last. */
interface Hosts {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * All but the network's address (in IPv6 the subnet-router anycast address, RFC 4291, 2.6.1)
 * and, in IPv4, the broadcast address (RFC 919).
 *
 * @throws {AddressError} fewer than 4 addresses: no room for a gateway and a pod
 */
export function hosts(subnet: Subnet): Hosts {
  const { family, network, prefixLength } = subnet;
  const mask = hostMask(family, prefixLength);
  if (mask < 3n) {
    throw new AddressError(
      `Cannot take an address from ${formatSubnet(subnet)}: it holds ${
        mask + 1n
      }, a gateway and a pod need 4`,
    );
  }
  const end = network + mask;
  return { first: network + 1n, last: family === 4 ? end - 1n : end };
}

/**
 * The gateway's address: the network's address plus one.
 *
 * @throws {AddressError} as {@linkcode hosts}
 */
export function firstHost(subnet: Subnet): Address {
  return { family: subnet.family, value: hosts(subnet).first };
}

/**
 * Whether an interface in the subnet may have the address. A subnet that is too
 * small has no such address.
 */
export function isUsable(subnet: Subnet, address: Address): boolean {
  if (!contains(subnet, address)) return false;
  if (hostMask(subnet.family, subnet.prefixLength) < 3n) return false;
  const { first, last } = hosts(subnet);
  return first <= address.value && address.value <= last;
}

/** 4 or 16 bytes in network order, as netlink wants them. */
export function addressBytes(
  { family, value }: Address,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bitsOf(family) / 8);
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) {
    bytes[i] = Number(rest & 0xffn);
  }
  return bytes;
}

/**
 * An address from 4 or 16 bytes in network order.
 *
 * @throws {AddressError} any other number of bytes
 */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new AddressError(
      `${bytes.length} bytes are not an IP address: expected 4 or 16`,
    );
  }
  let value = 0n;
  for (const byte of bytes) value = value << 8n | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

function hostMask(family: Family, prefixLength: number): bigint {
  return (1n << BigInt(bitsOf(family) - prefixLength)) - 1n;
}

/** What is wrong with it, as far as that can be told. */
function addressFault(text: string): string {
  if (text.includes("/")) return "expected an address without a prefix length";
  if (text.includes("%")) return "expected no zone after it";
  if (text.trim() !== text) return "expected no white space around it";
  if (text.includes(":")) {
    return "expected eight groups of 1 to 4 hexadecimal digits, " +
      'with at most one "::" for those that are zero';
  }
  return "expected four numbers from 0 to 255, without leading zeros";
}

/** As JSON, cut where it is long: the text may be anything. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
