/**
 * CHECK of one attachment: is the pod still as ADD left it?
 */

import {
  type Address,
  contains,
  firstHost,
  formatAddress,
  formatSubnet,
  parseAddress,
  parseSubnet,
  subnetAround,
} from "./address/address.ts";
import { storeOf } from "./ipam.ts";
import { heldNow } from "./leases/leases.ts";
import { inspectBridge } from "./bridge.ts";
import type { Config } from "./cni/config.ts";
import { cniErrorOf } from "./cni/failure.ts";
import { delegate } from "./delegate.ts";
import type { ContainerCall } from "./cni/environment.ts";
import {
  addresses,
  type Kernel,
  link,
  openKernel,
  routesOf,
} from "./netlink/rtnetlink.ts";
import type { Link } from "./netlink/links.ts";
import { CniError, code, type Result, type Route } from "./cni/protocol.ts";
import type { KernelRoute } from "./netlink/routes.ts";
import { openSandbox, type Sandbox } from "./netns.ts";
import { type Attachment, attachmentOf, vethAlias, vethNames } from "./veth.ts";

/**
 * CHECK: SPEC.md, "CHECK". Compares the pod with `prevResult`; what a later
 * plugin of the chain may change (a MAC, an MTU, a further address or route) is
 * passed over.
 * @throws {CniError} 7 without a prevResult, 105 naming all that differs
 */
export function check(
  call: ContainerCall & { netns: string },
  config: Config,
  allowOwn: boolean,
): void {
  const { prevResult } = config;
  if (prevResult === undefined) {
    throw new CniError(
      code.configuration,
      "prevResult is missing",
      "CHECK compares the pod with the result of its ADD",
    );
  }
  const attachment = attachmentOf(call, config);
  if (config.ipam !== undefined) delegate(config.ipam, call.path, "CHECK");
  const sandbox = openSandbox(call.netns, allowOwn);
  const problems = [
    ...podProblems(sandbox, call.ifname, prevResult),
    ...hostProblems(openKernel(), attachment, config),
    ...bridgeProblems(openKernel(), config, prevResult),
    ...leaseProblems(attachment, config, prevResult),
  ];
  if (problems.length === 0) return;
  throw new CniError(
    code.checkFailed,
    `the attachment of ${call.containerID} to ${config.name} by ` +
      `${call.ifname} is not as ADD left it: ${problems.join("; ")}`,
    "make the pod again, or call DEL and ADD",
  );
}

function podProblems(
  sandbox: Sandbox,
  ifname: string,
  result: Result,
): string[] {
  const { kernel, path } = sandbox;
  const pod = link(kernel, ifname);
  if (pod === undefined) return [`there is no ${ifname} in ${path}`];
  const at = result.interfaces.findIndex((i) =>
    i.name === ifname && i.sandbox !== undefined
  );
  // A result up to 0.2.0 has no interfaces: all its addresses are the pod's.
  if (at === -1 && result.interfaces.length > 0) {
    return [`prevResult has no interface ${ifname} in a sandbox`];
  }
  const problems = pod.up ? [] : [`${ifname} is down`];
  const ips = result.ips.filter((ip) => at === -1 || ip.interface === at);
  if (ips.length === 0) {
    problems.push(`prevResult has no address for ${ifname}`);
  }
  for (const { address } of ips) {
    if (!holds(kernel, pod, address)) {
      problems.push(
        `${ifname} does not have the address ${address}, or not yet`,
      );
    }
  }
  return [...problems, ...routeProblems(kernel, result.routes)];
}

/** @param text an address with its prefix length, as results write it */
function holds(kernel: Kernel, { index }: Link, text: string): boolean {
  const [host = "", prefixLength] = text.split("/");
  const address = fromResult(host, parseAddress);
  return addresses(kernel, address.family, index).some((found) =>
    same(found.address, address) && !found.tentative &&
    String(found.prefixLength) === prefixLength
  );
}

