/** How full the subnets of a node's networks are, for Prometheus. */

import { type Address, contains, formatSubnet } from "../address/address.ts";
import { defaultDataDir } from "../cni/config.ts";
import { parseSubnets } from "../cni/config_addresses.ts";
import { isObject, type Json, type JsonObject } from "../cni/json.ts";
import { poolsOf } from "../ipam.ts";
import { addressesIn, takenIn } from "../leases/bitmap.ts";
import { poolSize } from "../leases/round_robin.ts";
import { FileError } from "../linux/file_error.ts";
import { SystemError } from "../linux/libc.ts";
import { labelPairs, metric } from "./figures.ts";

/** Where container runtimes read network configurations. */
const configFolder = "/etc/cni/net.d";

/**
 * Used and free addresses of each subnet of each network of this plugin's, by
 * what is configured on the node.
 */
export function leasesText(folder: string = configFolder): string {
  const used: [string, number][] = [];
  const free: [string, number][] = [];
  for (const network of networksIn(folder)) {
    for (const pool of poolsOf(network.subnets)) {
      const { subnet } = pool;
      const taken = network.taken.filter((address) =>
        contains(subnet, address)
      );
      const key = labelPairs({
        network: network.name,
        subnet: formatSubnet(subnet),
      });
      used.push([`{${key}}`, taken.length]);
      free.push([`{${key}}`, Number(poolSize(pool)) - taken.length]);
    }
  }
  return metric(
    "deno_cni_addresses_used",
    "gauge",
    "Addresses that pods hold.",
    used,
  ) +
    metric(
      "deno_cni_addresses_free",
      "gauge",
      "Addresses left for pods.",
      free,
    );
}

function networksIn(folder: string) {
  return configurationsIn(folder).flatMap((config) => {
    try {
      const name = `${config.name}`;
      const dataDir = `${config.dataDir ?? defaultDataDir}`;
      const subnets = parseSubnets(config, false);
      return [{ name, subnets, taken: takenBy(`${dataDir}/${name}`) }];
    } catch {
      return []; // No network of ours that could have pods: STATUS says what is wrong with it.
    }
  });
}

function takenBy(store: string): Address[] {
  try {
    return [...addressesIn(takenIn(store).blocks)];
  } catch (error) {
    // No ADD has made it yet.
    if (error instanceof SystemError || error instanceof FileError) return [];
    throw error;
  }
}

function configurationsIn(folder: string): JsonObject[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch {
    return []; // A node without network configurations.
  }
  return names.filter((name) => /\.(conf|conflist|json)$/.test(name))
    .flatMap((name) => {
      try {
        return ownIn(JSON.parse(Deno.readTextFileSync(`${folder}/${name}`)));
      } catch {
        return []; // No JSON, or gone again.
      }
    });
}

/** This plugin's configurations in a file: the only one, or some of a list, which has the name. */
function ownIn(file: Json): JsonObject[] {
  if (!isObject(file)) return [];
  const all = Array.isArray(file.plugins) ? file.plugins : [file];
  return all.filter(isObject).filter(({ type }) => type === "deno-cni")
    .map((config) => ({ ...config, name: file.name }));
}
