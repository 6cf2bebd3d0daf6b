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
import { notOneMachines } from "./schema_address.ts";

/** Whose addresses on a segment no node can have. */
interface OnSegment {
  /** Where the file has them. */
  readonly path: KeyPath;
  /** For the message. */
  readonly whose: string;
}

/** The outside host, on the only segment. */
export const outsideOnSegment: OnSegment = {
  path: ["outside", "gateway"],
  whose: "the outside host's (outside.gateway)",
};

/** What checkSegment() looks at. */
interface OneSegment
  extends Pick<Draft<InFile>, "clusterCIDR" | "segmentCIDR" | "nodes"> {
  readonly gateways: readonly (string | undefined)[] | undefined;
}

/**
 * Notes the nodes that are on a segment and should not be, and the other way round.
 *
 * @param other what is on it and is no node: whose addresses `gateways` are
 */
export function checkSegment(
  value: OneSegment,
  reading: Reading,
  other: OnSegment,
): void {
  const { clusterCIDR, segmentCIDR, nodes } = value;
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
  const gateways = present(value.gateways);
  for (const [at, text] of gateways) {
    checkOnSegment(text, ranges, [...other.path, at], reading);
  }
  const taken = gateways.map(([, text]) => text);
  for (const [node, { address }] of present(nodes)) {
    for (const [at, text] of present(address)) {
      const path: KeyPath = ["nodes", node, "address", at];
      if (!checkOnSegment(text, ranges, path, reading)) continue;
      if (!taken.some((gateway) => isSameAddress(gateway, text))) continue;
      reading.wrong(
        path,
        `${text} is ${other.whose}; expected an address of its own`,
      );
    }
  }
}

/**
 * Notes an outside host that is not outside.
 *
 * @param segmentCIDRs of all segments
 */
export function checkOutside(
  { outside, clusterCIDR }: Draft<InFile>,
  segmentCIDRs: readonly (string | undefined)[],
  reading: Reading,
): void {
  const inside = [...present(segmentCIDRs), ...present(clusterCIDR)]
    .map(([, text]) => text);
  for (const [at, text] of present(outside?.address)) {
    const holds = (cidr: string) => containsAddress(parseCidr(cidr), text);
    const range = inside.find(holds);
    const other = notOneMachines.find(([cidr]) => holds(cidr));
    if (range === undefined && other === undefined) continue;
    reading.wrong(
      ["outside", "address", at],
      `${text} ${
        range === undefined ? `is ${other?.[1]}` : `lies in ${range}`
      }; expected an address beyond the nodes and the pods`,
    );
  }
}

/** Whether two texts name one address. */
export function isSameAddress(a: string, b: string): boolean {
  return familyOf(a) === familyOf(b) && addressNumber(a) === addressNumber(b);
}

/** Whether the address is one that a machine on the segment can have. */
export function checkOnSegment(
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
