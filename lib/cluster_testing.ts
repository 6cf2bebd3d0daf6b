/** Clusters for tests, without a file. */
import type { Cluster, ClusterNode } from "./cluster.ts";

/**
 * A lab as config/lab.yaml describes it: one control plane, two workers.
 *
 * @param stateDir absolute; a temporary folder of the test's own
 */
export function labCluster(
  { name, stateDir }: { readonly name: string; readonly stateDir: string },
): Cluster {
  const node = (
    name: string,
    role: ClusterNode["role"],
    address: string,
    podCIDR: string,
  ): ClusterNode => ({ name, role, address, podCIDRs: [podCIDR] });
  return {
    name,
    provider: "lab",
    clusterCIDRs: ["10.244.0.0/16"],
    nodeMasks: [24],
    bridge: "cni0",
    cniVersion: "1.0.0",
    segmentCIDR: "10.0.1.0/24",
    outside: { gateway: "10.0.1.1", address: "203.0.113.8" },
    nodes: [
      node("master", "control-plane", "10.0.1.10", "10.244.0.0/24"),
      node("worker-1", "worker", "10.0.1.11", "10.244.1.0/24"),
      node("worker-2", "worker", "10.0.1.12", "10.244.2.0/24"),
    ],
    stateDir,
    file: "config/lab.yaml",
  };
}
