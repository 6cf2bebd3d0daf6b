/**
 * Who holds which address, on disk: the store of one network.
 *
 * A lease is taken by one atomic step, link(2) of a file that is complete: whoever is killed at any moment leaves a
 * whole lease or none, and two never get the same address, whatever the index beside the store (lease_index.ts)
 * believes. Nothing is fsynced: a machine that loses power loses its pods too.
 */
import {
  type Address,
  formatAddress,
  sameAddress,
} from "../address/address.ts";
import { point } from "../linux/failpoint.ts";
import { createAnew, FileError, overwrite, remove } from "../linux/files.ts";
import {
  belongsTo,
  cursorPath,
  isLeaseOf,
  leasePath,
  leaseText,
  type Owner,
  readLease,
} from "./lease_file.ts";
import {
  type LeaseIndex,
  newLeasePath,
  openIndex,
  type Places,
  placesOf,
  readAll,
  type StoreOptions,
} from "./index_file.ts";
import { withLock } from "./lock.ts";
import { CniError, code } from "../cni/protocol.ts";
import type { Pool } from "./round_robin.ts";
import { matchWishes, takeNext, takeWanted } from "./allocate.ts";
import { addressesIn, takenIn } from "./bitmap.ts";

export { type StoreState, storeState } from "./store_state.ts";
export type { Owner, Pool, StoreOptions };

export interface Lease {
  readonly address: Address;
  /** undefined: the file is empty or garbled. Its ifname may be "": see {@linkcode Owner}. */
  readonly owner: Owner | undefined;
}

/** A store that this process has locked. Each method throws FileError (code 5) where the disk refuses a step. */
export interface Store {
  /**
   * Takes one address from each pool, or none at all: the wanted one of that pool, else the next in turn.
   *
   * @returns the addresses, in the pools' order
   * @throws {CniError} `leaseHeld` when the attachment holds an address already (SPEC.md, "ADD": a runtime must not
   *   ADD twice without a DEL), `subnetFull`, `addressTaken`
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
  /** Removes one lease, whosever it is: for GC, of files that name no attachment. */
  discard(address: Address): void;
}

/**
 * Runs `body` with the store locked; makes the store when it is missing.
 *
 * @throws {CniError} `tryAgain` when another process keeps the lock for too long
 * @throws {FileError} code 5
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
    () => body(openStore(places)),
  );
}

function openStore(places: Places): Store {
  const { leases } = places;
  let opened: LeaseIndex | undefined;
  const index = () => opened ??= openIndex(places);

  return {
    reserve(owner, pools, wanted = []) {
      // Where the index is not complete (a large store, changed by someone else) this may miss one. Then the pod's
      // interface stops a second ADD, and GC finds the older lease.
      const { addresses } = findIndexed(leases, owner, index());
      if (addresses.length > 0) throw leaseHeld(owner, addresses);
      const wishes = matchWishes(pools, wanted);
      const newLease = newLeasePath(places);
      createAnew(newLease, leaseText(owner));
      point("reserve: lease written");
      const taken: Address[] = [];
      try {
        for (const [i, pool] of pools.entries()) {
          const wish = wishes[i];
          if (wish !== undefined) takeWanted(leases, newLease, wish);
          taken.push(wish ?? takeNext(leases, newLease, pool, index()));
          point("reserve: lease linked");
        }
        index().enter(owner, taken);
        index().markTaken(taken);
        for (const [i, { rangeIndex }] of pools.entries()) {
          // A wanted address is out of turn: going on behind it would soon hand out what was just given back.
          if (wishes[i] !== undefined) continue;
          overwrite(cursorPath(leases, rangeIndex), formatAddress(taken[i]!));
          point("reserve: cursor written");
        }
        remove(newLease);
        index().settle();
        return taken;
      } catch (error) {
        // The index stays unsettled where a lease was taken, and so is made anew by whoever comes next.
        unlessDiskRefuses(() => {
          for (const address of taken) remove(leasePath(leases, address));
          remove(newLease);
        });
        throw error;
      }
    },

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

/** What an attachment holds, and the entries of the index that led there or led astray. */
interface Holdings {
  readonly addresses: Address[];
  readonly entries: readonly Owner[];
}

function holdings(
  folder: string,
  owner: Owner,
  index: () => LeaseIndex,
): Holdings {
  try {
    const found = findIndexed(folder, owner, index());
    if (found.addresses.length > 0 || index().complete) return found;
    index().refresh(true);
    return findIndexed(folder, owner, index());
  } catch (error) {
    // A disk so full that no index can be written must not keep DEL from giving back.
    if (!(error instanceof FileError)) throw error;
    return readEvery(folder, owner);
  }
}

function findIndexed(
  folder: string,
  owner: Owner,
  index: LeaseIndex,
): Holdings {
  const entries: Owner[] = [];
  // The container's own entry is that of the oldest format.
  for (const entry of [owner, { ...owner, ifname: "" }]) {
    const noted = index.addressesOf(entry);
    if (noted === undefined) return readEvery(folder, owner);
    if (noted.length === 0) continue;
    entries.push(entry);
    const addresses = noted.filter((address) =>
      isLeaseOf(leasePath(folder, address), owner)
    );
    if (addresses.length > 0) return { addresses, entries };
  }
  return { addresses: [], entries };
}

/** As slow as the reference, and as sure. */
function readEvery(folder: string, owner: Owner): Holdings {
  const addresses: Address[] = [];
  for (const [holder, held] of readAll(folder, takenIn(folder).blocks)) {
    if (belongsTo(holder, owner)) addresses.push(...held);
  }
  return { addresses, entries: [owner] };
}

/** For what follows a release: where it fails, the index stays unsettled and is made anew by whoever comes next. */
function unlessDiskRefuses(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
  }
}

function leaseHeld(owner: Owner, held: readonly Address[]): CniError {
  return new CniError(
    code.leaseHeld,
    `Cannot take an address for ${owner.containerID} ${owner.ifname}: it holds ${
      held.map(formatAddress).join(" and ")
    } already`,
    "Call DEL for it before another ADD",
  );
}
