/**
 * Who holds which address, on disk.
 */
import type { Address, Subnet } from "./address.ts";

/** An attachment, the key of everything: a container's interface. */
export interface Owner {
  readonly containerID: string;
  /** "" in a lease of the oldest format, which named the container alone: all its interfaces. */
  readonly ifname: string;
}

/** What one address of an attachment is taken from. */
export interface Pool {
  readonly subnet: Subnet;
  /** N of last_reserved_ip.N: 0 for IPv4, 1 for IPv6. */
  readonly rangeIndex: number;
  /** Never handed out: the gateway, say. */
  readonly excluded: readonly Address[];
}

export interface StoreOptions {
  readonly dataDir: string;
  readonly network: string;
  /** How long to wait for the lock; 10,000 unless told. */
  readonly lockTimeout_ms?: number;
}

export interface Lease {
  readonly address: Address;
  /** undefined: the file is empty or garbled. */
  readonly owner: Owner | undefined;
}

export interface Store {
  /** Takes one address from each pool, in their order, or none at all. */
  reserve(
    owner: Owner,
    pools: readonly Pool[],
    wanted?: readonly Address[],
  ): Address[];
  /** Gives back all that the attachment holds; [] when it holds none. */
  release(owner: Owner): Address[];
  held(owner: Owner): Address[];
  /** Every lease on the disk, read from the files themselves. */
  all(): Iterable<Lease>;
  /** Removes a lease whose file is garbled, or of whomever: for GC. */
  discard(address: Address): void;
}

/** What STATUS asks. */
export interface StoreState {
  /** Free addresses of each pool, in their order. */
  readonly free: readonly bigint[];
}

export function withStore<T>(
  _options: StoreOptions,
  _body: (store: Store) => T,
): T {
  throw new Error("not written yet");
}

/** Takes no lock; throws what reserve would throw for a store that cannot be written (code 5). */
export function storeState(
  _options: StoreOptions,
  _pools: readonly Pool[],
): StoreState {
  throw new Error("not written yet");
}
