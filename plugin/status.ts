/**
 * STATUS: would the next ADD succeed?
 */

import {
  contains,
  firstHost,
  formatAddress,
  formatSubnet,
  linkLocal,
} from "./address/address.ts";
import { poolsOf, storeOf } from "./ipam.ts";
import { inspectBridge } from "./bridge.ts";
import { mtuFor } from "./mtu.ts";
import type { Config } from "./cni/config.ts";
import { delegate } from "./delegate.ts";
import { errno } from "./linux/errno.ts";
import {
  change,
  type Kernel,
  KernelError,
  openKernel,
} from "./netlink/rtnetlink.ts";
import { storeState } from "./leases/store_state.ts";
import { impossibleLink } from "./netlink/links.ts";
import { cniErrorOf } from "./cni/failure.ts";
import { CniError, code } from "./cni/protocol.ts";

/**
 * STATUS: SPEC.md, "STATUS". It takes no lock and changes nothing but a probe
 * file, for runtimes ask every few seconds.
 * @param path CNI_PATH
 * @throws {CniError} 50 with the reason why an ADD could not succeed; what an
 * IPAM plugin says of itself
 */
export function status(config: Config, path: string): void {
  const { ipam, subnets } = config;
  if (ipam !== undefined) delegate(ipam, path, "STATUS");
  try {
    const kernel = openKernel();
    mayMakeLinks(kernel);
    const all = subnets.map((subnet) => ({
      subnet,
      address: firstHost(subnet),
    }));
    const delegated = ipam !== undefined;
    inspectBridge(kernel, config.bridge, { all, delegated });
    mtuFor(kernel, config, { all, delegated });
    if (!delegated) checkRoutes(config);
    if (ipam === undefined) hasFreeAddresses(config);
  } catch (error) {
    const { message, details, code: found } = cniErrorOf(error);
    if (found === code.internal) throw error;
    throw new CniError(code.cannotAdd, message, details, { cause: error });
  }
}

function mayMakeLinks(kernel: Kernel): void {
  for (const kind of ["bridge", "veth"] as const) {
    try {
      change(
        kernel,
        `see whether a ${kind} could be made`,
        impossibleLink(kind),
      );
    } catch (error) {
      const could = error instanceof KernelError &&
        error.errno === errno.EADDRNOTAVAIL;
      if (!could) throw error;
    }
  }
}

/** Routes by gateways that no pod can reach fail every ADD. */
function checkRoutes({ routes, subnets }: Config): void {
  const direct = routes.filter(({ gateway }) => gateway === undefined)
    .map(({ dst }) => dst);
  for (const { dst, gateway } of routes) {
    const onLink = [...subnets, ...direct, linkLocal];
    if (gateway === undefined || onLink.some((s) => contains(s, gateway))) {
      continue;
    }
    throw new CniError(
      code.configuration,
      `the route to ${formatSubnet(dst)} goes by ${formatAddress(gateway)}`,
      `a gateway in ${subnets.map(formatSubnet).join(" or ")} is expected`,
    );
  }
}

function hasFreeAddresses(config: Config): void {
  const { subnets } = config;
  const { hasFree } = storeState(storeOf(config), poolsOf(subnets));
  const full = subnets.find((_, at) => !hasFree[at]);
  if (full === undefined) return;
  throw new CniError(
    code.subnetFull,
    `every address of ${formatSubnet(full)} is taken`,
    "remove pods from this node, or run GC for leases that no pod needs",
  );
}
