/** How a node of a status stands: its podCIDRs, pods, leases and daemon. */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import type {
  BrokenLease,
  InventoryNode,
  NodeLease,
} from "../inventory/inventory.ts";
import { calledName } from "../net/ip_json.ts";
import type { SeenSession } from "../bgp/seen_sessions.ts";
import type { HostAgent } from "../inventory/agent.ts";
import { type HostDaemon, wantsDaemon } from "../inventory/daemon.ts";
import { capacity, leasesIn, staleLeases } from "../inventory/lease_use.ts";
import { cutOff, podBehind } from "../inventory/pod_veths.ts";

/** A node, and its pods. */
export interface NodeStatus {
  readonly name: string;
  readonly role: ClusterNode["role"];
  readonly addresses: readonly string[];
  /** What it should have been told by 02; empty before. */
  readonly podCIDRs: readonly string[];
  /** Absent where it does not answer. */
  readonly has?: {
    readonly pods: readonly {
      readonly name: string;
      readonly addresses: readonly string[];
    }[];
    /** One a podCIDR. */
    readonly leases: readonly {
      readonly podCIDR: string;
      readonly held: number;
      /** How many pods there is room for; a large one is rounded. */
      readonly capacity: number;
    }[];
    /** Pods that live, by the host veth that is no port of the bridge, or down. */
    readonly cutOff?: readonly {
      readonly pod: string;
      readonly veth: string;
      readonly how: string;
    }[];
    /** Leases whose attachment is gone. */
    readonly stale: readonly NodeLease[];
    /** Leases that name none. */
    readonly broken: readonly BrokenLease[];
    /** The plugin's daemon, where there is to be one, or is one all the same. */
    readonly daemon?: Pick<HostDaemon, "installed" | "serving">;
    /** The node's BGP sessions, as bird tells them, where there are any. */
    readonly sessions?: readonly SeenSession[];
    /** The agent that keeps the node's network, where there is one. */
    readonly agent?: HostAgent;
  };
  /** Why it does not answer. */
  readonly unreachable?: string;
}

/** @param known the node as its cluster is known, before 02 without its podCIDRs */
export function nodeStatus(
  { name, role, host, address }: InventoryNode,
  cluster: Cluster,
  known: ClusterNode | undefined,
): NodeStatus {
  const { bridge } = cluster;
  const podCIDRs = known?.podCIDRs ?? [];
  const common = {
    name,
    role,
    addresses: known?.addresses ?? [address],
    podCIDRs,
  };
  if (host.is === "unreachable") return { ...common, unreachable: host.why };
  const cut = cutOff(host.links, bridge)
    .map(({ link, how }) => ({
      pod: podBehind(link, host),
      veth: link.name,
      how,
    }));
  return {
    ...common,
    has: {
      ...(cut.length === 0 ? {} : { cutOff: cut }),
      pods: host.pods.map((pod) => ({
        name: calledName(pod),
        addresses: pod.addresses.map(({ address }) => address),
      })),
      leases: podCIDRs.map((podCIDR) => ({
        podCIDR,
        held: leasesIn(host, podCIDR).length,
        capacity: Number(capacity(podCIDR)),
      })),
      stale: staleLeases(host),
      broken: host.brokenLeases,
      ...daemonStatus(cluster, host.daemon),
      ...(host.sessions === undefined ? {} : { sessions: host.sessions }),
      ...(host.agent === undefined ? {} : { agent: host.agent }),
    },
  };
}

function daemonStatus(
  cluster: Cluster,
  found: HostDaemon | undefined,
): Pick<NonNullable<NodeStatus["has"]>, "daemon"> {
  if (found === undefined) return {};
  const { installed, serving } = found;
  if (serving.length === 0 && !wantsDaemon(cluster, found)) return {};
  return {
    daemon: { ...(installed === undefined ? {} : { installed }), serving },
  };
}
