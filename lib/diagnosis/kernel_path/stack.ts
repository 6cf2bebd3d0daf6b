/** What ends packets in the IP stack itself: IPsec, neighbours, routes, settings. Pure. */
import { containsAddress, familyOf, parseCidr } from "../../net/cidr.ts";
import { cmd } from "../../exec/command.ts";
import {
  type Flow,
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { ownAddresses } from "./packets.ts";
import { type KernelSurvey, listsIn } from "./survey.ts";

function covers(cidr: string, address: string): boolean {
  const of = familyOf(address);
  if (cidr === "default") return true;
  if (familyOf(cidr) !== of) return false;
  const bits = of === 4 ? 32 : 128;
  return containsAddress(
    parseCidr(cidr.includes("/") ? cidr : `${cidr}/${bits}`),
    address,
  );
}

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
          covers(source, flow.source) && covers(destination, flow.destination)
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
  { links: used, owners }: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  return listsIn<Neighbour>(survey, "neighbours").flatMap((neighbour) => {
    const { dst, dev, lladdr = "nothing" } = neighbour;
    const right = owners.get(dst);
    if (right === undefined || right === lladdr || !used.has(dev)) return [];
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

/** A route as `ip -j route` has it. */
interface Route {
  readonly type?: string;
  readonly dst: string;
  readonly metric?: number;
}

const refusing = ["blackhole", "unreachable", "prohibit"];

/** Routes that lead nowhere, and are the most specific ones for a packet. */
export function routeObstacles(
  survey: KernelSurvey,
  { flows }: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  const routes = listsIn<Route>(survey, "routes");
  const found = new Map<Route, string>();
  for (const { destination } of flows) {
    const best = bestRoute(routes, destination);
    if (best !== undefined && refusing.includes(best.type ?? "")) {
      found.set(best, destination);
    }
  }
  return [...found].map(([{ type = "", dst }, address]): Obstacle => ({
    kind: "route",
    is: "loses",
    space,
    what: `${spaceName(space)} has a route that leads nowhere for ` +
      `${address}: ${type} ${dst}`,
    evidence: [shownIn(space, cmd`ip route show`, `${type} ${dst}`)],
    remedies: [mendIn(space, cmd`ip route del ${type} ${dst}`)],
  }));
}

function bestRoute(
  routes: readonly Route[],
  destination: string,
): Route | undefined {
  const length = ({ dst }: Route) =>
    dst === "default" ? 0 : Number(dst.split("/")[1] ?? 128);
  const family = familyOf(destination);
  // "default" does not say of which family it is; it refuses nothing then.
  return routes.filter(({ dst }) =>
    dst !== "default" && familyOf(dst) === family && covers(dst, destination)
  ).toSorted((a, b) =>
    length(b) - length(a) || (a.metric ?? 0) - (b.metric ?? 0)
  )[0];
}

/** Settings that keep a kernel from answering a ping (ip-sysctl). */
export function echoObstacles(
  survey: KernelSurvey,
  { flows }: Traffic,
): readonly Obstacle[] {
  const { space, parts } = survey;
  const own = ownAddresses(survey);
  const asked = ({ destination }: Flow) => own.has(destination);
  return [...(parts.get("settings") ?? "").matchAll(/^\/proc\/sys\/(.*):1$/gm)]
    .filter(([, path = ""]) =>
      flows.some((flow) =>
        asked(flow) &&
        (familyOf(flow.destination) === 4) === path.includes("ipv4")
      )
    )
    .map(([, path = ""]): Obstacle => ({
      kind: "echo",
      is: "may lose",
      space,
      what: `${spaceName(space)} answers no ping: ` +
        `${path.replaceAll("/", ".")} is 1`,
      evidence: [
        shownIn(space, cmd`sysctl -n ${path.replaceAll("/", ".")}`, "1"),
      ],
      remedies: [
        mendIn(space, cmd`sysctl -w ${path.replaceAll("/", ".")}=0`),
      ],
    }));
}
