/** What keeps packets from getting from one machine of a lab to another. Pure. */
import type { Cluster } from "../../cluster/cluster.ts";
import type { Cause } from "../cause.ts";
import { type OwnFacts, ownWayFault } from "./own_way.ts";
import type { RouterAnswer } from "./router_answer.ts";
import { routerFault } from "./router_fault.ts";
import type { SegmentWay } from "./way.ts";

/**
 * The fault of these ways: of what the ends' machines have for it, then of the
 * router. None where the lab has no segments.
 *
 * @param factsOf what a machine has; undefined where it was not asked
 */
export function wayFault(
  cluster: Cluster,
  ways: readonly SegmentWay[],
  router: RouterAnswer | undefined,
  factsOf: (name: string) => OwnFacts | undefined,
): Cause | undefined {
  if (cluster.segments === undefined) return undefined;
  for (const way of ways) {
    const { from, to } = way;
    // Without the router, links are gone, and routes with them.
    const cut = router?.is === "gone"
      ? routerFault(cluster, router, way)
      : undefined;
    if (cut !== undefined) return cut;
    for (const [own, far] of [[from, to], [to, from]] as const) {
      const facts = factsOf(own.name);
      const found = facts && ownWayFault(cluster, facts, own, far);
      if (found !== undefined) return found;
    }
    const found = router && routerFault(cluster, router, way);
    if (found !== undefined) return found;
  }
  return undefined;
}
