/**
 * ADD and DEL of one attachment: a veth pair between the bridge and the pod,
 * an address of each subnet on the pod's end, routes by the gateway.
 */

import { formatAddress, formatSubnet } from "./address/address.ts";
import { type Addressing, giveBack, takeAddresses } from "./ipam.ts";
import { defaultMtu, type Gateway, useBridge } from "./bridge.ts";
import type { Config, PodRoute } from "./cni/config.ts";
import type { ContainerCall } from "./cni/environment.ts";
import { errno } from "./linux/errno.ts";
import { point } from "./linux/failpoint.ts";
import {
  change,
  type Kernel,
  KernelError,
  link,
  openKernel,
} from "./netlink/rtnetlink.ts";
import {
  deleteLink,
  type Link,
  newVeth,
  parseMac,
  setAlias,
  setHairpin,
} from "./netlink/links.ts";
import { complain } from "./complaints.ts";
import { CniError, code, type Result } from "./cni/protocol.ts";
import { emptyResult } from "./cni/result.ts";
import { configurePod } from "./pod_interface.ts";
import { openSandbox, type Sandbox } from "./netns.ts";
import {
  type Attachment,
  isVethOfAttachment,
  vethAlias,
  vethNames,
} from "./veth.ts";

/** The attachment that a call is about. */
export function attachmentOf(call: ContainerCall, config: Config): Attachment {
  const { containerID, ifname } = call;
  return { network: config.name, containerID, ifname };
}

/**
 * ADD: SPEC.md, "ADD". What it made it takes back when it fails, but for the
 * bridge, on which another pod may be by then.
 * @throws {CniError | KernelError | SystemError}
 */
export function add(
  call: ContainerCall & { netns: string },
  config: Config,
  allowOwn: boolean,
): Result {
  const attachment = attachmentOf(call, config);
  const sandbox = openSandbox(call.netns, allowOwn);
  if (link(sandbox.kernel, call.ifname) !== undefined) {
    throw taken(call.ifname, sandbox);
  }
  const kernel = openKernel();
  const hostName = freeVethName(kernel, attachment);

  const undo: (() => void)[] = [];
  try {
    const addressing = takeAddresses(config, attachment, call.path);
    undo.push(() => giveBack(config, attachment, call.path));
    point("add: addresses taken");

    const bridge = useBridge(kernel, config.bridge, gatewaysOf(addressing));
    point("add: bridge ready");

    const mtu = config.mtu ?? defaultMtu(kernel);
    makeVeth(kernel, sandbox, attachment, hostName, bridge, mtu, config);
    undo.push(() => removeVeth(kernel, attachment));
    point("add: veth made");

    const pod = configurePod(sandbox, call.ifname, addressing);
    point("add: pod configured");
    const hostLink = awaitForwarding(kernel, hostName);

    return mergedResult(config, addressing, pod.routes, [
      { name: bridge.name, mac: bridge.mac, mtu: bridge.mtu },
      { name: hostLink.name, mac: hostLink.mac, mtu: hostLink.mtu },
      { ...pod.end, sandbox: call.netns },
    ]);
  } catch (error) {
    for (const step of undo.reverse()) tryTo(step);
    throw error;
  }
}

/**
 * DEL: SPEC.md, "DEL". Does not need the pod's namespace, nor anything to be
 * there still.
 * @throws {CniError | KernelError | SystemError} when something is there and cannot be removed
 */
export function del(call: ContainerCall, config: Config): void {
  const attachment = attachmentOf(call, config);
  removeVeth(openKernel(), attachment);
  point("del: veth removed");
  giveBack(config, attachment, call.path);
}

/** Undoes a step of a failed ADD; what hinders it is said on stderr, for the ADD's own error counts. */
function tryTo(step: () => void): void {
  try {
    step();
  } catch (error) {
    complain(`while taking back a failed ADD: ${error}`);
  }
}

function taken(ifname: string, sandbox: Sandbox): CniError {
  return new CniError(
    code.interfaceTaken,
    `interface ${ifname} exists already in ${sandbox.path}`,
    "call DEL first, or ask for another CNI_IFNAME",
  );
}

/** The first of the attachment's names that no link has. */
function freeVethName(kernel: Kernel, attachment: Attachment): string {
  for (const name of vethNames(attachment)) {
    const found = link(kernel, name);
    if (found === undefined) return name;
    if (!isVethOfAttachment(attachment, found)) continue;
    const { containerID, ifname, network } = attachment;
    throw new CniError(
      code.interfaceTaken,
      `${containerID} is already attached to ${network} by ${ifname}: its host veth ${name} exists`,
      "call DEL first",
    );
  }
  throw new CniError(
    code.interfaceTaken,
    `every name for the host veth is taken: ${
      [...vethNames(attachment)].join(", ")
    }`,
    "remove the links of these names that nobody needs",
  );
}

function gatewaysOf({ ips }: Addressing): Gateway[] {
  return ips.flatMap(({ gateway, subnet }) =>
    gateway === undefined ? [] : [{ address: gateway, subnet }]
  );
}

function makeVeth(
  kernel: Kernel,
  sandbox: Sandbox,
  attachment: Attachment,
  hostName: string,
  bridge: Link,
  mtu: number,
  config: Config,
): void {
  const mac = config.mac === undefined ? undefined : parseMac(config.mac);
  const { ifname } = attachment;
  const pod = { name: ifname, mac, network: sandbox.descriptor };
  try {
    // In one datagram, so that no signal can leave a veth without its alias.
    change(
      kernel,
      `make veth ${hostName} on bridge ${bridge.name} with ${ifname} in ${sandbox.path}`,
      newVeth(hostName, pod, bridge.index, mtu),
      setAlias(hostName, vethAlias(attachment)),
      ...(config.hairpinMode ? [setHairpin(hostName)] : []),
    );
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== errno.EEXIST) {
      throw error;
    }
    if (link(sandbox.kernel, ifname) !== undefined) {
      throw taken(ifname, sandbox);
    }
    throw error;
  }
}

/** Removes the attachment's veth, if there is one. */
function removeVeth(kernel: Kernel, attachment: Attachment): void {
  const found = findVeth(kernel, attachment);
  if (found !== undefined) removeLink(kernel, found);
}

/** The attachment's veth, under whichever of its names; undefined when there is none. */
export function findVeth(
  kernel: Kernel,
  attachment: Attachment,
): Link | undefined {
  for (const name of vethNames(attachment)) {
    const found = link(kernel, name);
    if (found !== undefined && isVethOfAttachment(attachment, found)) {
      return found;
    }
  }
  return undefined;
}

/** Removes a link that may go by itself meanwhile, as a veth does with its pod's namespace. */
export function removeLink(kernel: Kernel, { name, index }: Link): void {
  try {
    change(kernel, `remove veth ${name}`, deleteLink(index));
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== errno.ENODEV) {
      throw error;
    }
  }
}

/** At most this long for the bridge to notice that the pod's end is up; it takes about none. */
const forwarding_ms = 1000;

/**
 * The host veth once the bridge passes the pod's frames, so that the addresses
 * are usable when ADD returns. A bridge with spanning tree takes many seconds:
 * that is not waited for.
 */
function awaitForwarding(kernel: Kernel, name: string): Link {
  for (let waited_ms = 0;; waited_ms++) {
    const found = link(kernel, name);
    if (found === undefined) {
      throw new KernelError(
        `look for ${name}`,
        errno.ENODEV,
        "it is gone again",
      );
    }
    if (found.forwarding || waited_ms >= forwarding_ms) return found;
    pause(1);
  }
}

function pause(time_ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, time_ms);
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
