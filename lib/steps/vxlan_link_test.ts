/** A node's end of the tunnels, as iproute2 6.1 tells of it and of what is in its way. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { show } from "../exec/command.ts";
import type { Probe } from "../stage/stage.ts";
import {
  readTunnelLink,
  tunnelIs,
  tunnelIsUp,
  tunnelMtuIs,
} from "./vxlan_link.ts";

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
    info_data: {
      ...{ id: 1, local: "10.0.1.11", port_range: { low: 0, high: 0 } },
      ...{ port: 8472, learning: false, ttl: 0, df: "unset", ageing: 300 },
      ...{ udp_csum: true, udp_zero_csum6_tx: false, udp_zero_csum6_rx: false },
    },
  },
}]);

const gone = 'Device "deno.vxlan" does not exist.';

function read(probe: Probe, stdout: string, stderr = "", code = 0) {
  return probe.read({ code, stdout, stderr });
}

Deno.test("nothing is there where the link is not, and an answer that is none is unknown", () => {
  for (const probe of [tunnelIs(end), tunnelIsUp(end), tunnelMtuIs(1450)]) {
    assertEquals(read(probe, "link \n", gone, 1).is, "absent");
    assertEquals(read(probe, "", "Operation not permitted", 2).is, "unknown");
    assertEquals(read(probe, "link garbage {").is, "unknown");
  }
  assertEquals(read(tunnelMtuIs(1450), link).is, "present");
  assertEquals(read(tunnelMtuIs(1350), link).is, "absent");
});

/** What may be otherwise of a link: in its answer, and in words. */
const others = [
  ['"id":1', '"id":2', "its VNI is 2, not 1"],
  ['"port":8472', '"port":4789', "its port is 4789, not 8472"],
  [
    '"local":"10.0.1.11"',
    '"local":"10.0.1.12"',
    "its packets come from 10.0.1.12, not from 10.0.1.11",
  ],
  [":8e", ":8f", "its MAC is 02:dc:e7:8d:34:8f, not 02:dc:e7:8d:34:8e"],
  ['"learning":false', '"learning":true', "it learns"],
  ['"ttl":0', '"ttl":1', 'it has the option "ttl 1"'],
  ['"ttl":0', '"gbp":true', 'it has the option "gbp"'],
  ['"ttl":0', '"group":"239.1.1.1"', 'it has the option "group 239.1.1.1"'],
  ['"ttl":0', '"link":"eth0"', 'it has the option "dev eth0"'],
  ['csum6_tx":false', 'csum6_tx":true', "udp6zerocsumtx"],
  ['"mtu":1450', '"mtu":1450,"master":"br0"', "it is a port of br0"],
] as const;

Deno.test("a tunnel's end with our mark is made anew where anything of it is otherwise, and one without it is refused", () => {
  assertEquals(read(tunnelIs(end), `link ${link}\n`), {
    is: "present",
    ours: true,
  });
  for (const [from, to, said] of others) {
    assert(link.includes(from), from);
    const other = link.replace(from, to);
    const answer = read(tunnelIs(end), `link ${other}\n`);
    assert(answer.is === "absent" && answer.ours, said);
    assertStringIncludes(answer.found ?? "", said);
    assertEquals(show(answer.replaces!), "ip link del deno.vxlan");
    const bare = other.replace('"ifalias":"deno-cni",', "");
    const foreign = read(tunnelIs(end), `link ${bare}\n`);
    assert(foreign.is === "different", said);
    assertStringIncludes(foreign.found, said);
  }
  const bare = link.replace('"ifalias":"deno-cni",', "");
  assertEquals(read(tunnelIs(end), `link ${bare}\n`).is, "unmarked");
  for (
    const [from, to, said] of [
      ['"ifalias":"deno-cni"', '"ifalias":"flannel"', "did not make"],
      ['vxlan","info_data', 'bridge","info_data', "is a bridge"],
    ] as const
  ) {
    const answer = read(tunnelIs(end), `link ${link.replace(from, to)}\n`);
    assert(answer.is === "different", said);
    assertStringIncludes(answer.found, said);
  }
});

const flannel =
  '[{"ifname":"flannel.1","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],' +
  '"linkinfo":{"info_kind":"vxlan","info_data":{"id":1,"local":"10.0.1.11",' +
  '"port":8472,"learning":false,"ttl":0,"udp_csum":true}}}]';

/** What is in the way, as vxlan_link.sh tells it; what is said of it, and what takes it away. */
const obstacles = [
  [
    `vxlans ${flannel}`,
    "flannel.1 is a vxlan with VNI 1 and port 8472 already",
    "ip link del flannel.1",
  ],
  [
    `vxlans ${
      flannel.replace('"id":1', '"external":true,"id":0')
        .replace('"local":"10.0.1.11",', "")
    }`,
    "flannel.1 is a vxlan with port 8472 and the option external",
    "ip link del flannel.1",
  ],
  [
    `moved aside ${
      flannel.replace('"flags"', '"link_netnsid":0,"flags"')
        .replace("flannel.1", "deno.vxlan")
    }`,
    "deno.vxlan in the network namespace aside is a vxlan with VNI 1",
    "ip -n aside link del deno.vxlan",
  ],
  [
    'socket UNCONN 0      0      0.0.0.0:8472 0.0.0.0:* users:(("deno",pid=246,fd=21))',
    "UDP port 8472 is taken (0.0.0.0:8472) by the process deno, pid 246",
    "kill 246",
  ],
] as const;

Deno.test("what has the tunnels' VNI or port is named ahead of what it would make fail, with what takes it away", () => {
  const down = link.replace('"UP","LOWER_UP"', '"PROMISC"');
  for (const [line, said, removed] of obstacles) {
    const absent = `link \n${line}\n`;
    const answer = read(tunnelIs(end), absent, gone, 1);
    assert(answer.is === "different", line);
    assertStringIncludes(answer.found, said);
    assertStringIncludes(answer.remedy, removed);
    const up = read(tunnelIsUp(end), `link ${down}\n${line}\n`);
    assert(up.is === "different", line);
    assertStringIncludes(up.found, said);
    // What undo asks is whether the link is there.
    assertEquals(read(tunnelIs(end), `link ${down}\n${line}\n`).is, "present");
  }
});

Deno.test("what shares the port, or has another one or another family, is in the way of nothing", () => {
  const obstacle = (line: string, at = end) =>
    readTunnelLink(`link \n${line}\n`, at).obstacle;
  const six = { ...end, local: "fd00:10:0:1::11" };
  const [, , , [socket]] = obstacles;
  for (
    const line of [
      `vxlans ${flannel.replace('"id":1', '"id":7')}`,
      `vxlans ${flannel.replace("8472", "4789")}`,
      `vxlans ${flannel.replace('"local":"10.0.1.11"', '"local6":"fd00::1"')}`,
      `vxlans ${link}`,
      `moved aside ${flannel}`,
      socket.replace("0.0.0.0:8472", "[::]:8472"),
      socket.replace(/users.*/, ""),
    ]
  ) assertEquals(obstacle(line), undefined, line);
  assertEquals(obstacle(`vxlans ${flannel}`, six), undefined);
  assertEquals(obstacle(socket, six), undefined);
  assert(obstacle(socket.replace("0.0.0.0:8472", "*:8472"), six));
  assertEquals(readTunnelLink(`link ${link}\n`, end).obstacle, undefined);
});
