/**
 * What an attachment holds: by the index where it is complete, else by the leases themselves.
 */
import type { Address } from "../address/address.ts";
import type { Owner } from "../cni/protocol.ts";
import { FileError } from "../linux/file_error.ts";
import { takenIn } from "./bitmap.ts";
import { type LeaseIndex, readEvery } from "./index_file.ts";
import { belongsTo, isLeaseOf, leasePath } from "./lease_file.ts";

/** What an attachment holds, and the entries of the index by its name, right or wrong. */
interface Holdings {
  readonly addresses: Address[];
  readonly entries: readonly Owner[];
}

export function holdings(
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
    return readThrough(folder, owner);
  }
}

export function findIndexed(
  folder: string,
  owner: Owner,
  index: LeaseIndex,
): Holdings {
  const entries: Owner[] = [];
  // The container's own entry is that of the oldest format.
  for (const entry of [owner, { ...owner, ifname: "" }]) {
    const noted = index.addressesOf(entry);
    if (noted === undefined) return readThrough(folder, owner);
    if (noted.length === 0) continue;
    entries.push(entry);
    const addresses = noted.filter((address) =>
      isLeaseOf(leasePath(folder, address), owner)
    );
    if (addresses.length > 0) return { addresses, entries };
  }
  return { addresses: [], entries };
}

/** Reads every file: as slow as the reference, and as sure. */
export function readThrough(folder: string, owner: Owner): Holdings {
  const addresses: Address[] = [];
  for (const [holder, held] of readEvery(folder, takenIn(folder).blocks)) {
    if (belongsTo(holder, owner)) addresses.push(...held);
  }
  return { addresses, entries: [owner] };
}
