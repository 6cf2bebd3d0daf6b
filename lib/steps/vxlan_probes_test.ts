/** What the kernel has of tunnels, as iproute2 6.1 tells it. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Probe } from "../stage/stage.ts";
import {
  forwardingEntryIs,
  neighbourIs,
  routeThroughTunnel,
  tunnelIs,
  tunnelMtuIs,
} from "./vxlan_probes.ts";

const end = {
  vni: 1,
  port: 8472,
  local: "10.0.1.11",
  mac: "02:dc:e7:8d:34:8e",
};

const link = JSON.stringify([{
  ifname: "deno.vxlan",
  flags: ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
  mtu: 1450,
  address: end.mac,
  ifalias: "deno-cni",
  linkinfo: {
    info_kind: "vxlan",
    info_data: { id: 1, local: "10.0.1.11", port: 8472, learning: false },
  },
}]);

function read(probe: Probe, stdout: string, stderr = "", code = 0) {
  return probe.read({ code, stdout, stderr });
}

Deno.test("nothing is there where the link is not, by each program's words for it", () => {
  for (
    const [probe, code, said] of [
      [tunnelIs(end), 1, 'Device "deno.vxlan" does not exist.'],
      [tunnelMtuIs(1450), 1, 'Device "deno.vxlan" does not exist.'],
      [
        forwardingEntryIs(end.mac, "10.0.2.12"),
        255,
        'Cannot find device "deno.vxlan"',
      ],
      [
        neighbourIs("10.244.2.0", end.mac),
        1,
        'Cannot find device "deno.vxlan"',
      ],
    ] as const
  ) assertEquals(read(probe, "", said, code).is, "absent", said);
});

Deno.test("an answer that is none is unknown", () => {
  for (
    const probe of [
      tunnelIs(end),
      tunnelMtuIs(1450),
      forwardingEntryIs(end.mac, "10.0.2.12"),
      neighbourIs("10.244.2.0", end.mac),
      routeThroughTunnel("10.244.2.0/24", "10.244.2.0"),
    ]
  ) {
    assertEquals(read(probe, "", "Operation not permitted", 2).is, "unknown");
    assertEquals(read(probe, "garbage {").is, "unknown");
  }
});

Deno.test("a tunnel's end is ours with our mark, and refused where anything of it is otherwise", () => {
  assertEquals(read(tunnelIs(end), link), { is: "present", ours: true });
  for (
    const [from, to, said] of [
      ['"id":1', '"id":2', "its VNI is 2, not 1"],
      ['"port":8472', '"port":4789', "its port is 4789, not 8472"],
      [
        '"local":"10.0.1.11"',
        '"local":"10.0.1.12"',
        "its packets come from 10.0.1.12, not from 10.0.1.11",
      ],
      [":8e", ":8f", "its MAC is 02:dc:e7:8d:34:8f, not 02:dc:e7:8d:34:8e"],
      ['"learning":false', '"learning":true', "it learns"],
      ['"ifalias":"deno-cni"', '"ifalias":"flannel"', "did not make"],
      ['vxlan","info_data', 'geneve","info_data', "is a geneve"],
    ] as const
  ) {
    assert(link.includes(from), from);
    const answer = read(tunnelIs(end), link.replace(from, to));
    assert(answer.is === "different", said);
    assertStringIncludes(answer.found, said);
  }
  const bare = link.replace('"ifalias":"deno-cni",', "");
  assertEquals(read(tunnelIs(end), bare).is, "unmarked");
});

Deno.test("an MTU, an entry or a neighbour that is another one is made again", () => {
  assertEquals(read(tunnelMtuIs(1450), link).is, "present");
  assertEquals(read(tunnelMtuIs(1350), link).is, "absent");
  const entry =
    `[{"mac":"${end.mac}","dst":"10.0.2.12","flags":["self"],"state":"permanent"}]`;
  const right = forwardingEntryIs(end.mac, "10.0.2.12");
  assertEquals(read(right, entry).is, "present");
  assertEquals(read(right, entry.replace(".12", ".13")).is, "absent");
  assertEquals(read(right, entry.replace("permanent", "")).is, "absent");
  const known =
    `[{"dst":"10.244.2.0","lladdr":"${end.mac}","state":["PERMANENT"]}]`;
  const neighbour = neighbourIs("10.244.2.0", end.mac);
  assertEquals(read(neighbour, known).is, "present");
  assertEquals(read(neighbour, "[]").is, "absent");
  assertEquals(read(neighbour, known.replace(":8e", ":8f")).is, "absent");
});

Deno.test("a route of ours by another way is made again, and one of somebody else's refused", () => {
  const probe = routeThroughTunnel("10.244.2.0/24", "10.244.2.0");
  const route =
    '[{"dst":"10.244.2.0/24","gateway":"10.244.2.0","dev":"deno.vxlan","protocol":"244"}]';
  assertEquals(read(probe, route), { is: "present", ours: true });
  assertEquals(read(probe, "[]").is, "absent");
  assertEquals(read(probe, route.replace("deno.vxlan", "eth0")).is, "absent");
  assertEquals(read(probe, route.replace('244"}', 'static"}')).is, "different");
});
