/**
 * The host veth of an attachment: its name, which anybody can work out again
 * from network name, container ID and interface name, and its alias, which
 * says whose it is.
 */

import type { Owner } from "./leases.ts";
import type { Link } from "./links.ts";

/** An attachment with the network that it is attached to. */
export interface Attachment extends Owner {
  readonly network: string;
}

/** How many names are tried when other attachments have taken the first ones. */
const tries = 4;

/** The longest alias that the kernel keeps (IFALIASZ, less its NUL). */
const longestAlias = 255;

const mark = "deno-cni";

/**
 * The names that the host veth may have, the likeliest first: `veth` and 56
 * bits of a hash, 15 bytes in all, the longest that a link can have.
 */
export function vethNames(attachment: Attachment): string[] {
  const { network, containerID, ifname } = attachment;
  const names: string[] = [];
  for (let at = 0; at < tries; at++) {
    const digits = hash(`${network} ${containerID} ${ifname} ${at}`).toString(
      36,
    );
    names.push(`veth${digits.padStart(11, "0").slice(-11)}`);
  }
  return names;
}

/**
 * The alias of the host veth: the three names, none of which holds a space.
 * Where they are too long for it, `#` and a hash stand for them.
 */
export function vethAlias(
  { network, containerID, ifname }: Attachment,
): string {
  const whole = `${mark} ${network} ${containerID} ${ifname}`;
  if (whole.length <= longestAlias) return whole;
  return `${hashedPrefix(network)}${hex(`${containerID} ${ifname}`)}`;
}

function hashedPrefix(network: string): string {
  return `${mark} #${hex(network)} #`;
}

/** Whether a link is the host veth of some attachment to the network. */
export function isVethOf(network: string, link: Link): boolean {
  if (link.kind !== "veth") return false;
  return link.alias.startsWith(`${mark} ${network} `) ||
    link.alias.startsWith(hashedPrefix(network));
}

/**
 * Whether a link under one of an attachment's names is its veth. A veth that a
 * killed ADD left may lack its alias; the name alone then has to do.
 */
export function isVethOfAttachment(
  attachment: Attachment,
  link: Link,
): boolean {
  return link.kind === "veth" &&
    (link.alias === vethAlias(attachment) || link.alias === "");
}

function hex(text: string): string {
  return hash(text).toString(16).padStart(16, "0");
}

/** 64-bit FNV-1a, finished by a round of mixing so that short differences reach every bit. */
function hash(text: string): bigint {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  value = BigInt.asUintN(64, (value ^ (value >> 32n)) * 0xd6e8feb86659fd93n);
  return value ^ (value >> 32n);
}
