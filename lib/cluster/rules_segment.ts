/** Whether the lab's machines are where they should be: on its segment, or beyond. */
import { type Draft, present } from "./validate.ts";
import {
  addressNumber,
  addressText,
  type Cidr,
  containsAddress,
  end,
  familyOf,
  formatCidr,
  overlaps,
  parseCidr,
} from "../net/cidr.ts";
import type { KeyPath, Reading } from "./yaml.ts";
import type { InFile } from "./schema.ts";

/** Notes who is on the segment and should not be, and the other way round. */
export function checkSegment(value: Draft<InFile>, reading: Reading): void {
  const { clusterCIDR, segmentCIDR, outside, nodes } = value;
  const segments = present(segmentCIDR);
  // A segment that is wrong has been told; who lies on it is unknown.
  if (segments.length === 0 || segments.length !== segmentCIDR?.length) return;
  const ranges = segments.map(([, text]) => parseCidr(text));
  for (const [at, text] of present(clusterCIDR)) {
    const cidr = parseCidr(text);
    const segment = ranges.find((range) => overlaps(range, cidr));
    if (segment === undefined) continue;
    reading.wrong(
      ["clusterCIDR", at],
      `${text} overlaps the segment ${
        formatCidr(segment)
      }; expected addresses of the pods' own`,
    );
  }
  const gateways = present(outside?.gateway);
  for (const [at, text] of gateways) {
    checkOnSegment(text, ranges, ["outside", "gateway", at], reading);
  }
  const taken = gateways.map(([, text]) => text);
  for (const [node, { address }] of present(nodes)) {
    for (const [at, text] of present(address)) {
      const path: KeyPath = ["nodes", node, "address", at];
      if (!checkOnSegment(text, ranges, path, reading)) continue;
      if (!taken.some((gateway) => sameAddress(gateway, text))) continue;
      reading.wrong(
        path,
        `${text} is the outside host's (outside.gateway); expected an address of its own`,
      );
    }
  }
  const inside = [...segments, ...present(clusterCIDR)].map(([, text]) => text);
  for (const [at, text] of present(outside?.address)) {
    const range = inside.find((cidr) => containsAddress(parseCidr(cidr), text));
    if (range === undefined) continue;
    reading.wrong(
      ["outside", "address", at],
      `${text} lies in ${range}; expected an address beyond the nodes and the pods`,
    );
  }
}

function sameAddress(a: string, b: string): boolean {
  return familyOf(a) === familyOf(b) && addressNumber(a) === addressNumber(b);
}

/** Is the address one that a machine on the segment can have? */
function checkOnSegment(
  address: string,
  segments: readonly Cidr[],
  path: KeyPath,
  reading: Reading,
): boolean {
  const family = familyOf(address);
  const segment = segments.find((segment) => segment.family === family);
  if (segment === undefined) {
    reading.wrong(
      path,
      `${address} is IPv${family}; the segment ${
        segments.map(formatCidr).join(", ")
      } is not`,
    );
    return false;
  }
  const value = addressNumber(address);
  const first = segment.network + 1n;
  // IPv6 has no broadcast address.
  const last = end(segment) - (family === 4 ? 2n : 1n);
  if (value >= first && value <= last) return true;
  reading.wrong(
    path,
    `${address} is no host address of the segment ${
      formatCidr(segment)
    }; expected one from ${addressText(first, family)} to ${
      addressText(last, family)
    }`,
  );
  return false;
}
