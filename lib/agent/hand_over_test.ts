// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import {
  dualCluster,
  labCluster,
  twoSegmentsCluster,
} from "../cluster/cluster_testing.ts";
import { parseNetworkPart } from "../cluster/network_part.ts";
import { wayMtu } from "../cluster/tunnels.ts";
import { manifestFor, networkText } from "./hand_over.ts";

const names = { name: "lab", stateDir: "/nowhere" };

/** What the stages on a node go by, but for the nodes. */
function networkOf(cluster: Cluster): Readonly<Record<string, unknown>> {
  const { clusterCIDRs, nodeMasks, bridge, cniVersion, mtu, plugin } = cluster;
  const { routes, vxlan, bgp, firewall } = cluster;
  const network = { clusterCIDRs, nodeMasks, bridge, cniVersion, mtu, plugin };
  // What the segments take is known to the file alone.
  const tunnels = vxlan && { ...vxlan, mtu: wayMtu(cluster) };
  return { ...network, routes, vxlan: tunnels, bgp, firewall };
}

Deno.test("what agents are given of a cluster is the same network", () => {
  const cluster = labCluster(names);
  const clusters: readonly Cluster[] = [
    cluster,
    dualCluster(names),
    twoSegmentsCluster(names),
    { ...cluster, mtu: 1400, firewall: "nftables" },
    { ...cluster, routes: "bgp", bgp: { as: 64_600, peers: [] } },
    {
      ...cluster,
      routes: "bgp",
      bgp: { as: 64_600, peers: [{ address: "10.0.1.1", as: 64_601 }] },
    },
  ];
  for (const one of clusters) {
    const { cluster: given, auto } = parseNetworkPart(networkText(one), "c");
    assert(!auto);
    assertEquals(networkOf(given), networkOf(one));
  }
});

Deno.test("the manifest gets the cluster's network in place of its own", () => {
  const manifest = "kind: ConfigMap\ndata:\n  cluster.yaml: |\n" +
    "    clusterCIDR: 192.0.2.0/24\n\n    bridge: other\n---\nkind: DaemonSet\n";
  const text = manifestFor(labCluster(names), manifest) ?? "";
  assertStringIncludes(text, '      "clusterCIDR": [\n');
  assert(!text.includes("192.0.2.0"), text);
  assert(text.endsWith("\n---\nkind: DaemonSet\n"), text);
  assertEquals(manifestFor(labCluster(names), "kind: DaemonSet\n"), undefined);
});
