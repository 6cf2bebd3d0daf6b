/** Routers as they are drawn, and what goes along the segments. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { hasTunnels } from "../cluster/tunnels.ts";
import { routerName } from "../cluster/segments.ts";
import { counted, type SceneSession, sessionsAt } from "./sessions.ts";

/** What stands in the box of a machine. */
interface Lines {
  readonly lines: readonly string[];
}

/** The router between the segments, and others with which nodes have sessions. */
export function routersOf(
  { segments, bgp }: Cluster,
  sessions: readonly SceneSession[],
): { readonly router?: Lines; readonly peers?: Lines } {
  const own = segments?.flatMap(({ router }) => router) ?? [];
  const told = (address: string) => {
    const at = sessionsAt(sessions, address);
    return at.length === 0
      ? []
      : [`BGP ${address}, AS ${at[0]?.as}: ${counted(at)}`];
  };
  const others = (bgp?.peers ?? []).filter(({ address }) =>
    !own.includes(address)
  ).flatMap(({ address }) => told(address));
  return {
    ...(segments === undefined ? {} : {
      router: {
        lines: [
          routerName,
          ...segments.map(({ router }) => router.join(" ")),
          ...own.flatMap(told),
        ],
      },
    }),
    ...(others.length === 0 ? {} : {
      peers: {
        lines: [others.length === 1 ? "BGP peer" : "BGP peers", ...others],
      },
    }),
  };
}

/** What the lines are that go along the segments. */
export function laneOf(
  cluster: Cluster,
  sessions: readonly SceneSession[],
): { readonly lane?: string } {
  const { vxlan, bgp, nodes } = cluster;
  if (vxlan !== undefined) {
    return !nodes.some(({ name }) => hasTunnels(cluster, name)) ? {} : {
      lane: `- - tunnels: VXLAN ${vxlan.vni}, UDP port ${vxlan.port}`,
    };
  }
  return bgp === undefined || sessions.length === 0
    ? {}
    : { lane: `-·- BGP sessions, AS ${bgp.as}: ${counted(sessions)}` };
}
