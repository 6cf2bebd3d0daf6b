/**
 * Taking one address: link(2) of a complete lease to the address's name, which fails when that
 * name is there.
 */
import {
  type Address,
  contains,
  formatAddress,
  formatSubnet,
  isUsable,
  sameAddress,
} from "../address/address.ts";
import { hardLink, remove } from "../linux/files.ts";
import { leasePath, readCursor, readLease } from "./lease_file.ts";
import type { LeaseIndex } from "./index_file.ts";
import { CniError, code } from "../cni/protocol.ts";
import { nextFree, type Pool, poolSize } from "./round_robin.ts";
import { addressesIn, takenIn } from "./bitmap.ts";

/**
 * The requested address of each pool, in the pools' order. Pure.
 *
 * @throws {CniError} `addressTaken` for one that no pod may have
 */
export function matchRequested(
  pools: readonly Pool[],
  wanted: readonly Address[],
): (Address | undefined)[] {
  const requested: (Address | undefined)[] = pools.map(() => undefined);
  for (const address of wanted) {
    const i = pools.findIndex(({ subnet }) => contains(subnet, address));
    const pool = pools[i];
    if (pool === undefined) {
      const subnets = pools.map(({ subnet }) => formatSubnet(subnet));
      throw cannotGive(address, `it is not in ${subnets.join(" or ")}`);
    }
    const subnet = formatSubnet(pool.subnet);
    if (!isUsable(pool.subnet, address)) {
      throw cannotGive(
        address,
        `it is the network's or the broadcast address of ${subnet}`,
      );
    }
    if (pool.excluded.some((excluded) => sameAddress(excluded, address))) {
      throw cannotGive(address, `it is the gateway of ${subnet}`);
    }
    const other = requested[i];
    if (other !== undefined && !sameAddress(other, address)) {
      throw cannotGive(
        address,
        `${
          formatAddress(other)
        } is asked for too, and a pod gets one from ${subnet}`,
      );
    }
    requested[i] = address;
  }
  return requested;
}

/**
 * Takes the address that was asked for.
 *
 * @param newLease a complete lease, of which the address's becomes another name
 * @throws {CniError} `addressTaken`, naming the attachment that holds it
 * @throws {FileError}
 */
export function takeWanted(
  folder: string,
  newLease: string,
  wanted: Address,
): void {
  const path = leasePath(folder, wanted);
  if (hardLink(newLease, path)) return;
  const lease = readLease(path);
  if (lease === "empty") {
    // Its writer died before it answered: a lease is written under the lock only.
    remove(path);
    if (hardLink(newLease, path)) return;
  }
  throw cannotGive(
    wanted,
    typeof lease === "object"
      ? `${lease.containerID} ${lease.ifname} holds it`
      : `${path} is there and names no attachment`,
  );
}

/**
 * Takes the next address in turn.
 *
 * @param newLease as for {@linkcode takeWanted}
 * @throws {CniError} `subnetFull`
 * @throws {FileError}
 */
export function takeNext(
  folder: string,
  newLease: string,
  pool: Pool,
  index: LeaseIndex,
): Address {
  const after = readCursor(folder, pool.rangeIndex);
  for (;;) {
    const address = nextFree(pool, after, index.resting, index.blocks);
    if (
      address !== undefined && hardLink(newLease, leasePath(folder, address))
    ) {
      return address;
    }
    if (address === undefined && index.fresh) {
      const { empty, garbled } = unnamed(folder, pool);
      if (empty.length === 0) throw subnetFull(pool, garbled);
      // As in takeWanted.
      for (const each of empty) remove(leasePath(folder, each));
    }
    // A lease came or went without the lock, or room has just been made.
    index.refresh(false);
  }
}

/**
 * The leases of a pool that name no attachment: left empty by a writer that died, or garbled.
 * Reads every file.
 *
 * @throws {FileError}
 */
export function unnamed(
  folder: string,
  pool: Pool,
): { empty: Address[]; garbled: Address[] } {
  const empty: Address[] = [];
  const garbled: Address[] = [];
  for (const address of addressesIn(takenIn(folder).blocks)) {
    if (!isForPods(pool, address)) continue;
    const lease = readLease(leasePath(folder, address));
    if (lease === "empty") empty.push(address);
    if (lease === "garbled") garbled.push(address);
  }
  return { empty, garbled };
}

function isForPods(pool: Pool, address: Address): boolean {
  return isUsable(pool.subnet, address) &&
    !pool.excluded.some((excluded) => sameAddress(excluded, address));
}

function cannotGive(address: Address, reason: string): CniError {
  return new CniError(
    code.addressTaken,
    `Cannot give ${formatAddress(address)}: ${reason}`,
    "Ask for another address, or for none",
  );
}

function subnetFull(pool: Pool, garbled: readonly Address[]): CniError {
  const some = garbled.slice(0, 3).map(formatAddress).join(", ");
  return new CniError(
    code.subnetFull,
    `Cannot take an address from ${formatSubnet(pool.subnet)}: all ${
      poolSize(pool)
    } are taken` +
      (garbled.length === 0
        ? ""
        : `, ${garbled.length} of them by files that name no attachment ` +
          `(${some})`),
    garbled.length === 0
      ? "Delete pods, or give the node a larger podCIDR"
      : "Remove those files, or have the runtime call GC",
  );
}
