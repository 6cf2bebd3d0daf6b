// @ts-types="../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import {
  added,
  type Call,
  config,
  none,
  onNode,
  refused,
} from "./sandbox_testing.ts";

interface IpLink {
  ifname: string;
  address: string;
  mtu: number;
  master?: string;
  ifalias?: string;
  flags: string[];
}

async function ipLink(output: Promise<string>): Promise<IpLink> {
  return JSON.parse(await output)[0];
}

onNode(
  "ADD gives the pod an interface, an address and a way out, and says so",
  async (node) => {
    const pod = await node.pod("p1");
    const { json } = await added(node, { pod });
    const bridge = await ipLink(node.must(cmd`ip -j link show cni0`));
    const [hostName] = (await node.links()).filter((name) =>
      name.startsWith("veth")
    );
    const host = await ipLink(node.must(cmd`ip -j link show ${hostName!}`));
    const eth0 = await ipLink(
      pod.run(cmd`ip -j link show eth0`).then((o) => o.stdout),
    );
    assertEquals<unknown>(json, {
      cniVersion: "1.0.0",
      interfaces: [
        { name: "cni0", mac: bridge.address },
        { name: hostName, mac: host.address },
        { name: "eth0", mac: eth0.address, sandbox: pod.netns },
      ],
      ips: [{ address: "10.244.1.2/24", gateway: "10.244.1.1", interface: 2 }],
      routes: [{ dst: "0.0.0.0/0", gw: "10.244.1.1" }],
    });
    assertEquals([bridge.ifalias, host.ifalias, host.master], [
      "deno-cni",
      "deno-cni deno-cni p1 eth0",
      "cni0",
    ]);
    const routes = await pod.run(cmd`ip route show`);
    assertStringIncludes(routes.stdout, "default via 10.244.1.1 dev eth0");
    assertEquals(await node.leases(), ["10.244.1.2"]);
  },
);

onNode("the addresses are usable when ADD returns", async (node) => {
  for (const name of ["p1", "p2"]) {
    const pod = await node.pod(name);
    await added(node, { pod });
    const ping = await pod.run(cmd`ping -c 1 -W 1 10.244.1.1`);
    assertEquals(ping.code, 0, ping.stdout);
  }
});

onNode("ADD and DEL leave nothing but the bridge", async (node) => {
  const pod = await node.pod("p1");
  await added(node, { pod });
  assertEquals(await node.cni({ command: "DEL", pod }), none);
  assertEquals(await node.links(), ["cni0"]);
  assertEquals(await node.leases(), []);
  const inside = await pod.run(cmd`ip -j link show`);
  assertEquals(JSON.parse(inside.stdout).length, 1);
});

onNode(
  "DEL succeeds again and again, with no namespace, a wrong one or one that is gone",
  async (node) => {
    const pod = await node.pod("p1");
    assertEquals(await node.cni({ command: "DEL", pod }), none);
    for (
      const netns of ["", undefined, "/proc/999999999/ns/net", "/etc/passwd"]
    ) {
      await added(node, { pod });
      const env = { CNI_NETNS: netns };
      assertEquals(await node.cni({ command: "DEL", pod, env }), none);
      assertEquals(await node.cni({ command: "DEL", pod, env }), none);
      assertEquals([await node.links(), await node.leases()], [["cni0"], []]);
    }
    await added(node, { pod });
    await pod.end();
    assertEquals(await node.cni({ command: "DEL", pod }), none);
    assertEquals(await node.leases(), []);
  },
);

onNode(
  "DEL of one attachment leaves the others of its container and of other networks",
  async (node) => {
    const pod = await node.pod("p1");
    const other = { ...config, name: "other", subnet: "10.244.1.0/24" };
    await added(node, { pod });
    await added(node, { pod, ifname: "eth1" });
    await added(node, { pod, ifname: "eth2", input: other });
    assertEquals(await node.cni({ command: "DEL", pod }), none);
    const left = await pod.run(cmd`ip -j link show type veth`);
    const names = JSON.parse(left.stdout).map((link: IpLink) => link.ifname);
    assertEquals(names, ["eth1", "eth2"]);
    assertEquals(await node.leases(), ["10.244.1.3"]);
    assertEquals(await node.leases("other"), ["10.244.1.2"]);
  },
);

