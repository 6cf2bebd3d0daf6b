/**
 * Addresses and subnets as numbers, IPv4 and IPv6: strict text in, canonical text out.
 */

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

export interface Subnet {
  readonly family: Family;
  /** The first address, host bits all zero. */
  readonly network: bigint;
  readonly prefixLength: number;
}

/** A text that is not the address or subnet it should be; config.ts turns it into code 7. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

export function parseAddress(_text: string): Address {
  throw new Error("not written yet");
}

export function parseSubnet(_text: string): Subnet {
  throw new Error("not written yet");
}

export function formatAddress(_address: Address): string {
  throw new Error("not written yet");
}

export function formatSubnet(_subnet: Subnet): string {
  throw new Error("not written yet");
}

export function contains(_subnet: Subnet, _address: Address): boolean {
  throw new Error("not written yet");
}

/** One may lie within the other, or be the same. */
export function overlap(_a: Subnet, _b: Subnet): boolean {
  throw new Error("not written yet");
}

/** The gateway's address: the network's address plus one. Throws AddressError for a subnet too small. */
export function firstHost(_subnet: Subnet): Address {
  throw new Error("not written yet");
}

/** In the subnet, and neither its network address nor (IPv4) its broadcast address. */
export function isUsable(_subnet: Subnet, _address: Address): boolean {
  throw new Error("not written yet");
}

/** 4 or 16 bytes in network order. */
export function addressBytes(_address: Address): Uint8Array<ArrayBuffer> {
  throw new Error("not written yet");
}

export function addressFromBytes(_bytes: Uint8Array): Address {
  throw new Error("not written yet");
}
