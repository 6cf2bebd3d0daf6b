/**
 * The MTU of a pod's veth.
 */

import type { Address } from "./address/address.ts";
import type { Gateways } from "./bridge.ts";
import { CniError, code } from "./cni/protocol.ts";
import { type Kernel, link, routeTo } from "./netlink/rtnetlink.ts";

/** What a packet to the rest of the world would be sent to: RFC 5737 and 3849 keep these free. */
const outside: readonly Address[] = [
  { family: 4, value: 0xc6336401n },
  { family: 6, value: (0x20010db8n << 96n) | 1n },
];

/**
 * The MTU of a pod: the configured one, else that of the default route's device.
 * @throws {CniError} 7 for one that is too small for the addresses
 */
export function mtuFor(
  kernel: Kernel,
  configured: number | undefined,
  { all }: Gateways,
): number {
  const mtu = configured ?? defaultMtu(kernel);
  // RFC 8200, 5; Linux then switches IPv6 off on the link.
  if (mtu >= 1280 || all.every(({ address }) => address.family === 4)) {
    return mtu;
  }
  throw new CniError(
    code.configuration,
    `mtu is ${mtu}` +
      (configured === undefined ? ", that of the default route's device" : ""),
    "IPv6 needs 1280 at least",
  );
}

/** The MTU of the device of the node's default route; 1500 on a node that has none. */
function defaultMtu(kernel: Kernel): number {
  for (const address of outside) {
    const route = routeTo(kernel, address);
    if (route === undefined || route.link === 0) continue;
    const device = link(kernel, route.link);
    // The bounds are those of the configuration's key.
    if (device !== undefined && device.mtu >= 68) {
      return Math.min(device.mtu, 65535);
    }
  }
  return 1500;
}
