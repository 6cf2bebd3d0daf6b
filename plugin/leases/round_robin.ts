/**
 * Which address is next: the first free one after the last one handed out, and from the start
 * again at the end. So an address that was given back rests as long as there are others. Pure.
 */
import {
  type Address,
  contains,
  type Family,
  hosts,
  type Subnet,
} from "../address/address.ts";

/** What one address of an attachment is taken from. */
export interface Pool {
  readonly subnet: Subnet;
  /** N of last_reserved_ip.N: 0 for IPv4, 1 for IPv6. */
  readonly rangeIndex: number;
  /** Never handed out: the gateway, say. */
  readonly excluded: readonly Address[];
}

/** Addresses are kept in blocks of as many neighbours as fit into 512 bytes, a bit each. */
export const blockBits = 12n;
export const blockBytes = 512;

/**
 * The bits of the addresses `block << 12` and up, lowest first; undefined when
 * none of them is taken.
 */
export type ReadBlock = (
  family: Family,
  block: bigint,
) => Uint8Array | undefined;

/**
 * @param after the last address handed out; undefined, or one outside the pool, begins at its
 *   start
 * @param resting addresses that are handed out only when there are no others
 * @returns undefined when all are taken
 * @throws {AddressError} for a subnet too small to have a pod
 */
export function nextFree(
  pool: Pool,
  after: Address | undefined,
  resting: readonly Address[],
  read: ReadBlock,
): Address | undefined {
  const barred = valuesOf(pool, pool.excluded);
  const found = cycle(
    pool,
    after,
    new Set([...barred, ...valuesOf(pool, resting)]),
    read,
  );
  if (found !== undefined || resting.length === 0) return found;
  return cycle(pool, after, barred, read);
}

/** How many addresses of the pool a pod can have, taken or not. */
export function poolSize(pool: Pool): bigint {
  const { first, last } = hosts(pool.subnet);
  let barred = 0n;
  for (const value of valuesOf(pool, pool.excluded)) {
    if (first <= value && value <= last) barred++;
  }
  return last - first + 1n - barred;
}

function cycle(
  pool: Pool,
  after: Address | undefined,
  barred: ReadonlySet<bigint>,
  read: ReadBlock,
): Address | undefined {
  const { family } = pool.subnet;
  const { first, last } = hosts(pool.subnet);
  const inPool = after !== undefined && contains(pool.subnet, after);
  const start = inPool && first <= after.value && after.value < last
    ? after.value + 1n
    : first;
  const value = firstFree(family, start, last, barred, read) ??
    firstFree(family, first, start - 1n, barred, read);
  return value === undefined ? undefined : { family, value };
}

function firstFree(
  family: Family,
  from: bigint,
  to: bigint,
  barred: ReadonlySet<bigint>,
  read: ReadBlock,
): bigint | undefined {
  for (let value = from; value <= to;) {
    const block = value >> blockBits;
    const base = block << blockBits;
    const next = base + (1n << blockBits);
    const bits = read(family, block);
    const end = Number((to < next ? to + 1n : next) - base);
    for (let i = Number(value - base); i < end; i++) {
      const byte = bits?.[i >> 3] ?? 0;
      if (byte === 0xff) i |= 7;
      else if ((byte >> (i & 7) & 1) === 0) {
        const candidate = base + BigInt(i);
        if (!barred.has(candidate)) return candidate;
      }
    }
    value = next;
  }
  return undefined;
}

function valuesOf(
  { subnet }: Pool,
  addresses: readonly Address[],
): Set<bigint> {
  const own = addresses.filter(({ family }) => family === subnet.family);
  return new Set(own.map(({ value }) => value));
}
