/**
 * The files of a store, in the format of the reference `host-local`, so that either may take
 * over from the other (containernetworking/plugins, plugins/ipam/host-local/backend/disk):
 *
 * - `<address>`, a lease: `<containerID>\r\n<ifname>`, no line end after it; to version 0.6 of
 *   the reference the containerID alone
 * - `last_reserved_ip.<N>`: the address that was last handed out from range N, no line end after it
 * - `lock`: locked by flock(2) while the others are read or changed
 */
import {
  type Address,
  addressOrUndefined,
  formatAddress,
} from "../address/address.ts";
import type { Owner } from "../cni/protocol.ts";
import { errno } from "../linux/errno.ts";
import { FileError } from "../linux/file_error.ts";
import { readText } from "../linux/files.ts";

/**
 * What a lease's file holds: nothing (its writer died), something that names no
 * attachment, or an attachment.
 */
type LeaseText = "empty" | "garbled" | Owner;

/** The path of an address's lease. */
export function leasePath(folder: string, address: Address): string {
  return `${folder}/${formatAddress(address)}`;
}

/** What a lease of the attachment holds. */
export function leaseText({ containerID, ifname }: Owner): string {
  return `${containerID}\r\n${ifname}`;
}

/** Reads what {@linkcode leaseText} wrote; like the reference it passes over white space around. */
export function parseLease(text: string): LeaseText {
  const trimmed = text.trim();
  if (trimmed === "") return "empty";
  const [containerID, ifname, ...rest] = trimmed.split(/\r?\n/);
  if (rest.length > 0 || !isContainerID(containerID)) return "garbled";
  if (ifname === undefined) return { containerID, ifname: "" };
  return isIfname(ifname) ? { containerID, ifname } : "garbled";
}

/**
 * Reads a lease's file; undefined when there is none.
 *
 * @param expected the attachment that probably holds it, which spares parsing the text
 * @throws {FileError}
 */
export function readLease(
  path: string,
  expected?: Owner,
): LeaseText | undefined {
  try {
    const text = readText(path);
    if (text === undefined) return undefined;
    if (expected !== undefined && text === leaseText(expected)) return expected;
    return parseLease(text);
  } catch (error) {
    if (error instanceof FileError && error.errno === errno.EISDIR) {
      return "garbled";
    }
    throw error;
  }
}

/** Whether a lease with this text belongs to the attachment. */
export function belongsTo(lease: LeaseText | undefined, owner: Owner): boolean {
  return typeof lease === "object" &&
    lease.containerID === owner.containerID &&
    (lease.ifname === owner.ifname || lease.ifname === "");
}

/**
 * Whether the file is a lease of the attachment.
 *
 * @throws {FileError}
 */
export function isLeaseOf(path: string, owner: Owner): boolean {
  return belongsTo(readLease(path, owner), owner);
}

/** The path of the last address handed out from range N. */
export function cursorPath(folder: string, rangeIndex: number): string {
  return `${folder}/last_reserved_ip.${rangeIndex}`;
}

/**
 * The last address handed out from range N; undefined when there is none, or the file holds no
 * address.
 *
 * @throws {FileError}
 */
export function readCursor(
  folder: string,
  rangeIndex: number,
): Address | undefined {
  const text = readText(cursorPath(folder, rangeIndex));
  return text === undefined ? undefined : addressOrUndefined(text.trim());
}

/** SPEC.md, "Parameters": CNI_CONTAINERID. */
function isContainerID(text: string | undefined): text is string {
  return text !== undefined && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);
}

/** As much of libcni's rule for CNI_IFNAME as keeps garbage out. */
function isIfname(text: string): boolean {
  return text.length <= 15 && /^[^\s/:\0]+$/.test(text);
}
