/** What stage 09 reads of how long a packet its pods send. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { twoSegmentsCluster } from "../cluster/cluster_testing.ts";
import { widthFault } from "./long_packets.ts";
import { podAttachment, type PodState } from "./namespace_pods.ts";
import type { Survey } from "./node_survey.ts";

Deno.test("a pod counts as too wide for the tunnel unless it is started anew", () => {
  const cluster = twoSegmentsCluster({ name: "lab", stateDir: "/nowhere" });
  const [, node = cluster.nodes[0]] = cluster.nodes;
  if (node === undefined) throw new TypeError("a node");
  const link = { index: 2, addresses: [], up: true, carrier: true };
  const { containerId } = podAttachment("web");
  const survey = (web: PodState): Survey => ({
    links: [
      { ...link, name: "deno.vxlan", mtu: 1450 },
      {
        ...link,
        name: "veth1",
        mtu: 1500,
        alias: `deno-cni deno ${containerId} eth0`,
      },
    ],
    addresses: [],
    bridged: true,
    busybox: true,
    plugins: [],
    list: undefined,
    serving: true,
    pods: { shell: { is: "none" }, web },
  });
  const list = {
    cniVersion: "1.0.0",
    name: "deno",
    plugins: [],
    disableCheck: false,
    whole: {},
  };
  const result = { addresses: [], hostLinks: [], address: "", whole: {} };
  const running = survey({ is: "running", list, result, serving: true });
  const fault = widthFault({ node, survey: running }, { cluster });
  assertStringIncludes(fault?.what ?? "nothing", "send packets of 1500 bytes");
  const ruin = survey({
    is: "ruin",
    sandbox: true,
    why: "its MTU was another",
  });
  assertEquals(widthFault({ node, survey: ruin }, { cluster }), undefined);
});
