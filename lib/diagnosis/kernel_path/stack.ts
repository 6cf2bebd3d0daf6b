/** What ends packets in the IP stack itself: IPsec, neighbours. Pure. */
import { cmd } from "../../exec/command.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { familiesOf } from "../../cluster/address_family.ts";
import { familyOf } from "../../net/cidr.ts";
import { networkHas } from "../../net/route_match.ts";
import { type KernelSurvey, listsIn } from "./survey.ts";

/** Policies of IPsec that block, or that want what no state can give (ip-xfrm(8)). */
export function ipsecObstacles(
  { space, parts }: KernelSurvey,
  { flows }: Traffic,
): readonly Obstacle[] {
  const hasStates = Number(parts.get("states") ?? "0") > 0;
  const policies = (parts.get("policies") ?? "").split(/^(?=src )/m)
    .flatMap((text): readonly Obstacle[] => {
      const [, source = "", destination = "", dir = ""] =
        /^src (\S+) dst (\S+).*\n\s*dir (\w+) /.exec(text) ?? [];
      const blocks = / action block /.test(text);
      const wants = /^\s*tmpl /m.test(text);
      const hit = source !== "" &&
        flows.some((flow) =>
          networkHas(source, flow.source) &&
          networkHas(destination, flow.destination)
        );
      if (!hit || (!blocks && !wants)) return [];
      const lines = text.trim().split("\n").map((line) => line.trim());
      return [{
        kind: "ipsec",
        is: blocks || !hasStates ? "loses" : "may lose",
        space,
        what: `an IPsec policy (${dir}) of ${spaceName(space)} ` +
          `${blocks ? "blocks" : "wants encrypted"} what goes from ${source} ` +
          `to ${destination}` +
          (blocks || hasStates ? "" : ", and there is no state to do it with"),
        evidence: [shownIn(space, cmd`ip xfrm policy`, lines.join("\n"))],
        remedies: [mendIn(
          space,
          cmd`ip xfrm policy delete src ${source} dst ${destination} dir ${dir}`,
        )],
      }];
    });
  const ways = [
    ...(parts.get("defaults") ?? "").matchAll(/(in|fwd|out): +block/g),
  ];
  return [
    ...policies,
    ...ways.map(([line, way = ""]): Obstacle => ({
      kind: "ipsec",
      is: "loses",
      space,
      what: `IPsec of ${spaceName(space)} blocks all (${way}) that no policy ` +
        "is for",
      evidence: [shownIn(space, cmd`ip xfrm policy getdefault`, line)],
      remedies: [
        mendIn(space, cmd`ip xfrm policy setdefault ${way} accept`),
      ],
    })),
  ];
}

/** A neighbour as `ip -j neigh` has it. */
interface Neighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
}

/** Neighbours that were written down by hand, with another link-layer address than theirs. */
export function neighbourObstacles(
  survey: KernelSurvey,
  { links: used, owners, cluster }: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  return listsIn<Neighbour>(survey, "neighbours").flatMap((neighbour) => {
    const { dst, dev, lladdr = "nothing" } = neighbour;
    const right = owners.get(dst);
    if (right === undefined || right === lladdr || !used.has(dev)) return [];
    // The other family is looked at by itself.
    if (!familiesOf(cluster).includes(familyOf(dst))) return [];
    return [{
      kind: "neighbour" as const,
      is: "loses" as const,
      space,
      what: `${spaceName(space)} has ${lladdr} written down for ${dst}, and ` +
        `that is ${right}`,
      evidence: [shownIn(
        space,
        cmd`ip neigh show ${dst}`,
        `${dst} dev ${dev} lladdr ${lladdr} PERMANENT`,
      )],
      remedies: [mendIn(space, cmd`ip neigh del ${dst} dev ${dev}`)],
    }];
  });
}