onNode(
  "ADD on an interface name that is taken fails and leaves nothing",
  async (node) => {
    const pod = await node.pod("p1");
    await pod.run(cmd`ip link add eth0 type veth peer name else`);
    await refused(node, { command: "ADD", pod }, 101, "eth0", pod.netns, "DEL");
    assertEquals([await node.links(), await node.leases()], [[], []]);
  },
);

onNode(
  "ADD twice fails the second time and leaves the first as it was",
  async (node) => {
    const pod = await node.pod("p1");
    const { json } = await added(node, { pod });
    await refused(node, { command: "ADD", pod }, 101, "eth0");
    const elsewhere = { ...await node.pod("else"), name: "p1" };
    await refused(node, { command: "ADD", pod: elsewhere }, 101, "DEL");
    assertEquals(await node.leases(), ["10.244.1.2"]);
    const check = {
      command: "CHECK",
      pod,
      input: { ...config, prevResult: json },
    };
    assertEquals(await node.cni(check), none);
  },
);

onNode(
  "ADD makes a missing bridge again, and uses one that has no address yet",
  async (node) => {
    await added(node, { pod: await node.pod("p1") });
    await node.must(cmd`ip link del cni0`);
    await added(node, { pod: await node.pod("p2") });
    assertStringIncludes(
      await node.must(cmd`ip addr show cni0`),
      "inet 10.244.1.1/24",
    );
    await node.must(cmd`ip addr del 10.244.1.1/24 dev cni0`);
    await node.must(cmd`ip link set cni0 down`);
    await added(node, { pod: await node.pod("p3") });
    const bridge = await node.must(cmd`ip addr show cni0`);
    assertStringIncludes(bridge, "inet 10.244.1.1/24");
    assertMatch(bridge, /[<,]UP[,>]/);
  },
);

onNode(
  "a bridge with another address, and a link that is no bridge, are refused",
  async (node) => {
    const pod = await node.pod("p1");
    await node.must(cmd`ip link add cni0 type bridge`);
    await node.must(cmd`ip addr add 192.168.7.1/24 dev cni0`);
    await refused(
      node,
      { command: "ADD", pod },
      102,
      "192.168.7.1/24",
      "10.244.1.1/24",
    );
    await node.must(cmd`ip link del cni0`);
    await node.must(cmd`ip link add cni0 type veth peer name else`);
    await refused(node, { command: "ADD", pod }, 102, "cni0", "veth");
    assertEquals(await node.leases(), []);
  },
);

onNode(
  "the pod's namespace may not be the node's own, unless the caller insists",
  async (node) => {
    const pod = { ...await node.pod("p1"), netns: `/proc/${node.pid}/ns/net` };
    await refused(node, { command: "ADD", pod }, 8, pod.netns);
    assertEquals(await node.links(), []);
    for (const CNI_NETNS_OVERRIDE of ["1", "true"]) {
      await added(node, { pod, env: { CNI_NETNS_OVERRIDE } });
      assertEquals(await node.cni({ command: "DEL", pod }), none);
    }
    await refused(node, {
      command: "ADD",
      pod,
      env: { CNI_NETNS_OVERRIDE: "yes" },
    }, 8);
  },
);

onNode(
  "a namespace that is gone is code 3, a path that is none code 4",
  async (node) => {
    const pod = await node.pod("p1");
    const asked = (netns: string) => ({
      command: "ADD",
      pod,
      env: { CNI_NETNS: netns },
    });
    await refused(
      node,
      asked("/proc/999999999/ns/net"),
      3,
      "/proc/999999999/ns/net",
    );
    await refused(node, asked("/etc/passwd"), 4, "/etc/passwd");
    await refused(node, asked("/proc/self/ns/uts"), 4, "/proc/self/ns/uts");
    assertEquals([await node.links(), await node.leases()], [[], []]);
  },
);

onNode(
  "a full subnet refuses the next ADD and leaves no veth",
  async (node) => {
    const input = { ...config, subnet: "10.244.1.0/30" };
    await added(node, { pod: await node.pod("p1"), input });
    const pod = await node.pod("p2");
    await refused(node, { command: "ADD", pod, input }, 103, "10.244.1.0/30");
    const inside = await pod.run(cmd`ip -j link show`);
    assertEquals(JSON.parse(inside.stdout).length, 1);
    assertEquals(await node.leases(), ["10.244.1.2"]);
  },
);

