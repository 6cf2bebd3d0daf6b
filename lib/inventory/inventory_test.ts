/** What a machine says of itself, read. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { type Host, readHost } from "./inventory.ts";
import { readLeases } from "./leases.ts";

const links = JSON.stringify([
  {
    ifindex: 2,
    link_index: 4,
    ifname: "eth0",
    flags: ["BROADCAST", "UP", "LOWER_UP"],
    mtu: 1500,
    operstate: "UP",
    address: "02:dc:43:c9:f0:d4",
    linkinfo: { info_kind: "veth" },
    addr_info: [
      { family: "inet", local: "10.0.1.11", prefixlen: 24, scope: "global" },
      { family: "inet6", local: "fe80::1", prefixlen: 64, scope: "link" },
    ],
  },
  {
    ifindex: 3,
    ifname: "cni0",
    flags: ["NO-CARRIER", "UP"],
    mtu: 1500,
    ifalias: "deno-cni",
    linkinfo: { info_kind: "bridge" },
    addr_info: [],
  },
  {
    ifindex: 4,
    link_index: 2,
    ifname: "vethabc",
    flags: ["BROADCAST"],
    mtu: 1400,
    linkinfo: { info_kind: "veth" },
    addr_info: [],
  },
  {},
]);

const podLinks = JSON.stringify([{
  ifindex: 2,
  link_index: 4,
  ifname: "eth0",
  flags: ["UP"],
  mtu: 1400,
  addr_info: [
    { family: "inet", local: "10.244.1.2", prefixlen: 24, scope: "global" },
  ],
}]);

const parts: readonly (readonly [string, string])[] = [
  ["journal", `{"version":1,"complete":["04-bridge"],"records":[]}\n`],
  ["links", links],
  [
    "routes",
    `[{"dst":"10.244.2.0/24","gateway":"10.0.1.12","dev":"eth0","protocol":"244"}]`,
  ],
  ["routes6", `[{"dst":"fe80::/64","dev":"eth0","protocol":"kernel"}]`],
  [
    "forward4",
    "-P FORWARD DROP\n-A FORWARD -s 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT\n",
  ],
  ["nat4", "-P POSTROUTING ACCEPT\n"],
  ["sysctl net.ipv4.ip_forward", "1\n"],
  ["plugins", "bridge\ndeno-cni\n"],
  ["list.path", "/etc/cni/net.d/10-deno-cni.conflist"],
  ["list", `{"name":"deno-cni"}\n`],
  [
    "leases",
    "/run/deno-cni/networks/deno-cni/10.244.1.2:c1\r\n" +
    "/run/deno-cni/networks/deno-cni/10.244.1.2:eth0\n",
  ],
  ["names", "cni-7 web-worker-1\nelsewhere coredns-1\n"],
  ["pod", "cni-7"],
  ["pod", "web"],
  ["pod.links", podLinks],
  ["pod.routes", `[{"dst":"default","gateway":"10.244.1.1"}]`],
  ["pod.routes6", "[]"],
  ["pod", "empty"],
  ["pod.links", "[]"],
];

function read(given: readonly (readonly [string, string])[]): Host {
  return readHost(given.map(([name, text]) => ({ name, text })), "worker-1");
}

Deno.test("a machine's answer gives its links, routes, rules, settings, configuration and stages", () => {
  const host = read(parts);
  assertEquals(host.complete, ["04-bridge"]);
  assertEquals(
    host.links.map(({ name, kind, up, carrier, peerIndex }) =>
      [name, kind, up, carrier, peerIndex].join(" ")
    ),
    [
      "eth0 veth true true 4",
      "cni0 bridge true false ",
      "vethabc veth false false 2",
    ],
  );
  assertEquals(host.links[0]?.addresses, [
    { address: "10.0.1.11", prefixLength: 24 },
  ]);
  assertEquals(host.routes, [{
    family: 4,
    to: "10.244.2.0/24",
    via: "10.0.1.12",
    dev: "eth0",
    protocol: "244",
  }]);
  assertEquals(host.forward, [{
    family: 4,
    policy: "DROP",
    rules: [
      "-A FORWARD -s 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT",
    ],
  }]);
  assertEquals(host.postrouting, [{ family: 4, policy: "ACCEPT", rules: [] }]);
  assertEquals(host.sysctls, { "net.ipv4.ip_forward": "1" });
  assertEquals(host.plugins, ["bridge", "deno-cni"]);
  assertEquals(host.list?.path, "/etc/cni/net.d/10-deno-cni.conflist");
});

Deno.test("a pod is joined to the host veth that names it and is named by it", () => {
  const [named, web, empty] = read(parts).pods;
  assertEquals([named?.name, named?.kubernetesName], ["cni-7", "web-worker-1"]);
  assertEquals(web?.name, "web");
  assertEquals(web?.hostLink?.name, "vethabc");
  assertEquals(web?.gateways, ["10.244.1.1"]);
  assertEquals(web?.addresses, [{ address: "10.244.1.2", prefixLength: 24 }]);
  assertEquals(empty, {
    name: "empty",
    links: [],
    addresses: [],
    gateways: [],
  });
  const moved = parts.map(([name, text]) =>
    [name, text.replace(`"link_index":2`, `"link_index":7`)] as const
  );
  assertEquals(read(moved).pods[1]?.hostLink, undefined);
});

Deno.test("a machine on which nothing was done has nothing", () => {
  const bare = read([["links", "[]"]]);
  assertEquals([bare.complete, bare.links, bare.pods], [[], [], []]);
  assertEquals(bare.forward, []);
});

Deno.test("leases are read with their owner, of every format, and those that name none are told apart", () => {
  assertEquals(
    readLeases(
      "/d/net/10.244.1.2:c1\r\n/d/net/10.244.1.2:eth0\n" +
        "/d/net/10.244.1.3:old\n/d/net/10.244.1.4:\n" +
        "/d/net/fd00::2:c6\r\n/d/net/fd00::2:eth0\n",
    ),
    [
      {
        address: "10.244.1.2",
        network: "net",
        path: "/d/net/10.244.1.2",
        containerID: "c1",
        ifname: "eth0",
      },
      {
        address: "10.244.1.3",
        network: "net",
        path: "/d/net/10.244.1.3",
        containerID: "old",
        ifname: "",
      },
      { address: "10.244.1.4", network: "net", path: "/d/net/10.244.1.4" },
      {
        address: "fd00::2",
        network: "net",
        path: "/d/net/fd00::2",
        containerID: "c6",
        ifname: "eth0",
      },
    ],
  );
});

Deno.test("a machine whose journal is damaged says the rest all the same", () => {
  const [, ...others] = parts;
  const host = read([["journal", "{"], ...others]);
  assertEquals(host.complete, []);
  assertEquals(host.plugins, ["bridge", "deno-cni"]);
  assertEquals(
    host.journalFault?.startsWith("worker-1: its journal is no journal"),
    true,
  );
  assertEquals("journalFault" in read(parts), false);
});
