/**
 * The host veth of an attachment: its name, which follows from network name,
 * container ID and interface name, and its alias, which holds these three.
 */

import type { ContainerCall } from "./cni/environment.ts";
import type { Owner } from "./cni/protocol.ts";
import { hashOf } from "./hash.ts";
import type { Link } from "./netlink/links.ts";

/** An attachment with the network that it is attached to. */
export interface Attachment extends Owner {
  readonly network: string;
}

/** The attachment that a call names. */
export function attachmentOf(
  call: ContainerCall,
  { name }: { readonly name: string },
): Attachment {
  const { containerID, ifname } = call;
  return { network: name, containerID, ifname };
}

/** How many names are tried when other attachments have taken the first ones. */
const tries = 4;

/** The longest alias that the kernel keeps (IFALIASZ, less its NUL). */
const longestAlias = 255;

const mark = "deno-cni";

/**
 * The names that the host veth may have, the likeliest first: `veth` and 11
 * digits of a hash, 15 bytes in all, the longest that a link can have.
 */
export function* vethNames(attachment: Attachment): Generator<string> {
  const { network, containerID, ifname } = attachment;
  for (let at = 0; at < tries; at++) {
    yield `veth${hash(`${network} ${containerID} ${ifname} ${at}`)}`;
  }
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
  return `${hashedPrefix(network)}${hash(`${containerID} ${ifname}`)}`;
}

/** The attachment that an alias names; undefined for one that holds hashes. */
export function ownerOf(alias: string): Owner | undefined {
  const [, , containerID = "#", ifname] = alias.split(" ");
  return containerID.startsWith("#") || ifname === undefined
    ? undefined
    : { containerID, ifname };
}

function hashedPrefix(network: string): string {
  return `${mark} #${hash(network)} #`;
}

/** What tells a veth of ours from other links. */
type Marked = Pick<Link, "kind" | "alias">;

/** Whether a link is the host veth of some attachment to the network. */
export function isVethOf(network: string, link: Marked): boolean {
  if (link.kind !== "veth") return false;
  return aliasPrefixes(network).some((prefix) => link.alias.startsWith(prefix));
}

/** What the alias of each host veth of the network begins with. */
export function aliasPrefixes(network: string): readonly string[] {
  return [`${mark} ${network} `, hashedPrefix(network)];
}

/**
 * Whether a link under one of an attachment's names is its veth. A veth that a
 * killed ADD left may lack its alias; the name alone then has to do.
 */
export function isVethOfAttachment(
  attachment: Attachment,
  link: Marked,
): boolean {
  return link.kind === "veth" &&
    (link.alias === vethAlias(attachment) || link.alias === "");
}

/** A hash as 11 digits to base 36, 56 bits. */
function hash(text: string): string {
  const [high, low] = hashOf(text);
  const digits = (half: number, length: number) =>
    half.toString(36).padStart(7, "0").slice(-length);
  return digits(high, 6) + digits(low, 5);
}
