/** What the kernel has of tunnels, as iproute2 6.1 tells it. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import type { Probe } from "../stage/stage.ts";
import {
  forwardingEntryIs,
  neighbourIs,
  routeThroughTunnel,
} from "./vxlan_probes.ts";

const mac = "02:dc:e7:8d:34:8e";

function read(probe: Probe, stdout: string, stderr = "", code = 0) {
  return probe.read({ code, stdout, stderr });
}

Deno.test("nothing is there where the link is not, by each program's words for it", () => {
  for (
    const [probe, code, said] of [
      [
        forwardingEntryIs(mac, "10.0.2.12"),
        255,
        'Cannot find device "deno.vxlan"',
      ],
      [
        neighbourIs("10.244.2.0", mac),
        1,
        'Cannot find device "deno.vxlan"',
      ],
    ] as const
  ) assertEquals(read(probe, "", said, code).is, "absent", said);
});

Deno.test("an answer that is none is unknown", () => {
  for (
    const probe of [
      forwardingEntryIs(mac, "10.0.2.12"),
      neighbourIs("10.244.2.0", mac),
      routeThroughTunnel("10.244.2.0/24", "10.244.2.0"),
    ]
  ) {
    assertEquals(read(probe, "", "Operation not permitted", 2).is, "unknown");
    assertEquals(read(probe, "garbage {").is, "unknown");
  }
});

Deno.test("an entry or a neighbour that is another one is made again", () => {
  const entry =
    `[{"mac":"${mac}","dst":"10.0.2.12","flags":["self"],"state":"permanent"}]`;
  const right = forwardingEntryIs(mac, "10.0.2.12");
  assertEquals(read(right, entry).is, "present");
  assertEquals(read(right, entry.replace(".12", ".13")).is, "absent");
  assertEquals(read(right, entry.replace("permanent", "")).is, "absent");
  for (const astray of ['"port":4789', '"vni":77', '"viaIf":"cni0"']) {
    const other = entry.replace('"flags"', `${astray},"flags"`);
    assertEquals(read(right, other).is, "absent", astray);
  }
  const known =
    `[{"dst":"10.244.2.0","lladdr":"${mac}","state":["PERMANENT"]}]`;
  const neighbour = neighbourIs("10.244.2.0", mac);
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
