/** What only shows when the values of a cluster file are looked at side by side. */
import type { Draft } from "./check.ts";
import {
  type Cidr,
  compare,
  contains,
  containsAddress,
  end,
  type Family,
  familyOf,
  formatAddress,
  overlaps,
  parseAddress,
  parseCidr,
} from "./cidr.ts";
import type { Path, Reading } from "./cluster_file.ts";
import { type InFile, nodeMaskOf } from "./cluster_schema.ts";

/** Notes what does not fit together, in what is right by itself. */
export function checkTogether(value: Draft<InFile>, reading: Reading): void {
  checkFamilies(value, reading);
  checkMasks(value, reading);
  checkMtu(value, reading);
  checkNodes(value, reading);
  checkPodCIDRs(value, (node, at, message) => {
    const path: Path = ["nodes", node, "podCIDRs"];
    reading.wrong(at === undefined ? path : [...path, at], message);
  });
  if (value.provider === "lab") checkSegment(value, reading);
}

/** The elements of a list that are there, with their places. */
function present<T>(
  list: readonly (T | undefined)[] | undefined,
): (readonly [at: number, value: T])[] {
  return (list ?? []).flatMap((value, at) =>
    value === undefined ? [] : [[at, value] as const]
  );
}

function checkFamilies({ clusterCIDR }: Draft<InFile>, reading: Reading): void {
  if (clusterCIDR?.length === 0) {
    reading.wrong(["clusterCIDR"], "[] is empty; expected at least one CIDR");
  }
  const seen = new Map<Family, string>();
  for (const [at, text] of present(clusterCIDR)) {
    const first = seen.get(familyOf(text));
    if (first === undefined) seen.set(familyOf(text), text);
    else {
      reading.wrong(
        ["clusterCIDR", at],
        `${text} is of the same family as ${first}; expected one IPv4 and one IPv6 at most`,
      );
    }
  }
}

/**
 * A node's mask is as long as the cluster's or longer, by 16 bits at most: so
 * want kube-controller-manager and kubeadm's check of podSubnet.
 */
function checkMasks(value: Draft<InFile>, reading: Reading): void {
  const { clusterCIDR, nodeMask, nodes } = value;
  if (nodeMask && clusterCIDR && nodeMask.length !== clusterCIDR.length) {
    reading.wrong(
      ["nodeMask"],
      `there are ${nodeMask.length}; expected one for each clusterCIDR, ${clusterCIDR.length}`,
    );
    return;
  }
  for (const [at, text] of present(clusterCIDR)) {
    if (nodeMask !== undefined && nodeMask[at] === undefined) continue;
    const { prefixLength, family } = parseCidr(text);
    const mask = nodeMaskOf(value, text, at);
    const most = Math.min(prefixLength + 16, family === 4 ? 30 : 126);
    const subnets = 2 ** (mask - prefixLength);
    const said = nodeMask === undefined
      ? `the default of ${mask}`
      : String(mask);
    if (mask < prefixLength || mask > most) {
      reading.wrong(
        nodeMask === undefined ? ["clusterCIDR", at] : ["nodeMask", at],
        nodeMask === undefined
          ? `${text} does not fit nodeMask's default of ${mask}; expected a nodeMask from ${prefixLength} to ${most}`
          : `${said} does not fit the clusterCIDR ${text}; expected ${prefixLength} to ${most}`,
      );
    } else if (nodes !== undefined && subnets < nodes.length) {
      reading.wrong(
        nodeMask === undefined ? ["clusterCIDR", at] : ["nodeMask", at],
        `${text} holds ${subnets} podCIDRs of /${mask}; expected ${nodes.length}, one for each node`,
      );
    }
  }
}

/** RFC 8200, section 5: no link of IPv6 has an MTU below 1280. */
function checkMtu({ mtu, clusterCIDR }: Draft<InFile>, reading: Reading): void {
  const least = present(clusterCIDR).some(([, text]) => familyOf(text) === 6)
    ? 1280
    : 68;
  if (mtu === undefined || mtu >= least) return;
  reading.wrong(
    ["mtu"],
    `${mtu} is too small for IPv6; expected ${least} or more`,
  );
}

function checkNodes(
  { nodes, provider }: Draft<InFile>,
  reading: Reading,
): void {
  if (nodes === undefined) return;
  const names = new Map<string, number>();
  const addresses = new Map<bigint, number>();
  for (const [at, { name, address }] of present(nodes)) {
    if (name !== undefined) {
      const first = names.get(name);
      if (first === undefined) names.set(name, at);
      else {
        reading.wrong(
          ["nodes", at, "name"],
          `${name} is the name of nodes[${first}] too; expected a name of its own`,
        );
      }
    }
    if (address !== undefined) {
      const first = addresses.get(parseAddress(address));
      if (first === undefined) addresses.set(parseAddress(address), at);
      else {
        reading.wrong(
          ["nodes", at, "address"],
          `${address} is the address of nodes[${first}] too; expected an address of its own`,
        );
      }
    }
  }
  if (provider === "local" && nodes.length > 1) {
    reading.wrong(
      ["nodes"],
      `there are ${nodes.length}; expected one, since provider: local is this very machine`,
    );
  }
  // A role that is wrong has been told; it may be the one that is looked for.
  if (nodes.some((node) => node?.role === undefined)) return;
  const leaders = nodes.filter((node) => node?.role === "control-plane");
  if (leaders.length === 1) return;
  reading.wrong(
    ["nodes"],
    leaders.length === 0
      ? "there is no control plane; expected one node with role: control-plane"
      : `there are ${leaders.length} with role: control-plane; expected one, more are not supported`,
  );
}

