/**
 * GC: everything of a network that no valid attachment owns goes.
 */

import { formatAddress } from "./address/address.ts";
import { inStore } from "./ipam.ts";
import { removeLink } from "./host_veth.ts";
import type { Config } from "./cni/config.ts";
import { delegate } from "./delegate.ts";
import { links, openKernel } from "./netlink/rtnetlink.ts";
import type { Lease } from "./leases/leases.ts";
import { CniError, code, type Owner } from "./cni/protocol.ts";
import { isVethOf, vethAlias } from "./veth.ts";

/**
 * GC: SPEC.md, "GC". Goes on after an error.
 * @param path CNI_PATH
 * @throws {CniError} 7 without a list of valid attachments, 106 naming all that
 * could not be cleaned
 */
export function gc(config: Config, path: string): void {
  const { validAttachments: valid, ipam } = config;
  if (valid === undefined) {
    throw new CniError(
      code.configuration,
      "cni.dev/valid-attachments is missing",
      "GC removes everything that is not in that list; an empty list says that nothing is valid",
    );
  }
  const problems: string[] = [];
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      problems.push((error as Error).message);
    }
  };
  // The veths first: an address must not be given to another pod while one still uses it.
  attempt(() => removeStaleVeths(config, valid, attempt));
  attempt(() => {
    if (ipam === undefined) releaseStaleLeases(config, valid, attempt);
    else delegate(ipam, path, "GC");
  });
  if (problems.length === 0) return;
  throw new CniError(
    code.gcIncomplete,
    `GC of ${config.name} left something: ${problems.join("; ")}`,
    "the rest is cleaned; the next GC tries again",
  );
}

type Attempt = (step: () => void) => void;

function removeStaleVeths(
  { name }: Config,
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
  config: Config,
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
  inStore(config, (store) => {
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
