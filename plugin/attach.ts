/**
 * ADD of one attachment: a veth pair between the bridge and the pod,
 * an address of each subnet on the pod's end, routes by the gateway.
 */

import { formatAddress, formatSubnet } from "./address/address.ts";
import { type Gateway, useBridge } from "./bridge.ts";
import type { Config, PodRoute } from "./cni/config.ts";
import type { ContainerCall } from "./cni/environment.ts";
import type { Interface, Result } from "./cni/protocol.ts";
import { emptyResult } from "./cni/result.ts";
import { delegatedAddresses } from "./delegate.ts";
import { release, type Warn } from "./detach.ts";
import {
  awaitForwarding,
  freeVethName,
  interfaceTaken,
  makeVeth,
  removeVeth,
} from "./host_veth.ts";
import { type Addressing, reserveAddresses } from "./ipam.ts";
import { mtuFor } from "./mtu.ts";
import { point } from "./linux/failpoint.ts";
import { type Link, parseMac } from "./netlink/links.ts";
import { link, openKernel } from "./netlink/rtnetlink.ts";
import { openSandbox } from "./netns.ts";
import { announce, configurePod, macOf } from "./pod_interface.ts";
import { awaitSolicitations } from "./solicitation.ts";
import { type Attachment, attachmentOf } from "./veth.ts";

/**
 * ADD: SPEC.md, "ADD". What it made it takes back when it fails, but for the
 * bridge, on which another pod may be by then.
 * @throws {CniError | SystemError}
 */
export function add(
  call: ContainerCall & { netns: string },
  config: Config,
  allowOwn: boolean,
  warn: Warn,
): Result {
  const attachment = attachmentOf(call, config);
  const sandbox = openSandbox(call.netns, allowOwn);
  if (link(sandbox.kernel, call.ifname) !== undefined) {
    throw interfaceTaken(call.ifname, sandbox);
  }
  const kernel = openKernel();
  const hostName = freeVethName(kernel, attachment);

  const undo: (() => void)[] = [];
  try {
    const addressing = addressesFor(config, attachment, call.path);
    undo.push(() => release(config, attachment, call.path, warn));
    point("add: addresses taken");

    const gateways = {
      all: gatewaysOf(addressing),
      delegated: config.ipam !== undefined,
    };
    const bridge = useBridge(kernel, config.bridge, gateways);
    point("add: bridge ready");

    makeVeth(kernel, attachment, {
      sandbox,
      hostName,
      bridge,
      mtu: mtuFor(kernel, config, gateways),
      mac: config.mac === undefined ? macOf(addressing) : parseMac(config.mac),
      hairpinMode: config.hairpinMode,
    });
    undo.push(() => removeVeth(kernel, attachment));
    point("add: veth made");

    const pod = configurePod(sandbox, call.ifname, addressing);
    point("add: pod configured");
    const hostLink = awaitForwarding(kernel, hostName);
    const given = addressing.ips.map(({ address }) => address);
    awaitSolicitations(sandbox.kernel, pod.end.index, given);
    const { all } = gateways;
    awaitSolicitations(kernel, bridge.index, all.map((one) => one.address));
    announce(sandbox, pod.end);

    return mergedResult(config, addressing, pod.routes, [
      shownLink(bridge),
      shownLink(hostLink),
      { ...shownLink(pod.end), sandbox: call.netns },
    ]);
  } catch (error) {
    for (const step of undo.reverse()) {
      try {
        step();
      } catch (failure) {
        // The ADD's own error counts.
        warn(`while taking back a failed ADD: ${failure}`);
      }
    }
    throw error;
  }
}

/** Addresses for the attachment, from our own leases or the IPAM plugin. */
function addressesFor(
  config: Config,
  attachment: Attachment,
  path: string,
): Addressing {
  return config.ipam === undefined
    ? reserveAddresses(config, attachment)
    : delegatedAddresses(config, config.ipam, path);
}

function gatewaysOf({ ips }: Addressing): Gateway[] {
  return ips.flatMap(({ gateway, subnet }) =>
    gateway === undefined ? [] : [{ address: gateway, subnet }]
  );
}

function shownLink({ name, mac, mtu }: Link): Interface {
  return { name, mac, mtu };
}

/** What ADD answers: ours behind what an earlier plugin of the chain did. */
function mergedResult(
  config: Config,
  { ips, dns }: Addressing,
  routes: readonly PodRoute[],
  interfaces: Result["interfaces"],
): Result {
  const before = config.prevResult ?? emptyResult();
  const all = [...before.interfaces, ...interfaces];
  return {
    interfaces: all,
    ips: [
      ...before.ips,
      ...ips.map(({ address, subnet, gateway }) => ({
        interface: all.length - 1,
        address: `${formatAddress(address)}/${subnet.prefixLength}`,
        ...(gateway === undefined ? {} : { gateway: formatAddress(gateway) }),
      })),
    ],
    routes: [
      ...before.routes,
      ...routes.map(({ dst, gateway, ...options }) => ({
        dst: formatSubnet(dst),
        ...(gateway === undefined ? {} : { gw: formatAddress(gateway) }),
        ...options,
      })),
    ],
    dns: Object.keys(dns).length > 0 ? dns : before.dns,
  };
}