/** What checkPodCIDRs() looks at. */
type WithPodCIDRs = Pick<Draft<InFile>, "clusterCIDR" | "nodes">;

interface Owned {
  readonly text: string;
  readonly cidr: Cidr;
  readonly owner: string;
  readonly node: number;
  readonly at: number;
}

/**
 * The nodes' podCIDRs lie in the clusterCIDR and apart, one for each family.
 *
 * @param wrong told of each mistake, with the places of the node and of the podCIDR in its list
 */
export function checkPodCIDRs(
  { clusterCIDR, nodes }: WithPodCIDRs,
  wrong: (node: number, at: number | undefined, message: string) => void,
): void {
  const clusters = present(clusterCIDR).map(([, text]) => parseCidr(text));
  // A clusterCIDR that is wrong has been told; what should lie in it is unknown.
  const known = clusterCIDR !== undefined && clusters.length > 0 &&
    clusters.length === clusterCIDR.length;
  const all = present(nodes).flatMap(([node, { name, podCIDRs }]) =>
    present(podCIDRs).map(([at, text]): Owned => ({
      text,
      cidr: parseCidr(text),
      owner: name ?? `nodes[${node}]`,
      node,
      at,
    }))
  );
  if (known) {
    for (const { text, cidr, node, at } of all) {
      const cluster = clusters.find(({ family }) => family === cidr.family);
      if (cluster === undefined) {
        wrong(
          node,
          at,
          `${text} is IPv${cidr.family}; the clusterCIDR ${
            clusterCIDR.join(", ")
          } is not`,
        );
      } else if (!contains(cluster, cidr)) {
        wrong(
          node,
          at,
          `${text} lies outside the clusterCIDR ${clusterCIDR.join(", ")}`,
        );
      }
    }
    for (const [node, { podCIDRs }] of present(nodes)) {
      if (podCIDRs === undefined) continue;
      const families = podCIDRs.map((text) => text && familyOf(text));
      const twice = families.findIndex((family, at) =>
        family !== undefined && families.indexOf(family) !== at
      );
      if (twice >= 0) {
        wrong(
          node,
          twice,
          `${podCIDRs[twice]} is a second one of IPv${
            families[twice]
          }; expected one of each family`,
        );
      } else if (podCIDRs.length < clusterCIDR.length) {
        wrong(
          node,
          undefined,
          `there are ${podCIDRs.length}; expected one for each clusterCIDR, ${clusterCIDR.length}`,
        );
      }
    }
  }
  for (const [one, other] of overlapping(all)) {
    wrong(
      one.node,
      one.at,
      `${one.text} overlaps ${other.text} of ${other.owner}`,
    );
  }
}

/** Pairs that have an address in common: the later in the file, and one before it. */
function* overlapping(all: readonly Owned[]): Generator<[Owned, Owned]> {
  const widest = new Map<Family, Owned>();
  const sorted = all.toSorted((a, b) =>
    compare(a.cidr.network, b.cidr.network) ||
    a.cidr.prefixLength - b.cidr.prefixLength || a.node - b.node || a.at - b.at
  );
  for (const one of sorted) {
    const { family } = one.cidr;
    const before = widest.get(family);
    if (before !== undefined && overlaps(before.cidr, one.cidr)) {
      const isLater = one.node > before.node ||
        (one.node === before.node && one.at > before.at);
      yield isLater ? [one, before] : [before, one];
    } else widest.set(family, one);
  }
}

/** The lab's segment: who is on it, and who is not. */
function checkSegment(value: Draft<InFile>, reading: Reading): void {
  const { segmentCIDR, outside } = value;
  if (segmentCIDR === undefined) return;
  const segment = parseCidr(segmentCIDR);
  for (const [at, text] of present(value.clusterCIDR)) {
    if (!overlaps(segment, parseCidr(text))) continue;
    reading.wrong(
      ["clusterCIDR", at],
      `${text} overlaps the segment ${segmentCIDR}; expected addresses of the pods' own`,
    );
  }
  const beOnSegment = (path: Path, address: string): boolean => {
    const value = containsAddress(segment, address)
      ? parseAddress(address)
      : undefined;
    const usable = value !== undefined && value !== segment.network &&
      value !== end(segment) - 1n;
    if (usable) return true;
    const last = formatAddress(end(segment) - 2n, segment.family);
    const first = formatAddress(segment.network + 1n, segment.family);
    reading.wrong(
      path,
      `${address} is no host address of the segment ${segmentCIDR}; expected one from ${first} to ${last}`,
    );
    return false;
  };
  const gateway = outside?.gateway;
  if (gateway !== undefined) beOnSegment(["outside", "gateway"], gateway);
  for (const [at, { address }] of present(value.nodes)) {
    if (address === undefined) continue;
    const path: Path = ["nodes", at, "address"];
    if (!beOnSegment(path, address) || gateway === undefined) continue;
    if (parseAddress(address) !== parseAddress(gateway)) continue;
    reading.wrong(
      path,
      `${address} is the outside host's (outside.gateway); expected an address of its own`,
    );
  }
  const beyond = outside?.address;
  if (beyond === undefined) return;
  const ranges = [segmentCIDR, ...present(value.clusterCIDR).map(([, c]) => c)];
  for (const range of ranges) {
    if (!containsAddress(parseCidr(range), beyond)) continue;
    reading.wrong(
      ["outside", "address"],
      `${beyond} lies in ${range}; expected an address beyond the nodes and the pods`,
    );
  }
}
