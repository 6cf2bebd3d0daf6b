/** The router between a lab's segments as a speaker of BGP, which learns where pods are. */
import { routerConf, routerSessions } from "../bgp/bird_conf.ts";
import { routesThere } from "../bgp/routes_there.ts";
import { speakerSteps } from "../bgp/steps.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { routerName } from "../cluster/segments.ts";
import type { Command } from "../exec/command.ts";
import { isCleanup, type Step } from "../stage/stage.ts";
import { labNode } from "./node.ts";

/** The steps, for the operator's machine; none where it is no peer of a node. */
export function routerBird(cluster: Cluster): Step[] {
  const conf = routerConf(cluster);
  if (conf === undefined) return [];
  const { enter } = labNode(cluster, routerName);
  const there = (command: Command): Command => ({
    ...enter(command),
    label: `${routerName}: ${command.label ?? command.argv.join(" ")}`,
  });
  return speakerSteps(cluster, () => conf).map((step): Step => {
    const { run, doneWhen, undo, key } = step;
    return {
      ...step,
      key: `${routerName}: ${key}`,
      ...(doneWhen === undefined
        ? {}
        : { doneWhen: { ...doneWhen, ask: there(doneWhen.ask) } }),
      run: "copy" in run ? run : there(run),
      ...(undo === undefined || typeof undo === "function"
        ? {}
        : isCleanup(undo)
        ? { undo: { cleanup: there(undo.cleanup) } }
        : { undo: there(undo) }),
    };
  });
}

/** The step that waits until the router knows the ways to the pods; none where it is no peer. */
export function routerRoutes(
  cluster: Cluster,
  selected: readonly string[] | undefined,
): Step[] {
  if (routerConf(cluster) === undefined) return [];
  const { enter } = labNode(cluster, routerName);
  const sessions = () => routerSessions(cluster);
  const place = { name: routerName, sessions, enter };
  return [routesThere(cluster, place, selected)];
}
