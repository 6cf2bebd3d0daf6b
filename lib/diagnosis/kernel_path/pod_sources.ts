/** Addresses that a pod sends from and that no answer finds. Pure. */
import { familyOf } from "../../net/cidr.ts";
import { cmd } from "../../exec/command.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { networkHas } from "../../net/route_match.ts";
import { type KernelSurvey, listsIn } from "./survey.ts";

/** A route as `ip -j route` has it, as far as it chooses a source. */
interface SourceRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly prefsrc?: string;
}

/** Routes by which a pod sends from another address than its podCIDR's (ip-route(8), src). */
export function sourceObstacles(
  survey: KernelSurvey,
  { cluster: { nodes } }: Traffic,
): readonly Obstacle[] {
  const { space, parts } = survey;
  const podCIDRs = nodes.find(({ name }) => name === space.node)?.podCIDRs ??
    [];
  if (space.pod === undefined) return [];
  return listsIn<SourceRoute>(survey, "routes").flatMap((route) => {
    const { dst, gateway, dev, prefsrc } = route;
    const own = podCIDRs.filter((podCIDR) =>
      prefsrc !== undefined && familyOf(podCIDR) === familyOf(prefsrc)
    );
    const isStrange = prefsrc !== undefined && gateway !== undefined &&
      own.length > 0 && !own.some((podCIDR) => networkHas(podCIDR, prefsrc));
    if (!isStrange) return [];
    const line = (parts.get("routes.text") ?? "").split("\n").find((line) =>
      line.startsWith(`${dst} `) && line.includes(` src ${prefsrc}`)
    );
    return [{
      kind: "source" as const,
      is: "loses" as const,
      space,
      what: `${spaceName(space)} sends from ${prefsrc}, which is no address ` +
        `of its podCIDR ${own.join(", ")}: no answer finds its way back`,
      evidence: [shownIn(
        space,
        cmd`ip route show ${dst}`,
        line?.trim() ?? `${dst} via ${gateway} src ${prefsrc}`,
      )],
      remedies: [mendIn(
        space,
        cmd`ip route replace ${dst} via ${gateway} ${
          dev === undefined ? [] : ["dev", dev]
        }`,
      )],
    }];
  });
}
