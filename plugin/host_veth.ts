/**
 * The veth pair of an attachment: made, found and removed from the node's side.
 */

import { errno } from "./linux/errno.ts";
import { change, type Kernel, KernelError, link } from "./netlink/rtnetlink.ts";
import {
  deleteLink,
  type Link,
  newVeth,
  setAlias,
  setHairpin,
} from "./netlink/links.ts";
import { CniError, code } from "./cni/protocol.ts";
import { waitFor } from "./linux/wait.ts";
import type { Sandbox } from "./netns.ts";
import {
  type Attachment,
  isVethOfAttachment,
  vethAlias,
  vethNames,
} from "./veth.ts";

/**
 * The first of the attachment's names that no link has.
 * @throws {CniError} 101 when the attachment exists already
 */
export function freeVethName(kernel: Kernel, attachment: Attachment): string {
  for (const name of vethNames(attachment)) {
    const found = link(kernel, name);
    if (found === undefined) return name;
    if (!isVethOfAttachment(attachment, found)) continue;
    const { containerID, ifname, network } = attachment;
    throw new CniError(
      code.interfaceTaken,
      `${containerID} is already attached to ${network} by ${ifname}: ` +
        `its host veth ${name} exists`,
      "call DEL first",
    );
  }
  throw new CniError(
    code.interfaceTaken,
    `every name for the host veth is taken: ${
      [...vethNames(attachment)].join(", ")
    }`,
    "remove the links of these names that nothing needs",
  );
}

/** A veth pair in the making. */
interface VethPair {
  readonly sandbox: Sandbox;
  readonly hostName: string;
  readonly bridge: Link;
  readonly mtu: number;
  /** The MAC of the pod's end. */
  readonly mac: Uint8Array;
  readonly hairpinMode: boolean;
}

/**
 * Makes the attachment's veth pair: the host end up and a port of the bridge,
 * the pod's end down.
 * @throws {CniError} 101 when the pod has an interface of that name
 * @throws {KernelError}
 */
export function makeVeth(
  kernel: Kernel,
  attachment: Attachment,
  { sandbox, hostName, bridge, mtu, mac, hairpinMode }: VethPair,
): void {
  const { ifname } = attachment;
  const pod = { name: ifname, mac, network: sandbox.descriptor };
  try {
    // In one datagram, so that no signal can leave a veth without its alias.
    change(
      kernel,
      `make veth ${hostName} on bridge ${bridge.name} ` +
        `with ${ifname} in ${sandbox.path}`,
      newVeth(hostName, pod, bridge.index, mtu),
      setAlias(hostName, vethAlias(attachment)),
      ...(hairpinMode ? [setHairpin(hostName)] : []),
    );
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== errno.EEXIST) {
      throw error;
    }
    if (link(sandbox.kernel, ifname) !== undefined) {
      throw interfaceTaken(ifname, sandbox);
    }
    throw error;
  }
}

/** The error for an interface of the pod that ADD would have to make. */
export function interfaceTaken(ifname: string, sandbox: Sandbox): CniError {
  return new CniError(
    code.interfaceTaken,
    `interface ${ifname} exists already in ${sandbox.path}`,
    "call DEL first, or ask for another CNI_IFNAME",
  );
}

/** Removes the attachment's veth, if there is one. */
export function removeVeth(kernel: Kernel, attachment: Attachment): void {
  const found = findVeth(kernel, attachment);
  if (found !== undefined) removeLink(kernel, found);
}

/** The attachment's veth, under any of its names; undefined when there is none. */
export function findVeth(
  kernel: Kernel,
  attachment: Attachment,
): Link | undefined {
  for (const name of vethNames(attachment)) {
    const found = link(kernel, name);
    if (found !== undefined && isVethOfAttachment(attachment, found)) {
      return found;
    }
  }
  return undefined;
}

/** Removes a link that may go by itself meanwhile, as a veth does with its pod's namespace. */
export function removeLink(kernel: Kernel, { name, index }: Link): void {
  try {
    change(kernel, `remove veth ${name}`, deleteLink(index));
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== errno.ENODEV) {
      throw error;
    }
  }
}

/** At most this long for the bridge to notice that the pod's end is up; it takes about none. */
const forwarding_ms = 1000;

/**
 * The host veth once the bridge passes the pod's frames, so that the addresses
 * are usable when ADD returns. A bridge with spanning tree takes many seconds:
 * that is not waited for.
 */
export function awaitForwarding(kernel: Kernel, name: string): Link {
  let found: Link | undefined;
  waitFor(forwarding_ms, () => {
    found = link(kernel, name);
    return found === undefined || found.forwarding;
  });
  if (found !== undefined) return found;
  throw new KernelError(`look for ${name}`, errno.ENODEV, "it is gone again");
}
