/**
 * The pod's end of an attachment: its addresses and routes.
 */

import {
  addressBytes,
  formatAddress,
  formatSubnet,
} from "./address/address.ts";
import type { Addressing, Assigned } from "./ipam.ts";
import type { PodRoute } from "./cni/config.ts";
import { errno } from "./linux/errno.ts";
import { change, KernelError, link } from "./netlink/rtnetlink.ts";
import { writeSysctl } from "./linux/sysctl.ts";
import { hashOf } from "./hash.ts";
import { settingPath, unsafeSettings } from "./hardening.ts";
import { type Link, parseMac, setMac, setUp } from "./netlink/links.ts";
import { settingOf } from "./netlink/settings.ts";
import { newAddress, newRoute } from "./netlink/routes.ts";
import { type Sandbox, within } from "./netns.ts";

/**
 * Brings the pod's end up and gives it its addresses and routes.
 * @returns that end, and the routes that were made
 * @throws {KernelError | SystemError}
 */
export function configurePod(
  sandbox: Sandbox,
  ifname: string,
  addressing: Addressing,
): { end: Link; routes: PodRoute[] } {
  const { kernel, path } = sandbox;
  const pod = link(kernel, ifname);
  if (pod === undefined) {
    throw new KernelError(
      `look for ${ifname} in ${path}`,
      errno.ENODEV,
      "it is gone again",
    );
  }
  within(sandbox, () => {
    for (const [setting, value] of settings(pod, addressing)) {
      writeSysctl(setting, value);
    }
  });
  change(kernel, `bring ${ifname} in ${path} up`, setUp(pod.index));
  for (const ip of addressing.ips) giveAddress(sandbox, pod, ip);
  const routes = [...addressing.routes];
  for (const route of addressing.routes) makeRoute(sandbox, pod, route);
  for (const route of addressing.defaults) {
    try {
      makeRoute(sandbox, pod, route);
      routes.push(route);
    } catch (error) {
      // The pod's first network has the default route.
      if (!(error instanceof KernelError) || error.errno !== errno.EEXIST) {
        throw error;
      }
    }
  }
  return { end: pod, routes };
}

/**
 * The MAC of a pod's end: it follows from the pod's first address, so that a
 * neighbour's entry of an earlier pod with that address stays true. `0a:58` and
 * the four bytes of an IPv4 address, as the reference once had it; of an IPv6
 * address a hash, for many end alike. Both beginnings are locally administered.
 */
export function macOf({ ips: [first] }: Addressing): Uint8Array {
  if (first === undefined) return Uint8Array.of(0x0a, 0x58, 0, 0, 0, 1);
  const { address } = first;
  if (address.family === 4) {
    return Uint8Array.of(0x0a, 0x58, ...addressBytes(address));
  }
  const [high, low] = hashOf(formatAddress(address));
  const mac = new DataView(new ArrayBuffer(6));
  mac.setUint16(0, 0x0e00 | (high & 0xff));
  mac.setUint32(2, low);
  return new Uint8Array(mac.buffer);
}

/**
 * Tells the bridge's other ports and the node where the pod's addresses are now:
 * an earlier pod may have had one of them with another MAC.
 * @throws {KernelError}
 */
export function announce({ kernel, path }: Sandbox, pod: Link): void {
  const step = `announce the addresses of ${pod.name} in ${path}`;
  change(kernel, step, setMac(pod.index, parseMac(pod.mac)));
}

function makeRoute(
  { kernel, path }: Sandbox,
  pod: Link,
  route: PodRoute,
): void {
  const { dst, gateway, ...options } = route;
  const by = gateway === undefined ? "" : ` by ${formatAddress(gateway)}`;
  const step = `make route ${formatSubnet(dst)}${by} in ${path}`;
  change(kernel, step, newRoute(pod.index, dst, gateway, options));
}

function giveAddress(
  { kernel, path }: Sandbox,
  { index, name }: Link,
  { address, subnet }: Assigned,
): void {
  const { prefixLength } = subnet;
  const shown = `${formatAddress(address)}/${prefixLength}`;
  const request = newAddress(index, address, prefixLength);
  change(kernel, `give ${shown} to ${name} in ${path}`, request);
}

/** The settings of the pod's end that have to be others before it is up. */
function settings(pod: Link, { ips }: Addressing): Map<string, string> {
  const wanted = new Map(unsafeSettings(pod).map((path) => [path, "0"]));
  wanted.set(settingPath(pod.name, 4, "arp_notify"), "1");
  if (settingOf(pod, [6, "disable_ipv6"]) !== undefined) {
    wanted.set(settingPath(pod.name, 6, "ndisc_notify"), "1");
  }
  // For IPv4 one of the two suffices to accept redirects, as long as the pod does not forward.
  wanted.set("net/ipv4/conf/all/accept_redirects", "0");
  // Some runtimes make pods with IPv6 off; a pod that gets an address of it wants it on.
  if (
    settingOf(pod, [6, "disable_ipv6"]) === 1 &&
    ips.some(({ address }) => address.family === 6)
  ) wanted.set(settingPath(pod.name, 6, "disable_ipv6"), "0");
  return wanted;
}
