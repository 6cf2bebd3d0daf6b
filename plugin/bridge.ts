/**
 * The node's bridge: found as stage 04 left it, or made again.
 */

import {
  type Address,
  contains,
  formatAddress,
  linkLocal,
  overlap,
  sameAddress,
  type Subnet,
  subnetAround,
} from "./address/address.ts";
import { errno } from "./linux/errno.ts";
import { unsafeSettings } from "./hardening.ts";
import { point } from "./linux/failpoint.ts";
import { writeSysctl } from "./linux/sysctl.ts";
import {
  addresses,
  change,
  type Kernel,
  KernelError,
  link,
  routeTo,
} from "./netlink/rtnetlink.ts";
import { type Link, newBridge, setAlias, setUp } from "./netlink/links.ts";
import { CniError, code } from "./cni/protocol.ts";
import { type LinkAddress, newAddress } from "./netlink/routes.ts";

/** What marks a bridge as ours; the stages use the same mark. */
const bridgeAlias = "deno-cni";

/** An address of the node in a subnet: the gateway of the pods there. */
export interface Gateway {
  readonly address: Address;
  readonly subnet: Subnet;
}

/** The addresses that a bridge is to have. */
export interface Gateways {
  readonly all: readonly Gateway[];
  /**
   * An IPAM plugin gives the addresses: further IPv6 subnets may come later,
   * and go beside those that are there, as with the reference.
   */
  readonly delegated: boolean;
}

/**
 * The bridge, up, with every gateway's address on it and nothing taken from
 * pods that is not theirs to say (hardening.ts); made when it is missing, as
 * after a reboot. It is not taken back when the ADD fails later:
 * by then other pods may be on it.
 * @throws {CniError} 102 when its name is that of another kind of link, or it
 * carries another address of a gateway's family
 */
export function useBridge(
  kernel: Kernel,
  name: string,
  gateways: Gateways,
): Link {
  const bridge = link(kernel, name) ?? makeBridge(kernel, name);
  checkKind(bridge);
  for (const setting of unsafeSettings(bridge)) writeSysctl(setting, "0");
  if (!bridge.up) {
    change(kernel, `bring bridge ${name} up`, setUp(bridge.index));
  }
  const missing = gateways.all.filter((gateway) =>
    !hasGateway(kernel, bridge, gateway, gateways)
  );
  for (const { address, subnet } of missing) {
    giveAddress(kernel, bridge, address, subnet.prefixLength);
  }
  return bridge;
}

/**
 * What is wrong with the bridge, for STATUS and CHECK; a missing one is not.
 * @throws {CniError} 102 as {@linkcode useBridge} does
 */
export function inspectBridge(
  kernel: Kernel,
  name: string,
  gateways: Gateways,
): Link | undefined {
  const bridge = link(kernel, name);
  if (bridge === undefined) return undefined;
  checkKind(bridge);
  for (const gateway of gateways.all) {
    hasGateway(kernel, bridge, gateway, gateways);
  }
  return bridge;
}

function checkKind({ name, kind }: Link): void {
  if (kind === "bridge") return;
  throw new CniError(
    code.bridgeTaken,
    `link ${name} is ${kind === "" ? "no bridge" : `a ${kind}, not a bridge`}`,
    `rename it, or name another bridge in the network configuration ("bridge")`,
  );
}

function hasGateway(
  kernel: Kernel,
  bridge: Link,
  gateway: Gateway,
  gateways: Gateways,
): boolean {
  const { address, subnet } = gateway;
  const found = addresses(kernel, address.family, bridge.index)
    .filter((one) => !contains(linkLocal, one.address));
  if (found.some((one) => sameAddress(one.address, address))) return true;
  const other = found.find((one) => conflicts(one, gateway, gateways));
  if (other === undefined) return false;
  const shown = `${formatAddress(other.address)}/${other.prefixLength}`;
  throw new CniError(
    code.bridgeTaken,
    `bridge ${bridge.name} has the address ${shown}, not the gateway's, ${
      formatAddress(address)
    }/${subnet.prefixLength}`,
    "if it is no pod's gateway any more: " +
      `ip addr del ${shown} dev ${bridge.name}; ` +
      'else name another bridge in the network configuration ("bridge")',
  );
}

/** Whether an address of the bridge and a gateway of its family exclude each other. */
function conflicts(
  { address, prefixLength }: LinkAddress,
  { subnet }: Gateway,
  { all, delegated }: Gateways,
): boolean {
  if (all.some((gateway) => sameAddress(gateway.address, address))) {
    return false;
  }
  return !delegated || subnet.family === 4 ||
    overlap(subnetAround(address, prefixLength), subnet);
}

function makeBridge(kernel: Kernel, name: string): Link {
  // Locally administered, for one station: the second bit set, the first not.
  const mac = crypto.getRandomValues(new Uint8Array(6));
  mac[0] = (mac[0]! & 0xfe) | 0x02;
  try {
    // In one datagram: killed in between, it would leave a bridge without our mark.
    change(
      kernel,
      `make bridge ${name}`,
      newBridge(name, mac),
      setAlias(name, bridgeAlias),
    );
  } catch (error) {
    // Another ADD was quicker.
    if (!(error instanceof KernelError) || error.errno !== errno.EEXIST) {
      throw error;
    }
  }
  point("bridge: made");
  const made = link(kernel, name);
  if (made !== undefined) return made;
  throw new KernelError(
    `make bridge ${name}`,
    errno.ENODEV,
    "it is gone again",
  );
}

function giveAddress(
  kernel: Kernel,
  bridge: Link,
  address: Address,
  prefixLength: number,
): void {
  const step = `give ${
    formatAddress(address)
  }/${prefixLength} to bridge ${bridge.name}`;
  try {
    change(kernel, step, newAddress(bridge.index, address, prefixLength));
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    // Another ADD was quicker.
    if (error.errno === errno.EEXIST) return;
    if (address.family === 4 || error.errno !== errno.EACCES) throw error;
    throw new CniError(
      code.kernel,
      error.message,
      `IPv6 is switched off on it: sysctl -w net.ipv6.conf.${bridge.name}.disable_ipv6=0`,
      { cause: error },
    );
  }
}

/** What a packet to the rest of the world would be sent to: RFC 5737 and 3849 keep these free. */
const outside: readonly Address[] = [
  { family: 4, value: 0xc6336401n },
  { family: 6, value: (0x20010db8n << 96n) | 1n },
];

/** The MTU of the device of the node's default route; 1500 on a node that has none. */
export function defaultMtu(kernel: Kernel): number {
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
