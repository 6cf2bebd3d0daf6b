// @ts-types="../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, withInput } from "../lib/exec/command.ts";
import {
  added,
  config,
  none,
  onNode,
  refused,
  type TestNode,
} from "./sandbox_testing.ts";

const { subnet: _subnet, network: _network, ...rest } = config;
const dual = {
  ...rest,
  networks: ["10.244.0.0/16", "fd00:10:244::/48"],
  subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"],
};
const six = { ...rest, subnet: "fd00:10:244:1::/64" };

async function pinged(
  node: TestNode,
  input: object,
  ...addresses: string[]
): Promise<void> {
  const pod = await node.pod("p1");
  await added(node, { pod, input });
  for (const address of addresses) {
    const ping = await pod.run(cmd`ping -c 1 -W 1 ${address}`);
    assertEquals(ping.code, 0, `${ping.stdout}${ping.stderr}`);
  }
}

onNode(
  "a router advertisement's MTU counts for a pod that has IPv6, and for no other",
  async (node) => {
    await node.must(cmd`ip link add uplink type veth peer name far`);
    await node.must(cmd`ip link set far up`);
    await node.must(cmd`ip link set uplink up`);
    await node.must(cmd`ip addr add 192.0.2.2/24 dev uplink`);
    await node.must(cmd`ip addr add fd00:192::2/64 dev uplink nodad`);
    await node.must(cmd`ip route add default via 192.0.2.1`);
    await node.must(cmd`ip -6 route add default via fd00:192::1`);
    // What the kernel sets where an advertisement has the option MTU.
    await node.must(cmd`sysctl -qw net.ipv6.conf.uplink.mtu=1380`);
    const cases = [[dual, "mtu 1380"], [config, "mtu 1500"]] as const;
    for (const [at, [input, mtu]] of cases.entries()) {
      const pod = await node.pod(`p${at}`);
      await added(node, { pod, input });
      const { stdout } = await pod.run(cmd`ip link show eth0`);
      assertStringIncludes(stdout, mtu);
    }
  },
);

onNode("a pod with both families has both, usable at once", async (node) => {
  const pod = await node.pod("p1");
  const { json } = await added(node, { pod, input: dual });
  assertEquals(json.ips, [
    { address: "10.244.1.2/24", gateway: "10.244.1.1", interface: 2 },
    {
      address: "fd00:10:244:1::2/64",
      gateway: "fd00:10:244:1::1",
      interface: 2,
    },
  ]);
  assertEquals(json.routes, [
    { dst: "0.0.0.0/0", gw: "10.244.1.1" },
    { dst: "::/0", gw: "fd00:10:244:1::1" },
  ]);
  const shown = await pod.run(cmd`ip -6 addr show dev eth0 scope global`);
  assertEquals(shown.stdout.includes("tentative"), false, shown.stdout);
  for (const address of ["10.244.1.1", "fd00:10:244:1::1"]) {
    assertEquals((await pod.run(cmd`ping -c 1 -W 1 ${address}`)).code, 0);
  }
  const check = { command: "CHECK", pod, input: { ...dual, prevResult: json } };
  assertEquals(await node.cni(check), none);
  await pod.run(cmd`ip -6 route del default`);
  await refused(node, check, 105, "::/0");
  assertEquals((await node.leases()).sort(), [
    "10.244.1.2",
    "fd00:10:244:1::2",
  ]);
  assertEquals(await node.cni({ command: "DEL", pod, input: dual }), none);
  assertEquals([await node.leases(), await node.links()], [[], ["cni0"]]);
});

onNode("pods of both families reach each other at once", async (node) => {
  const first = await node.pod("p0");
  await added(node, { pod: first, input: dual });
  await pinged(node, dual, "10.244.1.2", "fd00:10:244:1::2");
});

onNode("a pod may have IPv6 alone", async (node) => {
  await pinged(node, six, "fd00:10:244:1::1");
  assertEquals(await node.leases(), ["fd00:10:244:1::2"]);
  const bridge = await node.must(cmd`ip -4 addr show cni0`);
  assertEquals(bridge.trim(), "");
});

onNode("a pod whose IPv6 is switched off gets it on", async (node) => {
  const pod = await node.pod("p1");
  await pod.run(
    cmd`sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1`,
  );
  await added(node, { pod, input: dual });
  const shown = await pod.run(cmd`ip -6 addr show dev eth0`);
  assertStringIncludes(shown.stdout, "fd00:10:244:1::2/64");
});

