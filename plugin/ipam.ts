/**
 * A pod's addresses from our own leases, and the routes that go with them.
 */

import { type Address, firstHost, type Subnet } from "./address/address.ts";
import { type Config, defaultDataDir, type PodRoute } from "./cni/config.ts";
import { hasStore, type Store, withStore } from "./leases/leases.ts";
import type { StoreOptions } from "./leases/places.ts";
import type { Pool } from "./leases/round_robin.ts";
import { livingOn } from "./living.ts";
import type { Result } from "./cni/protocol.ts";
import type { Attachment } from "./veth.ts";

/** An address for the pod, with the subnet it is in and the way out of that. */
export interface Assigned {
  address: Address;
  subnet: Subnet;
  gateway: Address | undefined;
}

/** What the pod is given. */
export interface Addressing {
  ips: Assigned[];
  routes: PodRoute[];
  /** Default routes by the gateways, for a pod that has none yet. */
  defaults: PodRoute[];
  dns: Result["dns"];
}

/**
 * Reserves addresses for an attachment in our own leases.
 * @throws {CniError | SystemError}
 */
export function reserveAddresses(
  config: Config,
  attachment: Attachment,
): Addressing {
  const { subnets, routes, dns } = config;
  const addresses = inStore(
    config,
    (store) => store.reserve(attachment, poolsOf(subnets), config.ips),
  );
  const ips = subnets.map((subnet, at): Assigned => ({
    address: addresses[at]!,
    subnet,
    gateway: firstHost(subnet),
  }));
  return completed(ips, routes, dns);
}

/** Where the leases of a network are. */
interface Network {
  readonly dataDir: string;
  readonly name: string;
}

/** The leases of a network, restored by the pods that live where another program removed some. */
export function storeOf({ dataDir, name }: Network): StoreOptions {
  return { dataDir, network: name, living: () => livingOn(name) };
}

/** Opens the leases of a network; makes the store when it is missing. */
export function inStore<T>(
  { dataDir, name }: Network,
  body: (store: Store) => T,
): T {
  return withStore(storeOf({ dataDir, name }), body);
}

/**
 * Opens the leases of a network wherever there are any: in its dataDir, and in
 * the default one, for the configuration may have come to name another.
 */
export function inEveryStore(
  { dataDir, name }: Network,
  body: (store: Store) => void,
): void {
  for (const store of storesOf({ dataDir, name })) {
    if (hasStore(store)) withStore(store, body);
  }
}

/** Where leases of a network may be: in its dataDir, and in the default one. */
export function storesOf({ dataDir, name }: Network): StoreOptions[] {
  const own = storeOf({ dataDir, name });
  return dataDir === defaultDataDir
    ? [own]
    : [own, { dataDir: defaultDataDir, network: name }];
}

/** What addresses are taken from: all of a subnet but its gateway. */
export function poolsOf(subnets: readonly Subnet[]): Pool[] {
  return subnets.map((subnet) => ({
    subnet,
    rangeIndex: subnet.family === 4 ? 0 : 1,
    excluded: [firstHost(subnet)],
  }));
}

const LINK_SCOPE = 253;

/**
 * Completes what a pod is given: routes that name no gateway go by that of
 * their family, and each family for which no default route is given gets one.
 */
export function completed(
  ips: Assigned[],
  given: readonly PodRoute[],
  dns: Result["dns"],
): Addressing {
  const gatewayOf = (family: number) =>
    ips.find(({ address }) => address.family === family)?.gateway;
  const routes = given.map((route) =>
    route.gateway !== undefined || route.scope === LINK_SCOPE
      ? route
      : { ...route, gateway: gatewayOf(route.dst.family) }
  );
  const defaults = ips.flatMap(
    ({ address: { family }, gateway }): PodRoute[] => {
      const has = routes.some(({ dst, table }) =>
        dst.family === family && dst.prefixLength === 0 && table === undefined
      );
      if (has || gateway === undefined) return [];
      return [{ dst: { family, network: 0n, prefixLength: 0 }, gateway }];
    },
  );
  return { ips, routes, defaults, dns };
}
