/** Clusters for tests, without a file. */
import type { Cluster, ClusterNode } from "./cluster.ts";
import { usualPlugin } from "./schema_plugin.ts";

/** A test's own cluster. */
export interface TestCluster {
  readonly name: string;
  /** Absolute; a temporary folder of the test's own. */
  readonly stateDir: string;
}

/** A lab as config/lab.yaml describes it: one control plane, two workers. */
export function labCluster({ name, stateDir }: TestCluster): Cluster {
  const node = (
    name: string,
    role: ClusterNode["role"],
    address: string,
    podCIDR: string,
  ): ClusterNode => ({
    name,
    role,
    address,
    addresses: [address],
    podCIDRs: [podCIDR],
  });
  return {
    name,
    provider: "lab",
    clusterCIDRs: ["10.244.0.0/16"],
    nodeMasks: [24],
    bridge: "cni0",
    cniVersion: "1.0.0",
    plugin: usualPlugin,
    segmentCIDR: "10.0.1.0/24",
    segmentCIDRs: ["10.0.1.0/24"],
    outside: {
      gateway: "10.0.1.1",
      gateways: ["10.0.1.1"],
      address: "203.0.113.8",
      addresses: ["203.0.113.8"],
    },
    routes: "host",
    nodes: [
      node("master", "control-plane", "10.0.1.10", "10.244.0.0/24"),
      node("worker-1", "worker", "10.0.1.11", "10.244.1.0/24"),
      node("worker-2", "worker", "10.0.1.12", "10.244.2.0/24"),
    ],
    stateDir,
    file: "config/lab.yaml",
  };
}

/** A lab of both families, as config/lab-dual.yaml describes it. */
export function dualCluster(names: TestCluster): Cluster {
  const four = labCluster(names);
  const { outside, nodes } = four;
  return {
    ...four,
    clusterCIDRs: [...four.clusterCIDRs, "fd00:10:244::/56"],
    nodeMasks: [24, 64],
    segmentCIDRs: [...four.segmentCIDRs, "fd00:10:0:1::/64"],
    outside: {
      ...outside,
      gateways: [...outside.gateways, "fd00:10:0:1::1"],
      addresses: [...outside.addresses, "2001:db8::8"],
    },
    nodes: nodes.map((node, at) => ({
      ...node,
      addresses: [...node.addresses, `fd00:10:0:1::1${at}`],
      podCIDRs: [
        ...node.podCIDRs,
        at === 0 ? "fd00:10:244::/64" : `fd00:10:244:${at}::/64`,
      ],
    })),
    file: "config/lab-dual.yaml",
  };
}

/** A lab of two segments with tunnels, as config/lab-two-segments.yaml describes it. */
export function twoSegmentsCluster(names: TestCluster): Cluster {
  const both = dualCluster(names);
  const nodes = both.nodes.map((node, at): ClusterNode => {
    const addresses = at < 2 ? node.addresses : [
      "10.0.2.12",
      "fd00:10:0:2::12",
    ];
    const [address = ""] = addresses;
    return { ...node, address, addresses, vtep: address };
  });
  return {
    ...both,
    segments: [{
      cidrs: both.segmentCIDRs,
      router: ["10.0.1.2", "fd00:10:0:1::2"],
    }, {
      cidrs: ["10.0.2.0/24", "fd00:10:0:2::/64"],
      router: ["10.0.2.1", "fd00:10:0:2::1"],
    }],
    routes: "vxlan",
    vxlan: { vni: 1, port: 8472, direct: true },
    nodes,
    file: "config/lab-two-segments.yaml",
  };
}