onNode(
  "a bridge whose IPv6 is switched off is told with its remedy, and nothing stays",
  async (node) => {
    await node.must(cmd`sysctl -qw net.ipv6.conf.default.disable_ipv6=1`);
    const pod = await node.pod("p1");
    await refused(
      node,
      { command: "ADD", pod, input: dual },
      100,
      "sysctl",
      "cni0",
    );
    assertEquals([await node.links(), await node.leases()], [["cni0"], []]);
  },
);

onNode(
  "a bridge with another IPv6 address is refused, its link-local one is not",
  async (node) => {
    await node.must(cmd`ip link add cni0 type bridge`);
    await node.must(cmd`ip link set cni0 up`);
    await added(node, { pod: await node.pod("p1"), input: dual });
    await node.must(cmd`ip addr del fd00:10:244:1::1/64 dev cni0`);
    await node.must(cmd`ip addr add fd00:9::1/64 dev cni0`);
    const pod = await node.pod("p2");
    await refused(
      node,
      { command: "ADD", pod, input: dual },
      102,
      "fd00:9::1/64",
    );
    assertEquals((await node.leases()).length, 2);
  },
);

onNode("when one family is full the other keeps nothing", async (node) => {
  const input = { ...rest, subnets: ["10.244.1.0/30", "fd00:10:244:1::/64"] };
  await added(node, { pod: await node.pod("p1"), input });
  const pod = await node.pod("p2");
  await refused(node, { command: "ADD", pod, input }, 103, "10.244.1.0/30");
  assertEquals((await node.leases()).sort(), [
    "10.244.1.2",
    "fd00:10:244:1::2",
  ]);
});

onNode(
  "results of all versions carry both families in their own way",
  async (node) => {
    const pod = await node.pod("p1");
    const said = async (cniVersion: string) => {
      const input = { ...dual, cniVersion };
      const { json } = await added(node, { pod, input });
      assertEquals(await node.cni({ command: "DEL", pod, input }), none);
      return JSON.parse(JSON.stringify(json));
    };
    const oldest = await said("0.2.0");
    assertEquals(oldest.ip6.routes, [{ dst: "::/0", gw: "fd00:10:244:1::1" }]);
    assertEquals(oldest.ip4.gateway, "10.244.1.1");
    const middle = await said("0.4.0");
    assertEquals(middle.ips.map((ip: { version: string }) => ip.version), [
      "4",
      "6",
    ]);
    assertEquals("version" in (await said("1.1.0")).ips[0], false);
  },
);

onNode("an address of each family may be asked for", async (node) => {
  const ips = ["10.244.1.40", "fd00:10:244:1::40/64"];
  const input = { ...dual, runtimeConfig: { ips } };
  const { json } = await added(node, { pod: await node.pod("p1"), input });
  assertEquals(json.ips?.map(({ address }) => address), [
    "10.244.1.40/24",
    "fd00:10:244:1::40/64",
  ]);
});

/** Namespaces that begin and end: the kernel's work on each is done one after the other. */
const endingNamespaces = `
  end() {
    unshare -n sh -c '
      ip link add a type veth peer name b
      ip link set a up
      ip addr add fd00::1/64 dev a nodad
      for at in 1 2 3 4 5 6 7 8; do ip link add type veth; done'
  }
  while [ -e /run/busy ]; do
    for at in 1 2 3 4 5 6 7 8 9 10 11 12; do end & done
    wait
  done`;

onNode(
  "what is asked for an IPv6 address is heard once ADD has answered, also while namespaces end",
  async (node) => {
    const pods = await Promise.all(
      Array.from({ length: 12 }, (_, at) => node.pod(`p${at}`)),
    );
    await node.must(cmd`touch /run/busy`);
    const busy = [1, 2].map(() => node.run(cmd`sh -c ${endingNamespaces}`));
    try {
      for (const [at, { name, netns }] of pods.entries()) {
        // One shell, so that no time passes between the answer and the look.
        const look =
          `${node.plugin} >&2; exec nsenter --net="$CNI_NETNS" cat /proc/net/igmp6`;
        const { stdout, stderr } = await node.run(
          withInput(
            cmd`sh -c ${`{ ${look}; } 2>&1 | cat`}`,
            JSON.stringify(six),
          ),
          {
            CNI_COMMAND: "ADD",
            CNI_CONTAINERID: name,
            CNI_NETNS: netns,
            CNI_IFNAME: "eth0",
            CNI_PATH: "/usr/lib/cni",
          },
        );
        const last = (at + 2).toString(16).padStart(2, "0");
        assertStringIncludes(
          stdout,
          `fd00:10:244:1::${(at + 2).toString(16)}/64`,
        );
        const group = `ff0200000000000000000001ff0000${last}`;
        assertStringIncludes(stdout, group, stderr);
      }
    } finally {
      await node.must(cmd`rm /run/busy`);
      await Promise.all(busy);
    }
  },
);
