/**
 * DEL of one attachment: what names network, container and interface suffices.
 */

import type { Removal } from "./cni/config.ts";
import type { ContainerCall } from "./cni/environment.ts";
import { delegate, IpamUnavailable } from "./delegate.ts";
import { removeVeth } from "./host_veth.ts";
import { inEveryStore } from "./ipam.ts";
import { point } from "./linux/failpoint.ts";
import { openKernel } from "./netlink/rtnetlink.ts";
import { type Attachment, attachmentOf } from "./veth.ts";

/** Tells the operator of something that does not hinder the command. */
export type Warn = (text: string) => void;

/**
 * DEL: SPEC.md, "DEL". Does not need the pod's namespace, nor anything to be
 * there still.
 * @throws {CniError | SystemError} when something is there and cannot be removed
 */
export function del(call: ContainerCall, removal: Removal, warn: Warn): void {
  const attachment = attachmentOf(call, removal);
  removeVeth(openKernel(), attachment);
  point("del: veth removed");
  release(removal, attachment, call.path, warn);
}

/**
 * Releases what the attachment holds, if anything: in our own leases, also
 * where the configuration has come to name an IPAM plugin, and with that.
 * @param path CNI_PATH
 * @throws {CniError | SystemError}
 */
export function release(
  removal: Removal,
  attachment: Attachment,
  path: string,
  warn: Warn,
): void {
  const { ipam } = removal;
  let held = false;
  inEveryStore(removal, (store) => {
    if (store.release(attachment).length > 0) held = true;
  });
  if (ipam === undefined) return;
  try {
    delegate(ipam, path, "DEL");
  } catch (error) {
    if (!held && !(error instanceof IpamUnavailable)) throw error;
    warn((error as Error).message);
  }
}
