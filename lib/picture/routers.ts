/** Routers as they are drawn, and what goes along the segments. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { hasTunnels } from "../cluster/tunnels.ts";
import { routerName } from "../cluster/segments.ts";
import { counted, type SceneSession, sessionsAt } from "./sessions.ts";

/** What stands in the box of a machine. */
interface Lines {
  readonly lines: readonly string[];
}

/** Routers that are not drawn otherwise. */
interface Peers extends Lines {
  /** Whether no session with one of them is up. */
  readonly down: boolean;
}

/** The router between the segments, and others with which nodes have sessions. */
export function routersOf(
  { segments, bgp }: Cluster,
  sessions: readonly SceneSession[],
): { readonly router?: Lines; readonly peers?: Peers } {
  const own = segments?.flatMap(({ router }) => router) ?? [];
  const told = (address: string) => {
    const at = sessionsAt(sessions, address);
    return at.length === 0
      ? []
      : [`BGP ${address}, AS ${at[0]?.as}: ${counted(at)}`];
  };
  const strange = (bgp?.peers ?? []).map(({ address }) => address)
    .filter((address) => !own.includes(address));
  const others = strange.flatMap(told);
  const down = strange.flatMap((one) => sessionsAt(sessions, one))
    .every(({ down }) => down !== undefined);
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
        down,
      },
    }),
  };
}

/** What goes along the segments. */
export interface SceneLane {
  readonly is: "tunnel" | "session";
  readonly text: string;
}

/** What the lines are that go along the segments. */
export function laneOf(
  cluster: Cluster,
  sessions: readonly SceneSession[],
): { readonly lane?: SceneLane } {
  const { vxlan, bgp, nodes } = cluster;
  if (vxlan !== undefined) {
    return !nodes.some(({ name }) => hasTunnels(cluster, name)) ? {} : {
      lane: {
        is: "tunnel",
        text: `tunnels: VXLAN ${vxlan.vni}, UDP port ${vxlan.port}`,
      },
    };
  }
  return bgp === undefined || sessions.length === 0 ? {} : {
    lane: {
      is: "session",
      text: `BGP sessions, AS ${bgp.as}: ${counted(sessions)}`,
    },
  };
}
