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
import { readText } from "./linux/files.ts";
import { writeSysctl } from "./linux/sysctl.ts";
import { settingOf } from "./netlink/settings.ts";
import {
  addresses,
  change,
  type Kernel,
  KernelError,
  link,
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
 * after a reboot. It is not taken back when the ADD fails later: by then other
 * pods may be on it.
 * @throws {CniError} 102 when its name is that of another kind of link, or it
 * carries another address of a gateway's family
 */
export function useBridge(
  kernel: Kernel,
  name: string,
  gateways: Gateways,
): Link {
  const bridge = link(kernel, name) ?? makeBridge(kernel, name);
  for (const need of needsOf(kernel, bridge, gateways)) {
    if (need.missing() !== undefined) need.provide();
  }
  return bridge;
}

/**
 * What an ADD would have to put right on the bridge, for CHECK.
 * @throws {CniError} what it could not put right, for STATUS
 */
export function inspectBridge(
  kernel: Kernel,
  name: string,
  gateways: Gateways,
): string[] {
  const bridge = link(kernel, name);
  if (bridge === undefined) {
    if (gateways.all.some(({ address }) => address.family === 6)) {
      checkIpv6("default", ipv6OffByDefault());
    }
    return [`the bridge ${name} is missing`];
  }
  return needsOf(kernel, bridge, gateways)
    .map((need) => need.missing())
    .filter((missing) => missing !== undefined);
}

/** Something that every ADD needs of the bridge: ADD, STATUS and CHECK go by the same list. */
interface Need {
  /**
   * What is missing, undefined for nothing.
   * @throws {CniError} where an ADD could not put it right
   */
  missing(): string | undefined;
  /** Puts it right. */
  provide(): void;
}

function needsOf(
  kernel: Kernel,
  bridge: Link,
  gateways: Gateways,
): Need[] {
  const { name } = bridge;
  const unsafe = unsafeSettings(bridge);
  return [
    {
      missing: () => checkKind(bridge),
      provide: () => {},
    },
    {
      missing: () =>
        unsafe.length === 0
          ? undefined
          : `the bridge ${name} trusts its pods: ${unsafe.join(", ")}`,
      provide: () => unsafe.forEach((setting) => writeSysctl(setting, "0")),
    },
    {
      missing: () => bridge.up ? undefined : `the bridge ${name} is down`,
      provide: () =>
        change(kernel, `bring bridge ${name} up`, setUp(bridge.index)),
    },
    ...gateways.all.map((gateway): Need => {
      const { address, subnet: { prefixLength } } = gateway;
      return {
        missing() {
          if (address.family === 6) {
            checkIpv6(name, settingOf(bridge, [6, "disable_ipv6"]));
          }
          return hasGateway(kernel, bridge, gateway, gateways)
            ? undefined
            : `the bridge ${name} lacks the gateway's address ${
              formatAddress(address)
            }/${prefixLength}`;
        },
        provide: () => giveAddress(kernel, bridge, address, prefixLength),
      };
    }),
  ];
}

/** @param off 1 where IPv6 is off; undefined where the kernel has none */
function checkIpv6(where: string, off: number | undefined): void {
  if (off === 0) return;
  throw new CniError(
    code.kernel,
    off === undefined
      ? "the kernel has no IPv6, which the subnets need"
      : `IPv6 is off on ${
        where === "default" ? "new links, and so on a new bridge" : where
      }, and the subnets need it`,
    off === undefined
      ? "the kernel was started without this address family (ipv6.disable=1?)"
      : `sysctl -w net.ipv6.conf.${where}.disable_ipv6=0`,
  );
}

function ipv6OffByDefault(): number | undefined {
  const value = readText("/proc/sys/net/ipv6/conf/default/disable_ipv6");
  return value === undefined ? undefined : Number(value);
}

function checkKind({ name, kind }: Link): undefined {
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
    throw error;
  }
}
