/**
 * Where the store of a network and its index lie, and how it is opened.
 */
import type { Address } from "../address/address.ts";
import type { Owner } from "../cni/protocol.ts";

/** Where a store and its index are. */
export interface Places {
  readonly leases: string;
  readonly index: string;
}

/** An attachment whose pod lives, and the addresses that the pod has. */
export interface Living {
  readonly owner: Owner;
  readonly addresses: readonly Address[];
}

/** Which store. */
export interface StoreOptions {
  readonly dataDir: string;
  /** The network's name, which config.ts has checked: it becomes part of a path. */
  readonly network: string;
  /** How long to wait for the lock; 10,000 unless told. */
  readonly lockTimeout_ms?: number;
  /** The attachments of this network whose pods live, for leases that another program removed. */
  readonly living?: () => readonly Living[];
}

export function placesOf({ dataDir, network }: StoreOptions): Places {
  return {
    leases: `${dataDir}/${network}`,
    index: `${dataDir}/.deno-cni/${network}`,
  };
}

/** Where a lease is written before it is linked to its address. */
export function newLeasePath({ index }: Places): string {
  return `${index}/new`;
}