onNode(
  "an address is given when CNI_ARGS, runtimeConfig or args ask for it",
  async (node) => {
    const wishes: Omit<Call, "command">[] = [
      { env: { CNI_ARGS: "IgnoreUnknown=1;IP=10.244.1.77" } },
      { input: { ...config, runtimeConfig: { ips: ["10.244.1.77/24"] } } },
      { input: { ...config, args: { cni: { ips: ["10.244.1.77"] } } } },
    ];
    const pod = await node.pod("p1");
    for (const wish of wishes) {
      const { json } = await added(node, { pod, ...wish });
      assertEquals(json.ips?.[0]?.address, "10.244.1.77/24");
      const second = await node.pod("p2");
      await refused(
        node,
        { command: "ADD", pod: second, ...wish },
        104,
        "10.244.1.77",
      );
      assertEquals(await node.cni({ command: "DEL", pod }), none);
    }
  },
);

onNode(
  "the pod's MTU is the smallest on the ways out and to the other nodes unless told",
  async (node) => {
    await node.must(cmd`ip link add uplink mtu 1450 type veth peer name far`);
    await node.must(cmd`ip link set far up`);
    await node.must(cmd`ip link set uplink up`);
    await node.must(cmd`ip addr add 192.0.2.2/24 dev uplink`);
    await node.must(cmd`ip route add default via 192.0.2.1`);
    const mtuOf = async (name: string, input: object) => {
      const pod = await node.pod(name);
      await added(node, { pod, input });
      return (await ipLink(
        pod.run(cmd`ip -j link show eth0`).then((o) => o.stdout),
      )).mtu;
    };
    assertEquals(await mtuOf("p1", config), 1450);
    assertEquals(await mtuOf("p2", { ...config, mtu: 1400 }), 1400);

    // The other nodes are in another network, with less room; so is what a route says.
    await node.must(cmd`ip link add apart mtu 1420 type veth peer name far2`);
    await node.must(cmd`ip link set far2 up`);
    await node.must(cmd`ip link set apart up`);
    await node.must(cmd`ip addr add 203.0.113.2/24 dev apart`);
    const peers = ["203.0.113.3"];
    assertEquals(await mtuOf("p3", { ...config, peers }), 1420);
    await node.must(cmd`ip route add 203.0.113.3 dev apart mtu 1390`);
    assertEquals(await mtuOf("p4", { ...config, peers }), 1390);
    assertEquals(await mtuOf("p5", { ...config, peers, mtu: 1500 }), 1500);
    await node.must(cmd`ip route change default via 192.0.2.1 mtu lock 1300`);
    assertEquals(await mtuOf("p6", { ...config, peers }), 1300);
    // A pod of IPv4 is not bound by what is on the way of IPv6.
    assertEquals(await mtuOf("p7", { ...config, peers: ["::1"] }), 1300);
  },
);

onNode(
  "a MAC that is asked for, hairpin mode, routes and dns arrive",
  async (node) => {
    const pod = await node.pod("p1");
    const dns = { nameservers: ["10.96.0.10"], search: ["cluster.local"] };
    const routes = [{ dst: "10.96.0.0/12" }, {
      dst: "192.0.2.0/24",
      gw: "10.244.1.9",
    }];
    const input = {
      ...config,
      cniVersion: "1.1.0",
      hairpinMode: true,
      dns,
      routes: [...routes, { dst: "198.51.100.0/24", mtu: 1300, priority: 7 }],
      runtimeConfig: { mac: "02:42:0A:F4:01:02" },
    };
    const { json } = await added(node, { pod, input });
    assertEquals(json.dns, dns);
    assertEquals(json.routes?.map(({ dst, gw }) => `${dst} ${gw}`), [
      "10.96.0.0/12 10.244.1.1",
      "192.0.2.0/24 10.244.1.9",
      "198.51.100.0/24 10.244.1.1",
      "0.0.0.0/0 10.244.1.1",
    ]);
    assertEquals(json.interfaces?.[2]?.mac, "02:42:0a:f4:01:02");
    const shown = await pod.run(cmd`ip route show`);
    assertStringIncludes(shown.stdout, "10.96.0.0/12 via 10.244.1.1");
    assertStringIncludes(shown.stdout, "192.0.2.0/24 via 10.244.1.9");
    assertMatch(
      shown.stdout,
      /198.51.100.0\/24 via 10.244.1.1 dev eth0 metric 7 mtu 1300/,
    );
    const host = json.interfaces?.[1]?.name ?? "";
    const details = await node.must(cmd`ip -d link show ${host}`);
    assertStringIncludes(details, "hairpin on");
    const check = {
      command: "CHECK",
      pod,
      input: { ...input, prevResult: json },
    };
    assertEquals(await node.cni(check), none);
  },
);

