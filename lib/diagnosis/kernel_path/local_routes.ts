/** Routes by which a machine takes for its own what is somebody else's. Pure. */
import { cmd } from "../../exec/command.ts";
import {
  mendIn,
  type Obstacle,
  ownerOfPod,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { networkHas } from "../../net/route_match.ts";
import { ownAddresses } from "./packets.ts";
import { type KernelSurvey, listsIn } from "./survey.ts";

/** A route of the table local (ip-route(8)). */
interface LocalRoute {
  readonly dst: string;
  readonly dev?: string;
  readonly protocol?: string;
}

/** Local routes that no address brought, and that are met by these packets. */
export function localRouteObstacles(
  survey: KernelSurvey,
  { cluster, flows }: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  const own = ownAddresses(survey);
  const asked = new Set(flows.map(({ destination }) => destination));
  return listsIn<LocalRoute>(survey, "local").flatMap((route) => {
    const { dst, dev = "lo", protocol } = route;
    // The kernel writes down one for each address of a link.
    const taken = protocol === "kernel"
      ? undefined
      : [...asked].find((one) => !own.has(one) && networkHas(dst, one));
    if (taken === undefined) return [];
    const owner = ownerOfPod(cluster, taken);
    const whose = owner === undefined ? taken : `pods of ${owner.name}`;
    return [{
      kind: "address" as const,
      is: "loses" as const,
      space,
      what: `${spaceName(space)} has a route that takes what is for ${whose} ` +
        `for its own: local ${dst} dev ${dev}`,
      evidence: [shownIn(
        space,
        cmd`ip route show table local`,
        `local ${dst} dev ${dev}`,
      )],
      remedies: [mendIn(space, cmd`ip route del local ${dst} dev ${dev}`)],
    }];
  });
}
