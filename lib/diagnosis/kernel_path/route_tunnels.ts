/** Routes that put packets into a tunnel of somebody else's. Pure. */
import { cmd } from "../../exec/command.ts";
import { networkHas } from "../../net/route_match.ts";
import {
  mendIn,
  type Obstacle,
  ownerOfPod,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import type { KernelSurvey } from "./survey.ts";

/**
 * Routes that put packets into a tunnel (ip-route(8), encap). ip's JSON has the
 * tunnel's destination in the place of the route's.
 */
export function tunnelObstacles(
  { space, parts }: KernelSurvey,
  { cluster, flows }: Traffic,
): readonly Obstacle[] {
  const lines = (parts.get("routes.text") ?? "").matchAll(
    /^(\S+) +encap (\S+) .*$/gm,
  );
  return [...lines].flatMap(([line, dst = "", kind = ""]) => {
    const taken = dst === "default"
      ? undefined
      : flows.find((flow) => networkHas(dst, flow.destination));
    if (taken === undefined) return [];
    const owner = ownerOfPod(cluster, taken.destination)?.name;
    return [{
      kind: space.pod === undefined ? "route" as const : "pod-route" as const,
      is: "loses" as const,
      space,
      what: `${spaceName(space)} has a route that puts what is for ` +
        `${owner === undefined ? taken.destination : `pods of ${owner}`} ` +
        `into a tunnel: ${dst} encap ${kind}`,
      evidence: [shownIn(space, cmd`ip route show ${dst}`, line.trim())],
      remedies: [mendIn(space, cmd`ip route del ${dst}`)],
    }];
  });
}
