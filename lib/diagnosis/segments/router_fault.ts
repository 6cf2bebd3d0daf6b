/** What of a lab's router keeps packets from getting from one segment to another. Pure. */
import type { Cluster } from "../../cluster/cluster.ts";
import { routerName } from "../../cluster/segments.ts";
import { cmd } from "../../exec/command.ts";
import { bridgeName, portName } from "../../lab/names.ts";
import { familyOf, ofFamily } from "../../net/cidr.ts";
import { valueAt } from "../../net/interface_settings.ts";
import { longestMatch, prefixLengthOf } from "../../net/route_match.ts";
import type { Cause } from "../cause.ts";
import { obstacleCause } from "../kernel_path/obstacle_cause.ts";
import { type Flow, shownIn, type Traffic } from "../kernel_path/obstacle.ts";
import { obstaclesAt } from "../kernel_path/obstacles.ts";
import {
  lineOf,
  type PathRoute,
  pathRoutes,
} from "../kernel_path/path_routes.ts";
import { onNode, type Remedy } from "../remedy.ts";
import type { RouterAnswer } from "./router_answer.ts";
import {
  cidrOf,
  routerOf,
  segmentPlace,
  type SegmentWay,
  type WayEnd,
} from "./way.ts";

type Read = RouterAnswer & { readonly is: "read" };

/** Why the router does not carry what goes this way, there or back. */
export function routerFault(
  cluster: Cluster,
  router: RouterAnswer,
  way: SegmentWay,
): Cause | undefined {
  const ends = [way.from, way.to];
  const places = ends.map(({ address }) => segmentPlace(cluster, address).at);
  if (router.is === "gone") {
    return places.every((at) => at === 0) ? undefined : gone(cluster, router);
  }
  for (const end of ends) {
    const unplugged = plugFault(cluster, router, end);
    if (unplugged !== undefined) return unplugged;
  }
  if (places[0] === places[1]) return undefined;
  for (const { address } of ends) {
    const fault = linkFault(cluster, router, address) ??
      forwardingFault(cluster, router, address);
    if (fault !== undefined) return fault;
  }
  for (const end of ends) {
    const fault = routeFault(cluster, router, end);
    if (fault !== undefined) return fault;
  }
  const [obstacle] = obstaclesAt(router.survey, trafficOf(cluster, router, way))
    .filter(({ is }) => is === "loses");
  return obstacle && obstacleCause(obstacle);
}

/** A cause that lies on the router. */
function cause(
  { survey }: Read,
  what: string,
  look: ReturnType<typeof cmd>,
  printed: string,
  remedies: readonly Remedy[],
): Cause {
  const evidence = [shownIn(survey.space, look, printed)];
  return { kind: "segment", on: routerName, what, evidence, remedies };
}

function gone(
  cluster: Cluster,
  { why }: RouterAnswer & { readonly is: "gone" },
): Cause {
  const beyond = (cluster.segments ?? []).slice(1)
    .map(({ cidrs }) => cidrs.join(" "));
  return {
    kind: "segment",
    on: routerName,
    what: "the router between the segments is gone, and with it all but the " +
      `first of them: ${beyond.join(", ")}`,
    evidence: [{ where: routerName, command: "true", printed: why }],
    remedies: [{ make: "up" }],
  };
}

/** Is the node's cable in its segment? Those of the first are the outside host's. */
function plugFault(
  cluster: Cluster,
  router: Read,
  { name, address }: WayEnd,
): Cause | undefined {
  const { at } = segmentPlace(cluster, address);
  if (at === 0) return undefined;
  const bridge = bridgeName(at);
  const { links } = router.survey;
  const [port, segment] = [portName(name), bridge].map((wanted) =>
    links.find(({ ifname }) => ifname === wanted)
  );
  if (port !== undefined && port.master !== bridge) {
    return cause(
      router,
      `the cable of ${name} is plugged into ${port.master ?? "nothing"}, ` +
        `and its segment is ${bridge} of the router`,
      cmd`ip link show dev ${port.ifname}`,
      `master ${port.master ?? "none"}`,
      [onNode(
        routerName,
        cmd`ip link set dev ${port.ifname} master ${bridge}`,
      )],
    );
  }
  const down = [segment, port].find((link) =>
    link !== undefined && !link.flags.includes("UP")
  );
  return down && cause(
    router,
    `${down.ifname} of the router, ` +
      (down === port ? `the port of ${name}` : "a segment") + ", is down",
    cmd`ip link show dev ${down.ifname}`,
    down.flags.join(","),
    [onNode(routerName, cmd`ip link set dev ${down.ifname} up`)],
  );
}

