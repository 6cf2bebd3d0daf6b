#!/usr/bin/env -S deno run -A
/**
 * Stage 08: tells every node which node owns which podCIDR.
 * Afterwards `ip route` shows a route for every other node's podCIDR.
 */
import { familyOf, ofFamily } from "../lib/cidr.ts";
import { main } from "../lib/main.ts";
import { cmd } from "../lib/command.ts";
import { routeIs, routeProtocol } from "../lib/probe.ts";
import type { Stage } from "../lib/step.ts";

export const routes: Stage = {
  name: "08-routes",
  summary: "tell every node which node owns which podCIDR",
  afterwards: `ip route show proto ${routeProtocol}`,
  needsPodCIDRs: true,
  steps: ({ node, cluster }) =>
    cluster.nodes
      .filter((other) => other.name !== node.name)
      .flatMap((other) =>
        other.podCIDRs.map((podCIDR) => {
          const via = ofFamily(other.addresses, familyOf(podCIDR)) ??
            other.address;
          return {
            why: `Pods of ${other.name} are reached through ${other.name}`,
            unless: routeIs(podCIDR, via),
            run:
              cmd`ip route replace ${podCIDR} via ${via} proto ${routeProtocol}`,
            undo:
              cmd`ip route del ${podCIDR} via ${via} proto ${routeProtocol}`,
          };
        })
      ),
};

if (import.meta.main) await main(routes);
