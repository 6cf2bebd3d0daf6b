/**
 * The attachments of a network whose pods live, by their veths on the node.
 */

import { type Address, contains, linkLocal } from "./address/address.ts";
import type { Living } from "./leases/places.ts";
import type { Link } from "./netlink/links.ts";
import {
  addresses,
  type Kernel,
  KernelError,
  links,
  openKernel,
} from "./netlink/rtnetlink.ts";
import { isVethOf, ownerOf } from "./veth.ts";

/**
 * Every attachment with the addresses that its pod has: the veth's alias names
 * the attachment, the veth's other end has the addresses.
 * @throws {KernelError | SystemError}
 */
export function livingOn(network: string): Living[] {
  const kernel = openKernel();
  return links(kernel).filter((link) => isVethOf(network, link))
    .flatMap((link) => {
      const owner = ownerOf(link.alias);
      return owner === undefined
        ? []
        : [{ owner, addresses: podAddresses(kernel, link) }];
    });
}

/** The addresses of a veth's other end; none where the pod is just going. */
function podAddresses(
  kernel: Kernel,
  { peer, peerNetwork }: Link,
): Address[] {
  if (peerNetwork === undefined) return [];
  try {
    return ([4, 6] as const)
      .flatMap((family) => addresses(kernel, family, peer, peerNetwork))
      .map(({ address }) => address)
      .filter((address) => !contains(linkLocal, address));
  } catch (error) {
    if (error instanceof KernelError) return [];
    throw error;
  }
}
