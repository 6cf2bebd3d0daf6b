/**
 * What a link must not take from pods: router advertisements, with which a pod
 * makes itself the router of all others and of the node (CVE-2020-10749),
 * redirects, and packets that bring their own route.
 */

import type { Link } from "./netlink/links.ts";
import { type Setting, settingOf } from "./netlink/settings.ts";

/** Off at 0; IPv6 source routing also below. */
const refused: readonly Setting[] = [
  [6, "accept_ra"],
  [6, "accept_redirects"],
  [6, "accept_source_route"],
  [4, "accept_redirects"],
  [4, "accept_source_route"],
];

/** The settings of a link, by their paths below /proc/sys, that have to become 0. */
export function unsafeSettings(link: Link): string[] {
  return refused
    .filter((setting) => (settingOf(link, setting) ?? 0) > 0)
    .map(([family, name]) => settingPath(link.name, family, name));
}

/** The path of a link's setting below /proc/sys. */
export function settingPath(
  link: string,
  family: 4 | 6,
  setting: string,
): string {
  return `net/ipv${family}/conf/${link}/${setting}`;
}
