/**
 * The pod's end of an attachment: its addresses and routes.
 */

import { formatAddress, formatSubnet } from "./address/address.ts";
import type { Addressing, Assigned } from "./ipam.ts";
import type { PodRoute } from "./cni/config.ts";
import { errno } from "./linux/errno.ts";
import { change, KernelError, link } from "./netlink/rtnetlink.ts";
import { writeSysctl } from "./linux/sysctl.ts";
import { settingPath, unsafeSettings } from "./hardening.ts";
import { type Link, setUp } from "./netlink/links.ts";
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
): { end: { name: string; mac: string; mtu: number }; routes: PodRoute[] } {
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
  return { end: { name: pod.name, mac: pod.mac, mtu: pod.mtu }, routes };
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
  // For IPv4 one of the two suffices to accept redirects, as long as the pod does not forward.
  wanted.set("net/ipv4/conf/all/accept_redirects", "0");
  // Some runtimes make pods with IPv6 off; a pod that gets an address of it wants it on.
  if (
    settingOf(pod, [6, "disable_ipv6"]) === 1 &&
    ips.some(({ address }) => address.family === 6)
  ) wanted.set(settingPath(pod.name, 6, "disable_ipv6"), "0");
  return wanted;
}
