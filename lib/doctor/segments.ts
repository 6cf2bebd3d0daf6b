/** The doctor's check of the ways between a lab's segments. Pure. */
import type { ClusterNode } from "../cluster/cluster.ts";
import type { Cause } from "../diagnosis/cause.ts";
import type { OwnFacts } from "../diagnosis/segments/own_way.ts";
import { routerWidth } from "../diagnosis/segments/router_width.ts";
import { waysBetween } from "../diagnosis/segments/way.ts";
import { wayFault } from "../diagnosis/segments/way_fault.ts";
import type { Family } from "../net/cidr.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
} from "./check.ts";

export const segmentCheck: Check = {
  name: "segments",
  well: "the nodes of other segments are reached by the router between them",
  read(context) {
    const { cluster, node } = context;
    if (cluster.segments === undefined) {
      return [{ is: "does not apply", what: "the cluster has one segment" }];
    }
    const found = cluster.nodes.filter(({ name }) => name !== node.name)
      .flatMap((far) =>
        waysCause(context, far) ?? narrowCause(context, far) ?? []
      );
    // What keeps it from several nodes is mended once.
    const told = new Map(
      found.toReversed().map((cause) => [
        JSON.stringify([cause.on, cause.remedies]),
        cause,
      ]),
    );
    return [...told.values()].toReversed().map((
      { what, evidence, remedies },
    ): Finding => (
      { is: "fault", what, evidence, remedies }
    ));
  },
};

/**
 * What keeps the node from another one, or its pods; undefined where that is not
 * between the segments.
 */
export function waysCause(
  context: CheckContext,
  { name }: Pick<ClusterNode, "name">,
): Cause | undefined {
  for (const { cluster, ways } of waysTo(context, name)) {
    const factsOf = (name: string) => factsIn(context, name);
    const found = wayFault(cluster, ways, context.router, factsOf);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A link of the router that loses long packets between the node and another one. */
export function narrowCause(
  context: CheckContext,
  { name }: Pick<ClusterNode, "name">,
): Cause | undefined {
  for (const { cluster, ways } of waysTo(context, name)) {
    const found = routerWidth(cluster, ways, context.router);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The ways from the node to another one, and to its pods, by family. */
function waysTo(context: CheckContext, name: string) {
  return byFamily(context).flatMap(({ cluster, node }) => {
    const far = cluster.nodes.find((one) => one.name === name);
    if (far === undefined) return [];
    const ways = [true, false].flatMap((pods) =>
      waysBetween(cluster, node, far, pods)
    );
    return [{ cluster, ways }];
  });
}

/** What the inventory has of a node; undefined where it could not be read. */
function factsIn(
  { nodes }: CheckContext,
  name: string,
): OwnFacts | undefined {
  const host = nodes.find((node) => node.name === name)?.host;
  if (host?.is !== "read") return undefined;
  const routesOf = (family: Family) =>
    host.routes.filter((route) => route.family === family)
      .map(({ type, to, via, dev, protocol }) => ({
        dst: to,
        ...(type === undefined ? {} : { type }),
        ...(via === undefined ? {} : { gateway: via }),
        ...(dev === undefined ? {} : { dev }),
        ...(protocol === undefined ? {} : { protocol }),
      }));
  return { links: host.links, routes: { 4: routesOf(4), 6: routesOf(6) } };
}
