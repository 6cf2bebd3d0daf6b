/**
 * What STATUS asks of a store: whether the next ADD would get its addresses. It takes no lock
 * unless leases were lost, for it is asked every few seconds. An ADD at the same time may make
 * the answer one address old.
 */
import { makeFolders, overwrite, remove } from "../linux/files.ts";
import { blocksOf, readState } from "./index_file.ts";
import { type Places, placesOf, type StoreOptions } from "./places.ts";
import { withStore } from "./leases.ts";
import { withoutLease } from "./restore.ts";
import { nextFree, type Pool } from "./round_robin.ts";
import { unnamed } from "./allocate.ts";
import { readerOf, takenIn } from "./bitmap.ts";

interface StoreState {
  /** Whether each pool, in their order, has an address to give. */
  readonly hasFree: readonly boolean[];
}

/**
 * Looks at a store, and makes its folders where they are missing, as ADD would.
 *
 * @throws {FileError} code 5 when the store cannot be written: a full disk, a read-only one
 */
export function storeState(
  options: StoreOptions,
  pools: readonly Pool[],
): StoreState {
  const places = placesOf(options);
  makeFolders(places.leases);
  makeFolders(places.index);
  // What a full disk refuses is not the name but the bytes.
  const probe = `${places.index}/probe`;
  overwrite(probe, "Can this disk be written?");
  remove(probe);

  restoreLost(options, places);
  const indexed = readState(places) === undefined
    ? undefined
    : blocksOf(places).read;
  return {
    hasFree: pools.map((pool) => {
      const has = (read: typeof indexed) =>
        read !== undefined &&
        nextFree(pool, undefined, [], read) !== undefined;
      // "Full" is a grave thing to say, and rare: the folder itself has the last word.
      return has(indexed) ||
        has(readerOf(takenIn(places.leases).blocks)) ||
        unnamed(places.leases, pool).empty.length > 0;
    }),
  };
}

/** Leases that another program removed while their pods live are written anew, under the lock. */
function restoreLost(options: StoreOptions, places: Places): void {
  const { living } = options;
  // No other program has been there as long as the index is to be believed.
  if (living === undefined || readState(places) !== undefined) return;
  if (withoutLease(places, living()).length === 0) return;
  withStore({ ...options, lockTimeout_ms: 1000 }, (store) => store.all());
}
