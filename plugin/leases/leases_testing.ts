/** What the tests of the store share: pools, pods, and a store in a folder of its own. */
import {
  formatAddress,
  parseAddress,
  parseSubnet,
} from "../address/address.ts";
import { type Store, withStore } from "./leases.ts";
import type { Owner } from "../cni/protocol.ts";
import type { Pool } from "./round_robin.ts";

export const network = "podnet";

export function pool(subnet: string, ...excluded: string[]): Pool {
  const parsed = parseSubnet(subnet);
  return {
    subnet: parsed,
    rangeIndex: parsed.family === 4 ? 0 : 1,
    excluded: excluded.map(parseAddress),
  };
}

export const small = [pool("10.244.1.0/29", "10.244.1.1")];
export const dual = [
  pool("10.244.1.0/24", "10.244.1.1"),
  pool("fd00:0:0:1::/64", "fd00:0:0:1::1"),
];
export const pod = (n: number | string, ifname = "eth0"): Owner => ({
  containerID: `pod-${n}`,
  ifname,
});

/** A store in a folder of its own, gone afterwards. */
export function inStore(
  body: (use: <T>(body: (store: Store) => T) => T, dataDir: string) => void,
): void {
  const dataDir = Deno.makeTempDirSync({ prefix: "leases-" });
  try {
    body((use) => withStore({ dataDir, network }, use), dataDir);
  } finally {
    Deno.removeSync(dataDir, { recursive: true });
  }
}

export const texts = (addresses: readonly { family: 4 | 6; value: bigint }[]) =>
  addresses.map(formatAddress);

/** Everything in the store's folder and what it holds. */
export function files(dataDir: string): Record<string, string> {
  const folder = `${dataDir}/${network}`;
  const found: Record<string, string> = {};
  for (const { name } of Deno.readDirSync(folder)) {
    found[name] = Deno.readTextFileSync(`${folder}/${name}`);
  }
  return found;
}

/** What a lease or a cursor is for someone who writes it by hand. */
export function put(dataDir: string, name: string, text: string): void {
  Deno.mkdirSync(`${dataDir}/${network}`, { recursive: true });
  Deno.writeTextFileSync(`${dataDir}/${network}/${name}`, text);
}
