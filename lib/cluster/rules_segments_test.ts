/** Several segments, and tunnels between nodes: which files are right, and what is said of those that are not. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { twoSegmentsCluster } from "./cluster_testing.ts";
import { mistakes, parse, refusedWith } from "./cluster_file_testing.ts";
import { gatewaysOf, leastMtu, shareSegment } from "./segments.ts";
import { isTunnelled, tunnelMtu } from "./tunnels.ts";

const two = await Deno.readTextFile(
  new URL("../../config/lab-two-segments.yaml", import.meta.url),
);

/** The file with a part changed, and all that is said of it. */
function said(from: string, to: string): readonly string[] {
  assert(two.includes(from), `no "${from}" in the cluster file`);
  return mistakes(two.replace(from, to))
    .map((line) => line.replace(/^c\.yaml:\d+: /, ""));
}

Deno.test("config/lab-two-segments.yaml describes two segments and the tunnels between them", () => {
  const cluster = parse(two);
  const names = { name: "lab-two", stateDir: "/state/lab-two" };
  const nodes = twoSegmentsCluster(names).nodes
    .map((node) => ({ ...node, podCIDRs: [] }));
  assertEquals(cluster, {
    ...twoSegmentsCluster(names),
    nodes,
    file: "c.yaml",
  });
  const [master, near, far] = cluster.nodes;
  assert(master && near && far);
  assert(shareSegment(cluster, master, near));
  assert(!isTunnelled(cluster, master, near));
  assert(isTunnelled(cluster, master, far));
  assertEquals(gatewaysOf(cluster, near), ["10.0.1.1", "fd00:10:0:1::1"]);
  assertEquals(gatewaysOf(cluster, far), ["10.0.2.1", "fd00:10:0:2::1"]);
  assertEquals(tunnelMtu(cluster), 1450);
});

Deno.test("the least MTU of the segments is that of the ways between nodes, unless vxlan.mtu is", () => {
  const narrow = two.replace("# mtu: 1400", "mtu: 1400");
  assertEquals(leastMtu(parse(narrow)), 1400);
  assertEquals(tunnelMtu(parse(narrow)), 1350);
  const given = narrow.replace("  direct: true", "  mtu: 1380");
  assertEquals(tunnelMtu(parse(given)), 1330);
});

Deno.test("a segment that makes no sense is told in a line", () => {
  for (
    const [from, to, ...lines] of [
      [
        "cidr: [10.0.2.0/24,",
        "cidr: [10.0.1.128/25,",
        "segments[1].cidr[0]: 10.0.1.128/25 overlaps segments[0], 10.0.1.0/24; " +
        "expected segments that have no address in common",
      ],
      [
        "[10.0.2.12,",
        "[10.0.3.12,",
        "nodes[2].address[0]: 10.0.3.12 of worker-2 lies on no segment; expected an address of " +
        "10.0.1.0/24, fd00:10:0:1::/64 or 10.0.2.0/24, fd00:10:0:2::/64",
      ],
      [
        "[10.0.2.12,",
        "[10.0.2.1,",
        "nodes[2].address[0]: 10.0.2.1 is the router's (segments[1].router); " +
        "expected an address of its own",
      ],
      [
        "[10.0.1.11,",
        "[10.0.1.1,",
        "nodes[1].address[0]: 10.0.1.1 is the outside host's (outside.gateway); " +
        "expected an address of its own",
      ],
      [
        "gateway: [10.0.1.1,",
        "gateway: [10.0.1.2,",
        "outside.gateway[0]: 10.0.1.2 is the router's (segments[0].router); " +
        "expected an address of its own",
      ],
      [
        '"fd00:10:0:2::12"]',
        '"fd00:10:0:1::12"]',
        "nodes[2].address[1]: fd00:10:0:1::12 is no host address of the segment " +
        "fd00:10:0:2::/64; expected one from fd00:10:0:2::1 to " +
        "fd00:10:0:2:ffff:ffff:ffff:ffff",
      ],
      [
        "name: worker-2",
        "name: router",
        "nodes[2].name: router is taken for the machine between the segments; " +
        "expected another name",
      ],
      [
        "# mtu: 1400",
        "mtu: 1200",
        "segments[1].mtu: 1200 leaves the tunnel 1150 bytes a packet, and IPv6 needs 1280; " +
        "expected ways between the nodes that take 1330 or more",
      ],
      [
        "clusterCIDR: [10.244.0.0/16,",
        "clusterCIDR: [10.0.0.0/16,",
        "clusterCIDR[0]: 10.0.0.0/16 overlaps the segment 10.0.1.0/24; " +
        "expected addresses of the pods' own",
      ],
      [
        "segments:\n",
        "segmentCIDR: 10.0.1.0/24\nsegments:\n",
        "segmentCIDR: is for a lab of one segment; expected it as the first of segments",
      ],
    ] as const
  ) assertEquals(said(from, to), lines);
  refusedWith(
    "segments: [{cidr: 10.0.1.0/24, router: 10.0.1.2}]",
    "c.yaml:3: segments: there is 1; expected two or more, or segmentCIDR in its place",
  );
  const [line = ""] = mistakes(
    two.replace("name: lab-two", "name: lab-two\nprovider: ssh"),
  );
  assertStringIncludes(line, "segments: is for a lab");
});

Deno.test("a tunnel that cannot be is told in a line", () => {
  for (
    const [from, to, ...lines] of [
      [
        "vni: 1",
        "vni: 16777216",
        "vxlan.vni: 16777216 is not a whole number from 1 to 16777215",
      ],
      [
        "vni: 1",
        "vni: 0",
        "vxlan.vni: 0 is not a whole number from 1 to 16777215",
      ],
      [
        "port: 8472",
        "port: 65536",
        "vxlan.port: 65536 is not a whole number from 1 to 65535",
      ],
      [
        "  direct: true",
        "  mtu: 1300",
        "vxlan.mtu: 1300 leaves the tunnel 1250 bytes a packet, and IPv6 needs 1280; " +
        "expected ways between the nodes that take 1330 or more",
      ],
      [
        "  direct: true",
        "  mtu: 1501",
        "vxlan.mtu: 1501 is more than the lab's segments take; expected 1500 or less",
      ],
      [
        "routes: vxlan",
        "routes: vxlan\nmtu: 1500",
        "mtu: 1500 does not fit the tunnel: of the way's 1500 bytes it takes 50 itself; " +
        "expected 1450 or less, or a larger vxlan.mtu",
      ],
      [
        "routes: vxlan",
        "routes: host",
        "vxlan: is for routes: vxlan; this file has routes: host",
      ],
      [
        '[10.0.2.12, "fd00:10:0:2::12"]',
        '["fd00:10:0:2::12", 10.0.2.12]',
        "nodes[2].address[0]: fd00:10:0:2::12 is IPv6, the first node's 10.0.1.10 is not; " +
        "expected the same family first: the tunnels are between those addresses",
      ],
    ] as const
  ) assertEquals(said(from, to), lines);
});
