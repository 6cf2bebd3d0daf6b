/** Whether a lab's segments are apart, and every machine on one of them. */
import { type Draft, present } from "./validate.ts";
import {
  containsAddress,
  familyOf,
  formatCidr,
  overlaps,
  parseCidr,
} from "../net/cidr.ts";
import type { KeyPath, Reading } from "./yaml.ts";
import { type InFile, usualSegment } from "./schema.ts";
import { routerName } from "./segments.ts";
import {
  checkOnSegment,
  checkOutside,
  checkSegment,
  isSameAddress,
  outsideOnSegment,
} from "./rules_segment.ts";

/** Notes the nodes that are on a segment of the lab and should not be, and the other way round. */
export function checkOnSegments(value: Draft<InFile>, reading: Reading): void {
  const { provider, segments, segmentCIDR, outside } = value;
  if (provider === undefined) return;
  if (segments !== undefined && provider !== "lab") {
    reading.wrong(
      ["segments"],
      "is for a lab, whose segments stage 01 makes; " +
        `expected none with provider: ${provider}`,
    );
  }
  if (provider !== "lab") return;
  if (segments !== undefined) checkSegments({ ...value, segments }, reading);
  else if (!("segments" in value)) {
    const gateways = outside?.gateway;
    checkSegment({ ...value, gateways }, reading, outsideOnSegment);
    checkOutside(value, segmentCIDR ?? [], reading);
  }
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
  checkMtus(value, reading);
  // Of a segment that is wrong, it is unknown who should be on it.
  const wrong = wrongSegments(value, reading);
  for (const [at, { cidr, router }] of present(segments)) {
    if (wrong.has(at)) continue;
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
  checkOutsideGateway(value, wrong, reading);
  if (wrong.size === 0) checkNodesOn(value, reading);
  const all = segments.flatMap((segment) => segment?.cidr ?? []);
  checkOutside(value, all, reading);
}

/** The places of the segments whose CIDRs are wrong; tells what was not told. */
function wrongSegments(
  { segments, clusterCIDR }: Segmented,
  reading: Reading,
): ReadonlySet<number> {
  const families = new Set(
    present(clusterCIDR).map(([, text]) => familyOf(text)),
  );
  const wrong = new Set(checkApart(segments, reading));
  for (const [at, segment] of segments.entries()) {
    const texts = textsOf(segment);
    const whole = texts.length === segment?.cidr?.length &&
      families.values().every((family) =>
        texts.some((text) => familyOf(text) === family)
      );
    if (!whole) wrong.add(at);
  }
  return wrong;
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

/** The places of the segments that overlap one before them. */
function checkApart(segments: Segments, reading: Reading): number[] {
  const all = present(segments).flatMap(([segment, { cidr }]) =>
    present(cidr).map(([at, text]) => ({ segment, at, text }))
  );
  return all.flatMap(({ segment, at, text }, place) => {
    const before = all.slice(0, place).find((one) =>
      one.segment !== segment && overlaps(parseCidr(one.text), parseCidr(text))
    );
    if (before === undefined) return [];
    reading.wrong(
      ["segments", segment, "cidr", at],
      `${text} overlaps segments[${before.segment}], ${
        formatCidr(parseCidr(before.text))
      }; expected segments that have no address in common`,
    );
    return [before.segment, segment];
  });
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
  wrong: ReadonlySet<number>,
  reading: Reading,
): void {
  if (wrong.has(0)) return;
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

/** Notes a router that is on no segment of the lab: no node can have a session with it. */
export function checkPeerOnSegment(
  value: Draft<InFile>,
  peer: string,
  path: KeyPath,
  reading: Reading,
): void {
  const { provider, segments, segmentCIDR } = value;
  const lists = "segments" in value
    ? segments?.map((segment) => segment?.cidr) ?? [undefined]
    : [segmentCIDR];
  const texts = lists.flatMap((list) => list ?? [undefined]);
  const known = present(texts).map(([, text]) => text);
  if (provider !== "lab" || known.length < texts.length) return;
  const own = known.find((text) => containsAddress(parseCidr(text), peer));
  if (own !== undefined) {
    checkOnSegment(peer, [parseCidr(own)], path, reading);
    return;
  }
  reading.wrong(
    path,
    `${peer} lies on no segment of the lab; expected an address of ${
      known.join(" or ")
    }`,
  );
}