/** Has the router its address on a segment, and is its link up? */
function linkFault(
  cluster: Cluster,
  router: Read,
  address: string,
): Cause | undefined {
  const link = `eth${segmentPlace(cluster, address).at}`;
  const wanted = routerOf(cluster, address);
  const cidr = cidrOf(cluster, address);
  const found = router.survey.links.find(({ ifname }) => ifname === link);
  // The outside host's other address is on no segment.
  const own = wanted ?? "";
  const has = found?.addr_info.some(({ local }) => local === own) ?? false;
  const isUp = found?.flags.includes("UP") ?? false;
  if (found === undefined) return undefined;
  if (isUp && (has || wanted === undefined)) return undefined;
  const length = cidr === undefined ? "" : `/${prefixLengthOf(cidr)}`;
  const nodad = familyOf(address) === 6 ? ["nodad"] : [];
  return cause(
    router,
    isUp
      ? `${link} of the router lacks ${own}, by which nodes of ${cidr} leave it`
      : `${link} of the router, its link to ${cidr ?? "a segment"}, is down`,
    cmd`ip addr show dev ${link}`,
    [
      ...found.flags,
      ...found.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    ].join(" "),
    [
      ...(isUp ? [] : [onNode(routerName, cmd`ip link set dev ${link} up`)]),
      ...(has ? [] : [
        onNode(
          routerName,
          cmd`ip addr add ${`${own}${length}`} dev ${link} ${nodad}`,
        ),
      ]),
    ],
  );
}

function forwardingFault(
  cluster: Cluster,
  router: Read,
  address: string,
): Cause | undefined {
  const family = familyOf(address);
  const link = `eth${segmentPlace(cluster, address).at}`;
  const place = ["all", ...(family === 4 ? [link] : [])].find((place) =>
    valueAt(router.settings, family, "forwarding", place) === 0
  );
  if (place === undefined) return undefined;
  const name = place !== "all"
    ? `net.ipv4.conf.${place}.forwarding`
    : family === 4
    ? "net.ipv4.ip_forward"
    : "net.ipv6.conf.all.forwarding";
  return {
    ...cause(
      router,
      `the router between the segments does not forward IPv${family}: ` +
        `${name} is 0`,
      cmd`sysctl ${name}`,
      `${name} = 0`,
      [onNode(routerName, cmd`sysctl -w ${`${name}=1`}`)],
    ),
    kind: "forwarding",
  };
}

/** Does the router know the way to this end? */
function routeFault(
  cluster: Cluster,
  router: Read,
  { name, address }: WayEnd,
): Cause | undefined {
  const cidr = cidrOf(cluster, address);
  const link = `eth${segmentPlace(cluster, address).at}`;
  const routes = pathRoutes(router.survey)[familyOf(address)];
  const best = longestMatch<PathRoute>(routes, address);
  const leads = best !== undefined &&
    (cidr === undefined || best.gateway === undefined) && best.dev === link;
  if (leads) return undefined;
  const flag = familyOf(address) === 6 ? ["-6"] : [];
  const whom = `${name} (${address})`;
  const isExact = best !== undefined && cidr !== undefined &&
    prefixLengthOf(best.dst) > prefixLengthOf(cidr);
  const gateway = ofFamily(cluster.outside.gateways, familyOf(address)) ?? "";
  const own = routerOf(cluster, address) ?? "";
  const mend = isExact
    ? cmd`ip ${flag} route del ${best.type ?? []} ${best.dst}`
    : cidr === undefined
    ? cmd`ip ${flag} route replace default via ${gateway}`
    : cmd`ip ${flag} route replace ${cidr} dev ${link} src ${own}`;
  return {
    ...cause(
      router,
      best === undefined
        ? `the router between the segments has no route to ${whom}`
        : best.dst === "default"
        ? `the router between the segments has no route to ${cidr}: what is ` +
          `for ${whom} goes by its default route`
        : "the router between the segments sends what is for " +
          `${whom} elsewhere than to its segment: ${lineOf(best)}`,
      cmd`ip ${flag} route show`,
      best === undefined ? "none for it" : lineOf(best),
      [onNode(routerName, mend)],
    ),
    kind: "route",
  };
}

function trafficOf(
  cluster: Cluster,
  { survey }: Read,
  way: SegmentWay,
): Traffic {
  const { links } = survey;
  const routes = pathRoutes(survey);
  const own = new Set(
    links.flatMap(({ addr_info }) => addr_info.map(({ local }) => local)),
  );
  const flow = (one: WayEnd, other: WayEnd, reply: boolean): Flow => ({
    source: one.address,
    destination: other.address,
    reply,
    ...way.carries,
  });
  const { from, to } = way;
  // A tunnel's packets are no answers to each other.
  const both = way.carries?.protocol === "udp";
  return {
    cluster,
    flows: [flow(from, to, false), flow(to, from, !both)],
    links: new Set(links.map(({ ifname }) => ifname)),
    linkTo: (address) =>
      own.has(address)
        ? undefined
        : longestMatch<PathRoute>(routes[familyOf(address)], address)?.dev,
    isPort: () => false,
    podPorts: new Map(),
    owners: new Map(),
  };
}
