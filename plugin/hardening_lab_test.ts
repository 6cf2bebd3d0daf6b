// @ts-types="../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import { run } from "../lib/exec/run.ts";
import { added, config, onNode } from "./sandbox_testing.ts";

const { subnet: _subnet, network: _network, ...rest } = config;
const dual = { ...rest, subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"] };

function skipped(name: string): void {
  Deno.test({ name: `${name} (needs python3)`, ignore: true, fn() {} });
}

const bridgeSettings = [
  "net.ipv6.conf.cni0.accept_ra",
  "net.ipv6.conf.cni0.accept_redirects",
  "net.ipv6.conf.cni0.accept_source_route",
  "net.ipv4.conf.cni0.accept_redirects",
  "net.ipv4.conf.cni0.accept_source_route",
];
const podSettings = [
  ...bridgeSettings.map((name) => name.replace("cni0", "eth0")),
  "net.ipv4.conf.all.accept_redirects",
];
const off = (settings: string[]) => settings.map(() => "0").join("\n");

onNode(
  "the bridge takes no advertisements, redirects or source routes of pods, with either family",
  async (node) => {
    // The worst that a node's defaults can be.
    for (const setting of bridgeSettings) {
      await node.must(cmd`sysctl -qw ${setting.replace("cni0", "default")}=1`);
    }
    await added(node, { pod: await node.pod("p1") });
    const read = await node.must(cmd`sysctl -n ${bridgeSettings}`);
    assertEquals(read.trim(), off(bridgeSettings));
  },
);

onNode(
  "a bridge that something else made, and that is up, is made safe too",
  async (node) => {
    await node.must(cmd`ip link add cni0 up type bridge`);
    await node.must(cmd`ip addr add 10.244.1.1/24 dev cni0`);
    for (const setting of bridgeSettings) {
      await node.must(cmd`sysctl -qw ${setting}=1`);
    }
    await added(node, { pod: await node.pod("p1") });
    const read = await node.must(cmd`sysctl -n ${bridgeSettings}`);
    assertEquals(read.trim(), off(bridgeSettings));
  },
);

onNode(
  "a stricter setting of the operator stays as it is",
  async (node) => {
    const strict = "net.ipv6.conf.cni0.accept_source_route";
    await added(node, { pod: await node.pod("p1") });
    await node.must(cmd`sysctl -qw ${strict}=-1`);
    await added(node, { pod: await node.pod("p2") });
    assertEquals((await node.must(cmd`sysctl -n ${strict}`)).trim(), "-1");
  },
);

onNode("pods take none of it from each other", async (node) => {
  for (const input of [config, dual]) {
    const pod = await node.pod(`p${JSON.stringify(input).length}`);
    await pod.run(
      cmd`sysctl -qw net.ipv4.conf.default.accept_source_route=1 net.ipv6.conf.default.accept_source_route=1`,
    );
    await added(node, { pod, input });
    const { stdout } = await pod.run(cmd`sysctl -n ${podSettings}`);
    assertEquals(stdout.trim(), off(podSettings));
  }
});

const noPython = await run(cmd`python3 --version`)
  .then(({ code }) => code !== 0, () => true);

(noPython ? skipped : onNode)(
  "a pod's router advertisement reaches neither the node nor another pod",
  async (node) => {
    const liar = await node.pod("liar");
    const other = await node.pod("other");
    await added(node, { pod: liar, input: dual });
    await added(node, { pod: other, input: dual });
    // ICMPv6 type 134, router lifetime 1800 s, to all nodes: the kernel adds the checksum.
    const advertise = `
      import socket, struct, time
      s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
      s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
      time.sleep(2.5) # Its link-local address is usable by then.
      s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0),
               ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))`
      .replaceAll("\n      ", "\n");
    const sent = await liar.run(cmd`python3 -c ${advertise}`);
    assertEquals(sent.code, 0, sent.stderr);
    const routes = cmd`ip -6 route show proto ra`;
    assertEquals(await node.must(routes), "");
    assertEquals((await other.run(routes)).stdout, "");
  },
);
