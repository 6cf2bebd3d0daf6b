/**
 * Settings that the kernel keeps for each link and family, as it sends them
 * along with a link: no file of /proc/sys has to be read. Pure.
 * Source: Linux `include/uapi/linux/` {if_link,ip,ipv6}.h for the numbers.
 */

import type { Family } from "../address/address.ts";
import type { Link } from "./links.ts";
import { attributes, numberOf } from "./netlink.ts";

/** In IFLA_AF_SPEC: the family's number, and the attribute that holds its settings. */
const places = {
  4: { family: 2, attribute: 1 },
  6: { family: 10, attribute: 2 },
} as const;

/** Where a setting stands in its family's list: IPV4_DEVCONF_… less one, DEVCONF_…. */
const positions = {
  4: { accept_redirects: 3, accept_source_route: 8 },
  6: {
    mtu: 2,
    accept_ra: 3,
    accept_redirects: 4,
    accept_source_route: 24,
    disable_ipv6: 26,
  },
} as const;

/** A setting by its family and the name that it has in /proc/sys. */
export type Setting =
  | readonly [family: 4, name: keyof typeof positions[4]]
  | readonly [family: 6, name: keyof typeof positions[6]];

/** The value that a link has; undefined where the kernel lacks the family. */
export function settingOf(link: Link, setting: Setting): number | undefined {
  const [family] = setting;
  const at = position(setting);
  const list = listOf(link, family);
  if (list === undefined || list.length < 4 * (at + 1)) return undefined;
  return numberOf(list.subarray(4 * at)) | 0;
}

function position(setting: Setting): number {
  return setting[0] === 4 ? positions[4][setting[1]] : positions[6][setting[1]];
}

function listOf({ families }: Link, of: Family): Uint8Array | undefined {
  const { family, attribute } = places[of];
  const own = attributes(families, 0).get(family);
  return own === undefined ? undefined : attributes(own, 0).get(attribute);
}