function routeProblems(kernel: Kernel, wanted: readonly Route[]): string[] {
  const known = new Map<4 | 6, KernelRoute[]>();
  const problems: string[] = [];
  for (const { dst, gw, table } of wanted) {
    const subnet = fromResult(dst, parseSubnet);
    const gateway = gw === undefined ? undefined : fromResult(gw, parseAddress);
    const { family } = subnet;
    if (!known.has(family)) known.set(family, routesOf(kernel, family));
    const found = known.get(family)!.some((route) =>
      route.prefixLength === subnet.prefixLength &&
      (route.dst?.value ?? 0n) === subnet.network &&
      (gateway === undefined || same(route.gateway, gateway)) &&
      (table === undefined || route.table === table)
    );
    if (found) continue;
    const by = gw === undefined ? "" : ` by ${gw}`;
    problems.push(`the route to ${formatSubnet(subnet)}${by} is missing`);
  }
  return problems;
}

function hostProblems(
  kernel: Kernel,
  attachment: Attachment,
  config: Config,
): string[] {
  const alias = vethAlias(attachment);
  const names = [...vethNames(attachment)];
  const veth = names.map((name) => link(kernel, name))
    .find((found) => found?.alias === alias);
  if (veth === undefined) {
    return [`the host veth (${names[0]}, alias ${alias}) is missing`];
  }
  const bridge = link(kernel, config.bridge);
  const problems: string[] = [];
  if (bridge !== undefined && veth.master !== bridge.index) {
    problems.push(
      `the host veth ${veth.name} is not on the bridge ${bridge.name}`,
    );
  }
  if (!veth.up) problems.push(`the host veth ${veth.name} is down`);
  if (config.hairpinMode && !veth.hairpin) {
    problems.push(`the host veth ${veth.name} is not in hairpin mode`);
  }
  return problems;
}

/** What an ADD needs of the bridge, by the same list. */
function bridgeProblems(
  kernel: Kernel,
  { bridge, ipam, subnets }: Config,
  { ips }: Result,
): string[] {
  const all = subnets.map((subnet) => ({
    subnet,
    address: firstHost(subnet),
  }));
  for (const { address, gateway } of ipam === undefined ? [] : ips) {
    if (gateway === undefined) continue;
    const [host = "", length] = address.split("/");
    const pod = fromResult(host, parseAddress);
    const subnet = subnetAround(pod, Number(length));
    // An earlier plugin of the chain may have another gateway, on another link.
    const own = fromResult(gateway, parseAddress);
    if (contains(subnet, own)) all.push({ subnet, address: own });
  }
  try {
    return inspectBridge(kernel, bridge, {
      all,
      delegated: ipam !== undefined,
    });
  } catch (error) {
    const { message, details } = cniErrorOf(error);
    return [`${message} (${details})`];
  }
}

function leaseProblems(
  attachment: Attachment,
  config: Config,
  { ips }: Result,
): string[] {
  if (config.subnets.length === 0) return [];
  const told = ips.map(({ address }) =>
    fromResult(address.split("/")[0]!, parseAddress)
  );
  const own = told.filter((address) =>
    config.subnets.some((subnet) => contains(subnet, address))
  );
  const held = heldNow(storeOf(config), attachment, own);
  return config.subnets.flatMap((subnet) => {
    const lease = held.find((address) => contains(subnet, address));
    if (lease === undefined) {
      return [`it holds no lease in ${formatSubnet(subnet)}`];
    }
    if (told.some((address) => same(address, lease))) return [];
    return [
      `its lease is ${formatAddress(lease)}, which prevResult does not have`,
    ];
  });
}

function same(a: Address | undefined, b: Address): boolean {
  return a !== undefined && a.family === b.family && a.value === b.value;
}

/** Runs a parser of address.ts on a value of prevResult. */
function fromResult<T>(value: string, parse: (text: string) => T): T {
  try {
    return parse(value);
  } catch (error) {
    throw new CniError(
      code.configuration,
      `prevResult holds ${JSON.stringify(value)}`,
      (error as Error).message,
    );
  }
}
