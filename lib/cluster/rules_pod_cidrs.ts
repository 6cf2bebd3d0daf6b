/** Whether the nodes' podCIDRs fit the clusterCIDR and each other. */
import { type Draft, present } from "./validate.ts";
import {
  type Cidr,
  compare,
  containsCidr,
  type Family,
  familyOf,
  overlaps,
  parseCidr,
} from "../net/cidr.ts";
import type { InFile } from "./schema.ts";

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
      } else if (!containsCidr(cluster, cidr)) {
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
