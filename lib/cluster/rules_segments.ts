/** Whether a lab's segments are apart, and every machine on one of them. */
import { type Draft, present } from "./validate.ts";
import {
  containsAddress,
  formatCidr,
  overlaps,
  parseCidr,
} from "../net/cidr.ts";
import type { KeyPath, Reading } from "./yaml.ts";
import { type InFile, usualSegment } from "./schema.ts";
import { routerName } from "./segments.ts";
import {
  checkOutside,
  checkSegment,
  isSameAddress,
  outsideOnSegment,
} from "./rules_segment.ts";

/** Notes the nodes that are on a segment of the lab and should not be, and the other way round. */
export function checkOnSegments(value: Draft<InFile>, reading: Reading): void {
  const { provider, segments, segmentCIDR, outside } = value;
  if (segments !== undefined && provider !== "lab") {
    reading.wrong(
      ["segments"],
      "is for a lab, whose segments stage 01 makes; " +
        `expected none with provider: ${provider}`,
    );
  }
  if (provider !== "lab") return;
  if (segments === undefined) {
    const gateways = outside?.gateway;
    checkSegment({ ...value, gateways }, reading, outsideOnSegment);
    checkOutside(value, segmentCIDR ?? [], reading);
  } else checkSegments({ ...value, segments }, reading);
}

type Segments = NonNullable<Draft<InFile>["segments"]>;
type Segmented = Draft<InFile> & { readonly segments: Segments };

function checkSegments(value: Segmented, reading: Reading): void {
  const { segments, segmentCIDR, nodes } = value;
  if (segmentCIDR !== usualSegment) {
    reading.wrong(
      ["segmentCIDR"],
      "is for a lab of one segment; expected it as the first of segments",
    );
  }
  if (segments.length === 1) {
    reading.wrong(
      ["segments"],
      "there is 1; expected two or more, or segmentCIDR in its place",
    );
  }
  const named = present(nodes).find(([, { name }]) => name === routerName);
  if (named !== undefined) {
    reading.wrong(
      ["nodes", named[0], "name"],
      `${routerName} is taken for the machine between the segments; expected another name`,
    );
  }
  checkApart(segments, reading);
  checkMtus(value, reading);
  for (const [at, { cidr, router }] of present(segments)) {
    checkSegment(
      {
        ...value,
        segmentCIDR: cidr,
        gateways: router,
        nodes: (nodes ?? []).map((node) =>
          segmentOf(node?.address, segments) === at ? node : undefined
        ),
      },
      reading,
      {
        path: ["segments", at, "router"],
        whose: `the router's (segments[${at}].router)`,
      },
    );
  }
  checkOutsideGateway(value, reading);
  checkNodesOn(value, reading);
  const all = segments.flatMap((segment) => segment?.cidr ?? []);
  checkOutside(value, all, reading);
}

function textsOf(segment: Segments[number]): readonly string[] {
  return present(segment?.cidr).map(([, text]) => text);
}

/** The place of the segment that the first of the addresses is on. */
function segmentOf(
  addresses: readonly (string | undefined)[] | undefined,
  segments: Segments,
): number | undefined {
  const [first] = present(addresses);
  if (first === undefined) return undefined;
  const at = segments.findIndex((segment) =>
    textsOf(segment).some((cidr) => containsAddress(parseCidr(cidr), first[1]))
  );
  return at < 0 ? undefined : at;
}

function checkApart(segments: Segments, reading: Reading): void {
  const all = present(segments).flatMap(([segment, { cidr }]) =>
    present(cidr).map(([at, text]) => ({ segment, at, text }))
  );
  for (const [place, { segment, at, text }] of all.entries()) {
    const before = all.slice(0, place).find((one) =>
      one.segment !== segment && overlaps(parseCidr(one.text), parseCidr(text))
    );
    if (before === undefined) continue;
    reading.wrong(
      ["segments", segment, "cidr", at],
      `${text} overlaps segments[${before.segment}], ${
        formatCidr(parseCidr(before.text))
      }; expected segments that have no address in common`,
    );
  }
}

/** RFC 8200, section 5: no link of IPv6 has an MTU below 1280. */
function checkMtus({ segments }: Segmented, reading: Reading): void {
  for (const [at, { mtu, cidr }] of present(segments)) {
    const hasSix = present(cidr).some(([, text]) => text.includes(":"));
    if (mtu === undefined || mtu >= 1280 || !hasSix) continue;
    reading.wrong(
      ["segments", at, "mtu"],
      `${mtu} is too small for IPv6; expected 1280 or more`,
    );
  }
}

/** The outside host is on the first segment, and so is the router. */
function checkOutsideGateway(
  { segments, outside, nodes }: Segmented,
  reading: Reading,
): void {
  const [first] = segments;
  const routers = present(first?.router);
  const path: KeyPath = outsideOnSegment.path;
  checkSegment(
    { segmentCIDR: first?.cidr, gateways: outside?.gateway },
    reading,
    outsideOnSegment,
  );
  for (const [at, gateway] of present(outside?.gateway)) {
    if (!routers.some(([, text]) => isSameAddress(text, gateway))) continue;
    reading.wrong(
      [...path, at],
      `${gateway} is the router's (segments[0].router); expected an address of its own`,
    );
  }
  for (const [node, { address }] of present(nodes)) {
    for (const [at, text] of present(address)) {
      const same = present(outside?.gateway)
        .some(([, gateway]) => isSameAddress(gateway, text));
      if (!same) continue;
      reading.wrong(
        ["nodes", node, "address", at],
        `${text} is ${outsideOnSegment.whose}; expected an address of its own`,
      );
    }
  }
}

function checkNodesOn({ segments, nodes }: Segmented, reading: Reading): void {
  // Of a segment that is wrong, it is unknown who is on it.
  const unsure = segments.some((segment) =>
    segment === undefined || segment.cidr === undefined ||
    segment.cidr.length > textsOf(segment).length
  );
  if (unsure) return;
  for (const [node, { address, name }] of present(nodes)) {
    const [first] = present(address);
    if (first === undefined || segmentOf(address, segments) !== undefined) {
      continue;
    }
    const known = segments.map((segment) => textsOf(segment).join(", "));
    reading.wrong(
      ["nodes", node, "address", first[0]],
      `${first[1]} of ${name ?? `nodes[${node}]`} lies on no segment; ` +
        `expected an address of ${known.join(" or ")}`,
    );
  }
}