onNode(
  "a route that cannot be made fails ADD, which takes everything back",
  async (node) => {
    const pod = await node.pod("p1");
    const input = {
      ...config,
      routes: [{ dst: "192.0.2.0/24", gw: "172.16.0.1" }],
    };
    await refused(
      node,
      { command: "ADD", pod, input },
      100,
      "192.0.2.0/24",
      "172.16.0.1",
      "ENETUNREACH",
    );
    assertEquals([await node.links(), await node.leases()], [["cni0"], []]);
    const inside = await pod.run(cmd`ip -j link show`);
    assertEquals(JSON.parse(inside.stdout).length, 1);
  },
);

onNode(
  "a result of every version is what that version says, and CHECK takes it back",
  async (node) => {
    const pod = await node.pod("p1");
    for (
      const cniVersion of [
        "0.1.0",
        "0.2.0",
        "0.3.0",
        "0.3.1",
        "0.4.0",
        "1.0.0",
        "1.1.0",
      ]
    ) {
      const input = { ...config, cniVersion };
      const { json } = await added(node, { pod, input });
      assertEquals(json.cniVersion, cniVersion);
      assertEquals("ip4" in json, cniVersion < "0.3.0");
      assertEquals("ips" in json, cniVersion >= "0.3.0");
      assertEquals("dns" in json, cniVersion < "1.0.0");
      const check = {
        command: "CHECK",
        pod,
        input: { ...input, prevResult: json },
      };
      if (cniVersion >= "0.4.0") assertEquals(await node.cni(check), none);
      else await refused(node, check, 1, cniVersion, "0.4.0");
      assertEquals(await node.cni({ command: "DEL", pod, input }), none);
    }
  },
);

onNode("ADD behind another plugin keeps what that one did", async (node) => {
  const pod = await node.pod("p1");
  const prevResult = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "tun0", sandbox: pod.netns }],
    ips: [{ address: "192.0.2.9/24", interface: 0 }],
    routes: [{ dst: "192.0.2.0/24" }],
    dns: { nameservers: ["192.0.2.1"] },
  };
  const { json } = await added(node, { pod, input: { ...config, prevResult } });
  assertEquals(
    json.interfaces?.map(({ name }) => name).filter((n) =>
      !n.startsWith("veth")
    ),
    [
      "tun0",
      "cni0",
      "eth0",
    ],
  );
  assertEquals(json.ips?.map(({ interface: at }) => at), [0, 3]);
  assertEquals(json.routes?.map(({ dst }) => dst), [
    "192.0.2.0/24",
    "0.0.0.0/0",
  ]);
  assertEquals(json.dns, prevResult.dns);
});

onNode(
  "names that are too long for an alias are hashed in it, and still keep apart",
  async (node) => {
    const long = { ...config, name: "n".repeat(200) };
    const first = { ...await node.pod("p1"), name: "a".repeat(120) };
    const second = { ...await node.pod("p2"), name: "a".repeat(119) + "b" };
    await added(node, { pod: first, input: long });
    await added(node, { pod: second, input: long });
    assertEquals(
      await node.cni({ command: "DEL", pod: first, input: long }),
      none,
    );
    assertEquals((await node.links()).length, 2);
    assertEquals((await node.leases(long.name)).length, 1);
    assertEquals(
      await node.cni({ command: "DEL", pod: second, input: long }),
      none,
    );
    assertEquals(await node.links(), ["cni0"]);
  },
);

onNode(
  "a link that has taken the host veth's name is passed by",
  async (node) => {
    const pod = await node.pod("p1");
    await added(node, { pod });
    const [name] = (await node.links()).filter((one) => one.startsWith("veth"));
    assertEquals(await node.cni({ command: "DEL", pod }), none);
    await node.must(cmd`ip link add ${name!} type veth peer name else`);
    await node.must(cmd`ip link set ${name!} alias ${"somebody else's"}`);
    const { json } = await added(node, { pod });
    assert(json.interfaces?.[1]?.name !== name);
    assertEquals(await node.cni({ command: "DEL", pod }), none);
    assertEquals((await node.links()).sort(), ["cni0", "else", name!].sort());
  },
);
