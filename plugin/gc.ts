/**
 * GC: everything of a network that no valid attachment owns goes.
 */

import { formatAddress } from "./address/address.ts";
import { inEveryStore, inStore } from "./ipam.ts";
import { livingOn } from "./living.ts";
import { removeLink } from "./host_veth.ts";
import type { Removal } from "./cni/config.ts";
import { delegate, IpamUnavailable } from "./delegate.ts";
import type { Warn } from "./detach.ts";
import { links, openKernel } from "./netlink/rtnetlink.ts";
import type { Lease } from "./leases/leases.ts";
import { CniError, code, type Owner } from "./cni/protocol.ts";
import { isVethOf, vethAlias } from "./veth.ts";

/**
 * GC: SPEC.md, "GC". Goes on after an error.
 * @param path CNI_PATH
 * @param valid the attachments that stay
 * @throws {CniError} 106 naming all that could not be cleaned
 */
export function gc(
  removal: Removal,
  valid: readonly Owner[],
  path: string,
  warn: Warn,
): void {
  const { ipam } = removal;
  const problems: string[] = [];
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      problems.push((error as Error).message);
    }
  };
  // The veths first: an address must not be given to another pod while one still uses it.
  attempt(() => removeStaleVeths(removal, valid, attempt));
  attempt(() => {
    // Where even the store is gone, the pods that live have it made again.
    if (ipam !== undefined || livingOn(removal.name).length === 0) return;
    inStore(removal, (store) => store.all());
  });
  attempt(() => releaseStaleLeases(removal, valid, attempt));
  attempt(() => {
    if (ipam === undefined) return;
    try {
      delegate(ipam, path, "GC");
    } catch (error) {
      if (!(error instanceof IpamUnavailable)) throw error;
      warn(error.message);
    }
  });
  if (problems.length === 0) return;
  throw new CniError(
    code.gcIncomplete,
    `GC of ${removal.name} left something: ${problems.join("; ")}`,
    "the rest is cleaned; the next GC tries again",
  );
}

type Attempt = (step: () => void) => void;

function removeStaleVeths(
  { name }: Removal,
  valid: readonly Owner[],
  attempt: Attempt,
): void {
  const kernel = openKernel();
  const aliases = new Set(
    valid.map((owner) => vethAlias({ network: name, ...owner })),
  );
  for (const link of links(kernel)) {
    if (!isVethOf(name, link) || aliases.has(link.alias)) continue;
    attempt(() => removeLink(kernel, link));
  }
}

function releaseStaleLeases(
  removal: Removal,
  valid: readonly Owner[],
  attempt: Attempt,
): void {
  const key = ({ containerID, ifname }: Owner) => `${containerID} ${ifname}`;
  const attachments = new Set(valid.map(key));
  const containers = new Set(valid.map(({ containerID }) => containerID));
  // A lease without an interface name, of the oldest format, is its container's.
  const isValid = ({ owner }: Lease) =>
    owner !== undefined &&
    (owner.ifname === ""
      ? containers.has(owner.containerID)
      : attachments.has(key(owner)));
  inEveryStore(removal, (store) => {
    for (const lease of store.all()) {
      if (isValid(lease)) continue;
      attempt(() => {
        try {
          if (lease.owner === undefined) store.discard(lease.address);
          else store.release(lease.owner);
        } catch (error) {
          const address = formatAddress(lease.address);
          throw new Error(`lease ${address}: ${(error as Error).message}`, {
            cause: error,
          });
        }
      });
    }
  });
}
