/**
 * Leases that were lost while their pods live, written anew: without them, their
 * addresses would be given to a second pod.
 */
import { point } from "../linux/failpoint.ts";
import { createAnew, hardLink, makeFolders, remove } from "../linux/files.ts";
import { type Living, newLeasePath, type Places } from "./places.ts";
import { leasePath, leaseText, readLease } from "./lease_file.ts";

/**
 * Those of the living whose leases are missing, each with those addresses.
 *
 * @throws {FileError}
 */
export function withoutLease(
  { leases }: Places,
  living: readonly Living[],
): Living[] {
  return living.map(({ owner, addresses }) => ({
    owner,
    addresses: addresses.filter((address) => {
      const lease = readLease(leasePath(leases, address));
      return lease === undefined || lease === "empty";
    }),
  })).filter(({ addresses }) => addresses.length > 0);
}

/**
 * Writes the leases that are missing, under the store's lock.
 *
 * @throws {FileError}
 */
export function restoreLeases(
  places: Places,
  living: readonly Living[],
): void {
  const lost = withoutLease(places, living);
  if (lost.length === 0) return;
  makeFolders(places.index);
  const newLease = newLeasePath(places);
  for (const { owner, addresses } of lost) {
    createAnew(newLease, leaseText(owner));
    for (const address of addresses) {
      const path = leasePath(places.leases, address);
      if (readLease(path) === "empty") remove(path);
      hardLink(newLease, path);
      point("restore: lease linked");
    }
  }
  remove(newLease);
}
