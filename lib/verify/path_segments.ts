/** The ways of a path between the segments of a lab. Pure. */
import type { Cause } from "../diagnosis/cause.ts";
import { ownFacts } from "../diagnosis/segments/own_way.ts";
import { waysBetween } from "../diagnosis/segments/way.ts";
import { wayFault } from "../diagnosis/segments/way_fault.ts";
import type { PathFindings } from "./diagnose_causes.ts";
import { endsAtPod, type Path } from "./matrix.ts";

/** What keeps the machines of a path from reaching each other at all. */
export function betweenSegments(
  path: Path,
  { cluster, facts, router }: PathFindings,
): Cause | undefined {
  const node = (name: string) => cluster.nodes.find((one) => one.name === name);
  const [one, other] = [node(path.from), node(path.to)];
  // Within a node, the address counts, which goes with the link.
  const isLinkless = router?.is === "gone" && path.from === path.to;
  if (one === undefined || path.from === path.to && !isLinkless) {
    return undefined;
  }
  const { outside: { address } } = cluster;
  const ways = other !== undefined && !isLinkless
    ? waysBetween(cluster, one, other, endsAtPod(path))
    : isLinkless || path.kind === "pod-to-outside"
    ? [{ from: one, to: { name: path.to, address } }]
    : [];
  return wayFault(
    cluster,
    ways,
    router,
    (name) => {
      const { kernel = [] } = facts.get(name) ?? {};
      return ownFacts(kernel.find(({ space }) => space.pod === undefined));
    },
  );
}
