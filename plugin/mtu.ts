/**
 * The MTU of a pod's veth.
 */

import type { Address } from "./address/address.ts";
import type { Gateways } from "./bridge.ts";
import { CniError, code } from "./cni/protocol.ts";
import type { Link } from "./netlink/links.ts";
import { type Kernel, link, routeTo } from "./netlink/rtnetlink.ts";
import { settingOf } from "./netlink/settings.ts";

/** What a packet to the rest of the world would be sent to: RFC 5737 and 3849 keep these free. */
const outside: readonly Address[] = [
  { family: 4, value: 0xc6336401n },
  { family: 6, value: (0x20010db8n << 96n) | 1n },
];

/**
 * The MTU of a pod: the configured one, else the smallest on its packets' ways
 * out and to the other nodes. What is longer is lost where a router may not cut
 * it and its answer does not arrive.
 * @throws {CniError} 7 for one that is too small for the addresses
 */
export function mtuFor(
  kernel: Kernel,
  { mtu: configured, peers }: { mtu: number | undefined; peers: Address[] },
  { all }: Gateways,
): number {
  const families = all.map(({ address }) => address.family);
  const mtu = configured ?? smallest(
    kernel,
    [...outside, ...peers].filter(({ family }) => families.includes(family)),
  );
  // RFC 8200, 5; Linux then switches IPv6 off on the link.
  if (mtu >= 1280 || !families.includes(6)) return mtu;
  throw new CniError(
    code.configuration,
    `mtu is ${mtu}` +
      (configured === undefined
        ? ", the smallest on the ways out and to the other nodes"
        : ""),
    "IPv6 needs 1280 at least",
  );
}

/** The smallest MTU on the ways to these, of device, family and route; 1500 without a way. */
function smallest(kernel: Kernel, to: readonly Address[]): number {
  const devices = new Map<number, Link | undefined>();
  const sizes = to.flatMap((address) => {
    const route = routeTo(kernel, address);
    if (route === undefined || route.link === 0) return [];
    if (!devices.has(route.link)) {
      devices.set(route.link, link(kernel, route.link));
    }
    const device = devices.get(route.link);
    // A router advertisement may leave IPv6 less of a link than it takes (RFC 4861, 6.3.4).
    const told = address.family === 6 && device !== undefined
      ? settingOf(device, [6, "mtu"])
      : undefined;
    // The bounds are those of the configuration's key.
    return [device?.mtu ?? 0, told ?? 0, route.mtu ?? 0]
      .filter((mtu) => mtu >= 68);
  });
  return sizes.length === 0 ? 1500 : Math.min(...sizes, 65535);
}
