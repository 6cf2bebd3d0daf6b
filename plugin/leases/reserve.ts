/**
 * Taking an address of each pool for one attachment, or none at all.
 */
import { type Address, formatAddress } from "../address/address.ts";
import { CniError, code, type Owner } from "../cni/protocol.ts";
import { point } from "../linux/failpoint.ts";
import { FileError } from "../linux/file_error.ts";
import { createAnew, overwrite, remove } from "../linux/files.ts";
import { matchRequested, takeNext, takeWanted } from "./allocate.ts";
import { findIndexed } from "./holdings.ts";
import { type LeaseIndex } from "./index_file.ts";
import { newLeasePath, type Places } from "./places.ts";
import { cursorPath, leasePath, leaseText } from "./lease_file.ts";
import type { Pool } from "./round_robin.ts";

/** What is reserved: for which attachment, from which pools, and where. */
interface Reservation {
  readonly places: Places;
  readonly index: LeaseIndex;
  readonly owner: Owner;
  readonly pools: readonly Pool[];
  /** Addresses that were asked for. */
  readonly wanted: readonly Address[];
}

/**
 * Takes the addresses.
 *
 * @returns one of each pool, in their order
 * @throws {CniError} `leaseHeld`, `subnetFull`, `addressTaken`
 * @throws {FileError}
 */
export function reserve(reservation: Reservation): Address[] {
  const { places, index, owner, pools, wanted } = reservation;
  const { leases } = places;
  // Where the index is not complete (a large store, changed by another program) this may miss one.
  // Then the pod's interface stops a second ADD, and GC finds the older lease.
  const { addresses } = findIndexed(leases, owner, index);
  if (addresses.length > 0) throw leaseHeld(owner, addresses);
  const requested = matchRequested(pools, wanted);
  const newLease = newLeasePath(places);
  createAnew(newLease, leaseText(owner));
  point("reserve: lease written");
  const taken: Address[] = [];
  try {
    for (const [i, pool] of pools.entries()) {
      const asked = requested[i];
      if (asked !== undefined) takeWanted(leases, newLease, asked);
      taken.push(asked ?? takeNext(leases, newLease, pool, index));
      point("reserve: lease linked");
    }
    index.enter(owner, taken);
    index.markTaken(taken);
    for (const [i, { rangeIndex }] of pools.entries()) {
      // A requested address is out of turn: going on behind it would soon hand out what was just
      // given back.
      if (requested[i] !== undefined) continue;
      overwrite(cursorPath(leases, rangeIndex), formatAddress(taken[i]!));
      point("reserve: cursor written");
    }
    remove(newLease);
    index.settle();
    return taken;
  } catch (error) {
    unlessDiskRefuses(() => {
      for (const address of taken) remove(leasePath(leases, address));
      remove(newLease);
    });
    throw error;
  }
}

/**
 * For what follows a change to the leases: where the disk refuses it, the index
 * stays unsettled, and the next call makes it anew.
 */
export function unlessDiskRefuses(call: () => void): void {
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
