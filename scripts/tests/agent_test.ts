/** A cluster of the scripts' and of its agents': one plan. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { clusterOfNodes } from "../../lib/agent/cluster_of_nodes.ts";
import { networkText, recordsOfCluster } from "../../lib/agent/hand_over.ts";
import type { Cluster, ClusterNode } from "../../lib/cluster/cluster.ts";
import {
  dualCluster,
  labCluster,
  twoSegmentsCluster,
} from "../../lib/cluster/cluster_testing.ts";
import { parseNetworkPart } from "../../lib/cluster/network_part.ts";
import { segmentAt, segmentsOf } from "../../lib/cluster/segments.ts";
import { show } from "../../lib/exec/command.ts";
import { parseCidr } from "../../lib/net/cidr.ts";
import { stepsFor } from "../../lib/stage/run_stage.ts";
import { stages } from "../stages.ts";

const names = { name: "lab", stateDir: "/nowhere" };
const { vxlan: _, ...two } = twoSegmentsCluster(names);
const withoutEnds = two.nodes.map(({ vtep: _, ...node }) => node);

const clusters: Readonly<Record<string, Cluster>> = {
  "host routes": labCluster(names),
  "host routes, two families, nftables, an MTU": {
    ...dualCluster(names),
    firewall: "nftables",
    mtu: 1400,
    bridge: "br-pods",
    cniVersion: "1.1.0",
  },
  "host routes of nodes that ssh reaches": {
    ...labCluster(names),
    provider: "ssh",
  },
  "tunnels": twoSegmentsCluster(names),
  "tunnels everywhere, through a narrow way": {
    ...twoSegmentsCluster(names),
    segments: segmentsOf(two).map((segment) => ({ ...segment, mtu: 1400 })),
    vxlan: { vni: 7, port: 4789, direct: false },
  },
  "BGP": {
    ...two,
    routes: "bgp",
    bgp: {
      as: 64_600,
      reflectors: ["master"],
      peers: [{ address: "10.0.1.2", as: 64_513 }],
      passwordFile: "/root/bgp-password",
    },
    nodes: withoutEnds,
  },
};

/** The commands of stages 03 to 08 on a node. */
function commandsOn(cluster: Cluster, name: string): string[] {
  return stages.filter((stage) => stage.name >= "03").flatMap((stage) =>
    stepsFor(stage, cluster, name, []).map(({ run }) =>
      "copy" in run ? `copy to ${run.to}` : `${show(run)} ${run.stdin ?? ""}`
    )
  );
}

/** What the kernel of a node has. */
function heldBy(cluster: Cluster, { address, addresses }: ClusterNode) {
  const segment = segmentsOf(cluster)[segmentAt(cluster, address)]!;
  return addresses.map((one, at) => ({
    address: one,
    prefixLength: parseCidr(segment.cidrs[at]!).prefixLength,
  }));
}

for (const [what, cluster] of Object.entries(clusters)) {
  Deno.test(`agents plan what the scripts have made: ${what}`, () => {
    const part = parseNetworkPart(networkText(cluster), "cluster.yaml");
    const records = recordsOfCluster(cluster);
    for (const node of cluster.nodes) {
      const held = heldBy(cluster, node);
      const planned = clusterOfNodes(part, records, node.name, held);
      assert("cluster" in planned, JSON.stringify(planned));
      assertEquals(
        commandsOn(planned.cluster, node.name),
        commandsOn(cluster, node.name),
      );
    }
  });
}
