/**
 * Which attachment holds which address, on disk: the store of one network.
 *
 * A lease is taken by one atomic step, link(2) of a file that is complete. A process that is
 * killed at any moment leaves a whole lease or none. Two attachments never get the same address,
 * whatever the index beside the store (index_file.ts) holds. Nothing is fsynced: a machine that
 * loses power loses its pods too.
 */
import { type Address, sameAddress } from "../address/address.ts";
import { point } from "../linux/failpoint.ts";
import type { Owner } from "../cni/protocol.ts";
import { errno } from "../linux/errno.ts";
import { FileError } from "../linux/file_error.ts";
import { inspect, remove } from "../linux/files.ts";
import { addressesIn, takenIn } from "./bitmap.ts";
import { holdings, readThrough } from "./holdings.ts";
import { type LeaseIndex, openIndex } from "./index_file.ts";
import {
  type Living,
  type Places,
  placesOf,
  type StoreOptions,
} from "./places.ts";
import { isLeaseOf, leasePath, readLease } from "./lease_file.ts";
import { withLock } from "./lock.ts";
import { restoreLeases } from "./restore.ts";
import { reserve, unlessDiskRefuses } from "./reserve.ts";
import type { Pool } from "./round_robin.ts";

export interface Lease {
  readonly address: Address;
  /** undefined: the file is empty or garbled. Its ifname may be "": see {@linkcode Owner}. */
  readonly owner: Owner | undefined;
}

/** A store that this process has locked. Each method throws FileError where the disk refuses. */
export interface Store {
  /**
   * Takes one address from each pool, or none at all: the wanted one of that pool, else the next
   * in turn.
   *
   * @returns the addresses, in the pools' order
   * @throws {CniError} `leaseHeld` when the attachment holds an address already (SPEC.md, "ADD":
   *   a runtime must not ADD twice without a DEL), `subnetFull`, `addressTaken`
   */
  reserve(
    owner: Owner,
    pools: readonly Pool[],
    wanted?: readonly Address[],
  ): Address[];
  /**
   * Gives back all that the attachment holds, also on a full disk.
   *
   * @returns the addresses; [] when it held none
   */
  release(owner: Owner): Address[];
  /** What the attachment holds. */
  held(owner: Owner): Address[];
  /** Every lease, read from the files themselves. */
  all(): Lease[];
  /** Removes one lease: for GC, of files that name no attachment. */
  discard(address: Address): void;
}

/**
 * Runs `body` with the store locked; makes the store when it is missing.
 *
 * @throws {CniError} `tryAgain` when another process keeps the lock for too long
 * @throws {FileError}
 */
export function withStore<T>(
  options: StoreOptions,
  body: (store: Store) => T,
): T {
  const { lockTimeout_ms = 10_000 } = options;
  const places = placesOf(options);
  return withLock(
    places.leases,
    lockTimeout_ms,
    () => body(openStore(places, options.living ?? (() => []))),
  );
}

/**
 * What an attachment holds at this moment, by the leases' files alone: without
 * the lock, and without the index.
 *
 * @param told where its leases should be, which is looked at first
 * @throws {FileError}
 */
export function heldNow(
  options: StoreOptions,
  owner: Owner,
  told: readonly Address[],
): Address[] {
  const { leases } = placesOf(options);
  return told.every((address) => isLeaseOf(leasePath(leases, address), owner))
    ? [...told]
    : readThrough(leases, owner).addresses;
}

/** Whether there is a store: without one, no attachment holds anything there. */
export function hasStore(options: StoreOptions): boolean {
  try {
    return inspect(placesOf(options).leases) !== undefined;
  } catch (error) {
    // A dataDir that is a file, say, holds no leases.
    if (error instanceof FileError && error.errno === errno.ENOTDIR) {
      return false;
    }
    throw error;
  }
}

function openStore(
  places: Places,
  living: () => readonly Living[],
): Store {
  const { leases } = places;
  let opened: LeaseIndex | undefined;
  const index = () =>
    opened ??= openIndex(places, () => restoreLeases(places, living()));

  return {
    reserve: (owner, pools, wanted = []) =>
      reserve({ places, index: index(), owner, pools, wanted }),

    release(owner) {
      const { addresses, entries } = holdings(leases, owner, index);
      for (const address of addresses) {
        remove(leasePath(leases, address));
        point("release: lease removed");
      }
      unlessDiskRefuses(() => {
        for (const entry of entries) index().enter(entry, []);
        if (addresses.length === 0) return;
        index().markFree(addresses);
        index().settle();
      });
      return addresses;
    },

    held: (owner) => holdings(leases, owner, index).addresses,

    all() {
      // Leases that were lost are found again first.
      unlessDiskRefuses(index);
      const found: Lease[] = [];
      for (const address of addressesIn(takenIn(leases).blocks)) {
        const lease = readLease(leasePath(leases, address));
        if (lease === undefined) continue;
        const owner = typeof lease === "object" ? lease : undefined;
        found.push({ address, owner });
      }
      return found;
    },

    discard(address) {
      const path = leasePath(leases, address);
      const owner = readLease(path);
      if (!remove(path)) return;
      point("release: lease removed");
      unlessDiskRefuses(() => {
        if (typeof owner === "object") {
          const others = index().addressesOf(owner)
            ?.filter((other) => !sameAddress(other, address));
          if (others !== undefined) index().enter(owner, others);
        }
        index().markFree([address]);
        index().settle();
      });
    },
  };
}
