// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster, twoSegmentsCluster } from "../cluster/cluster_testing.ts";
import { parseNetworkPart } from "../cluster/network_part.ts";
import { manifestFor, networkText } from "./hand_over.ts";

const names = { name: "lab", stateDir: "/nowhere" };

Deno.test("what agents are given of a cluster is the same network", () => {
  for (const cluster of [labCluster(names), twoSegmentsCluster(names)]) {
    const { cluster: given, auto } = parseNetworkPart(
      networkText(cluster),
      "c",
    );
    assert(!auto);
    const { clusterCIDRs, bridge, cniVersion, plugin, routes } = given;
    assertEquals(
      { clusterCIDRs, bridge, cniVersion, plugin, routes },
      {
        clusterCIDRs: cluster.clusterCIDRs,
        bridge: cluster.bridge,
        cniVersion: cluster.cniVersion,
        plugin: cluster.plugin,
        routes: cluster.routes,
      },
    );
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
