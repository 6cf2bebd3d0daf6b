#!/usr/bin/env -S deno run -A
/**
 * Stage 08: tells every node which node owns which podCIDR, or the router of
 * the cloud that the nodes are in. Afterwards `ip route` shows a route for every
 * other node's podCIDR, or the cloud's route table one for each.
 */
import { familyOf, ofFamily } from "../lib/net/cidr.ts";
import { cloudRoutes } from "../lib/cloud/routes.ts";
import { main } from "../lib/cli/stage_script.ts";
import { cmd } from "../lib/exec/command.ts";
import { kubernetesLines } from "../lib/kubernetes/remarks.ts";
import { routeByOwner } from "../lib/steps/route_by_owner.ts";
import { routeProtocol } from "../lib/steps/probes.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { beforeRoutesGo } from "../lib/kubernetes/undo_consent.ts";
import type { Plan, Step } from "../lib/stage/stage.ts";

/** What a node has to know of the others. */
function hostRoutes({ node, cluster }: Plan): Step[] {
  return cluster.nodes
    .filter((other) => other.name !== node.name)
    .flatMap((other) =>
      other.podCIDRs.map((podCIDR): Step => {
        const family = familyOf(podCIDR);
        const via = ofFamily(other.addresses, family) ?? other.address;
        return {
          why: `Pods of ${other.name} are reached through ${other.name}`,
          independent: true,
          // Made when it is asked for: a plan for 1,000 nodes has a million steps.
          get doneWhen() {
            return routeByOwner(podCIDR, other.name, via);
          },
          run:
            cmd`ip route replace ${podCIDR} via ${via} proto ${routeProtocol}`,
          // Unlike del, flush has no objection where a reboot has been before it.
          get undo() {
            const route = [podCIDR, "via", via, "proto", routeProtocol];
            return cmd`ip -${family} route flush exact ${route}`;
          },
        };
      })
    );
}

export const routes = alsoAtBoot({
  name: "08-routes",
  summary:
    "tell every node, or the cloud's router, which node owns which podCIDR",
  afterwards: ({ clusterCIDRs: [first = ""], routes }) =>
    routes !== "host" ? undefined : {
      on: "node",
      run: cmd`ip ${
        first.includes(":") ? ["-6"] : []
      } route show proto ${routeProtocol}`,
    },
  needsPodCIDRs: true,
  operator: { steps: cloudRoutes },
  followUp: {
    report: async (cluster, nodeOf, options) =>
      (await kubernetesLines(cluster, nodeOf, options)).join("\n"),
    afterUndo: () => [],
  },
  beforeUndo: beforeRoutesGo,
  steps: (plan) => plan.cluster.routes === "host" ? hostRoutes(plan) : [],
});

if (import.meta.main) await main(routes);
