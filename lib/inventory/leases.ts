/** A node's leases, read from the files of its stores. Pure. */
import { addressOrUndefined } from "../../plugin/address/address.ts";
import { parseLease } from "../../plugin/leases/lease_file.ts";

/** An address that an attachment holds. */
export interface Lease {
  readonly address: string;
  /** The network's name. */
  readonly network: string;
  readonly containerID: string;
  /** "" in a lease of the oldest format. */
  readonly ifname: string;
  /** Its file. */
  readonly path: string;
}

/** A lease's file that names no attachment: its writer died, or it is no lease. */
export interface BrokenLease {
  readonly address: string;
  readonly network: string;
  readonly path: string;
}

/**
 * Reads what `grep -H ''` printed of the leases' files, `<store>/<network>/<address>`.
 *
 * @returns a lease a file, in the order of their paths
 */
export function readLeases(text: string): readonly (Lease | BrokenLease)[] {
  const contents = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    // An address may have colons; what a lease's first line holds has none.
    const [, path, content] = /^(\/.*\/[^/]+\/[0-9a-f.:]+):([^:]*)$/
      .exec(line) ?? [];
    if (path === undefined || content === undefined) continue;
    if (addressOrUndefined(path.replace(/.*\//, "")) === undefined) continue;
    contents.set(path, [...contents.get(path) ?? [], content]);
  }
  const sorted = [...contents].toSorted(([a], [b]) => a < b ? -1 : 1);
  return sorted.map(([path, lines]) => {
    const [network = "", address = ""] = path.split("/").slice(-2);
    const owner = parseLease(lines.join("\n"));
    return typeof owner === "string"
      ? { address, network, path }
      : { address, network, path, ...owner };
  });
}

/** Whether it names an attachment. */
export function isLease(lease: Lease | BrokenLease): lease is Lease {
  return "containerID" in lease;
}
