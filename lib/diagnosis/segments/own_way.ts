/** How a node of a lab leaves its segment, where it does not do it as it should. Pure. */
import { wholeOf } from "../../cluster/address_family.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { cmd, type Command } from "../../exec/command.ts";
import { type Family, familyOf, ofFamily } from "../../net/cidr.ts";
import { longestMatch, prefixLengthOf } from "../../net/route_match.ts";
import type { Cause } from "../cause.ts";
import { shownIn } from "../kernel_path/obstacle.ts";
import {
  lineOf,
  type PathRoute,
  pathRoutes,
} from "../kernel_path/path_routes.ts";
import type { KernelSurvey } from "../kernel_path/survey.ts";
import { onNode } from "../remedy.ts";
import { cidrOf, routerOf, segmentPlace, type WayEnd } from "./way.ts";

/** What a machine has for the ways that it takes. */
export interface OwnFacts {
  readonly links: readonly {
    readonly name: string;
    readonly addresses: readonly {
      readonly address: string;
      readonly prefixLength: number;
    }[];
  }[];
  readonly routes: Readonly<Record<Family, readonly PathRoute[]>>;
}

/** The same of what a machine said of its packets' path; undefined of none. */
export function ownFacts(
  survey: Pick<KernelSurvey, "links" | "parts"> | undefined,
): OwnFacts | undefined {
  return survey && {
    links: survey.links.map(({ ifname: name, addr_info }) => ({
      name,
      addresses: addr_info.map(({ local: address, prefixlen }) => (
        { address, prefixLength: prefixlen }
      )),
    })),
    routes: pathRoutes(survey),
  };
}

/** Why a node's packets for another segment, or its own, do not get to the router. */
export function ownWayFault(
  cluster: Cluster,
  facts: OwnFacts,
  own: WayEnd,
  far: WayEnd,
): Cause | undefined {
  return wrongPrefix(cluster, facts, own, far) ??
    wrongRoute(cluster, facts, own, far);
}

function familyFlag(address: string): readonly string[] {
  return familyOf(address) === 6 ? ["-6"] : [];
}

/** The node takes addresses for its segment's that are not, or the other way round. */
function wrongPrefix(
  cluster: Cluster,
  { links, routes }: OwnFacts,
  own: WayEnd,
  far: WayEnd,
): Cause | undefined {
  const cidr = cidrOf(cluster, own.address);
  const [found] = links.flatMap(({ name, addresses }) =>
    addresses.filter(({ address }) => address === own.address)
      .map(({ prefixLength }) => ({ name, prefixLength }))
  );
  if (cidr === undefined || found === undefined) return undefined;
  const { name: link, prefixLength } = found;
  const wanted = prefixLengthOf(cidr);
  const best = longestMatch<PathRoute>(
    routes[familyOf(far.address)],
    far.address,
  );
  const isNear = cidr === cidrOf(cluster, far.address);
  // More exact routes may lead rightly all the same.
  const misleads = prefixLength < wanted
    ? !isNear && best !== undefined && best.gateway === undefined
    : prefixLength > wanted && isNear && best?.gateway !== undefined;
  if (!misleads) return undefined;
  const given = `${own.address}/${prefixLength}`;
  const right = `${own.address}/${wanted}`;
  const remove = cmd`ip addr del ${given} dev ${link}`;
  // Of IPv6, a link has an address once, whatever its prefix.
  const mend = familyOf(own.address) === 4
    ? [cmd`ip addr add ${right} dev ${link}`, remove]
    : [remove, cmd`ip addr add ${right} dev ${link} nodad`];
  return {
    kind: "segment",
    on: own.name,
    what: `${own.name} has the address ${given}, and its segment is ${cidr}: ` +
      (prefixLength < wanted
        ? `it looks for ${far.name} (${far.address}) on its own link, and not ` +
          "by the router"
        : "it looks for machines of its own segment elsewhere"),
    evidence: [
      shownIn({ node: own.name }, cmd`ip addr show dev ${link}`, given),
    ],
    remedies: [...mend, ...wayOut(cluster, own)].map((command) =>
      onNode(own.name, command)
    ),
  };
}

/** The route that goes with an address of IPv6, and the one that leads out. */
function wayOut(cluster: Cluster, own: WayEnd): readonly Command[] {
  const gateway = gatewayOf(cluster, own);
  return familyOf(own.address) === 4 || gateway === undefined
    ? []
    : [cmd`ip -6 route replace default via ${gateway}`];
}

/** A node's default gateway: on the first segment, the outside host. */
function gatewayOf(cluster: Cluster, { address }: WayEnd): string | undefined {
  return segmentPlace(cluster, address).at === 0
    ? ofFamily(wholeOf(cluster).outside.gateways, familyOf(address))
    : routerOf(cluster, address);
}

function wrongRoute(
  cluster: Cluster,
  { routes }: OwnFacts,
  own: WayEnd,
  far: WayEnd,
): Cause | undefined {
  const best = longestMatch<PathRoute>(
    routes[familyOf(far.address)],
    far.address,
  );
  const isNear = segmentPlace(cluster, own.address).at ===
      segmentPlace(cluster, far.address).at && cidrOf(cluster, far.address);
  const right = [routerOf(cluster, own.address), gatewayOf(cluster, own)]
    .filter((gateway) => gateway !== undefined);
  const [router = ""] = right;
  const leads = best?.gateway !== undefined && right.includes(best.gateway);
  if (isNear || leads || best?.type === "local") return undefined;
  const whom = `${far.name} (${far.address})`;
  const what = best === undefined
    ? `${own.name} has no route to ${whom}`
    : best.gateway === undefined
    ? `${own.name} looks for ${whom} on its own link ${best.dev ?? ""}: ` +
      `its route to ${best.dst} names no gateway`
    : `${own.name} sends what is for ${whom} by ${best.gateway}, and the ` +
      `router of its segment is ${router}`;
  return {
    kind: "node-route",
    on: own.name,
    what,
    evidence: [
      shownIn(
        { node: own.name },
        cmd`ip ${familyFlag(far.address)} route get ${far.address}`,
        best === undefined ? "unreachable" : lineOf(best),
      ),
    ],
    remedies: mends(cluster, own, far, best).map((command) =>
      onNode(own.name, command)
    ),
  };
}

/** A route that is too exact goes, one that is wrong or missing is written. */
function mends(
  cluster: Cluster,
  own: WayEnd,
  far: WayEnd,
  best: PathRoute | undefined,
): readonly Command[] {
  const flag = familyFlag(far.address);
  const router = routerOf(cluster, own.address);
  const cidr = cidrOf(cluster, far.address);
  const isFirst = segmentPlace(cluster, own.address).at === 0;
  const gateway = isFirst && cidr !== undefined
    ? router
    : gatewayOf(cluster, own);
  const dst = isFirst && cidr !== undefined ? cidr : "default";
  const isExact = best !== undefined && best.dst !== dst &&
    prefixLengthOf(best.dst) > prefixLengthOf(dst);
  return [
    ...(isExact ? [cmd`ip ${flag} route del ${best.dst}`] : []),
    cmd`ip ${flag} route replace ${dst} via ${gateway ?? ""}`,
  ];
}
