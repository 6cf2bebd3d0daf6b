// @ts-types="../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import { added, config, none, onNode, refused } from "./sandbox_testing.ts";

const modern = { ...config, cniVersion: "1.1.0" };
const status = { command: "STATUS", input: modern };

onNode(
  "STATUS is silent where an ADD would succeed, and makes nothing",
  async (node) => {
    assertEquals(await node.cni(status), none);
    assertEquals([await node.links(), await node.leases()], [[], []]);
    await added(node, { pod: await node.pod("p1") });
    assertEquals(await node.cni(status), none);
  },
);

onNode(
  "STATUS is 50 when the subnet is full, until an address is free",
  async (node) => {
    const input = { ...modern, subnet: "10.244.1.0/30" };
    const pod = await node.pod("p1");
    await added(node, { pod, input });
    await refused(node, { ...status, input }, 50, "10.244.1.0/30");
    assertEquals(await node.cni({ command: "DEL", pod, input }), none);
    assertEquals(await node.cni({ ...status, input }), none);
  },
);

onNode("STATUS is 50 when the store cannot be written", async (node) => {
  await node.must(cmd`mkdir -p /run/deno-cni`);
  await node.must(cmd`mount -t tmpfs -o ro none /run/deno-cni`);
  await refused(node, status, 50, "EROFS", "/run/deno-cni");
});

onNode("STATUS is 50 when the bridge is not ours to use", async (node) => {
  await node.must(cmd`ip link add cni0 type veth peer name else`);
  await refused(node, status, 50, "cni0");
  await node.must(cmd`ip link del cni0`);
  await node.must(cmd`ip link add cni0 type bridge`);
  await node.must(cmd`ip addr add 192.168.7.1/24 dev cni0`);
  await refused(node, status, 50, "192.168.7.1/24");
});

onNode("STATUS is 50 when no link can be made", async (node) => {
  const plugin = new URL("../dist/deno-cni", import.meta.url).pathname;
  const outcome = await node.run({
    ...cmd`setpriv --bounding-set -net_admin --inh-caps -net_admin ${plugin}`,
    stdin: JSON.stringify(modern),
  }, { CNI_COMMAND: "STATUS", CNI_PATH: "/", PATH: "/usr/bin:/bin" });
  const said = JSON.parse(outcome.stdout);
  assertEquals([outcome.code, said.code], [1, 50]);
});

onNode("STATUS waits for no lock", async (node) => {
  await added(node, { pod: await node.pod("p1") });
  const lock = "/run/deno-cni/networks/deno-cni/lock";
  const script = `flock ${lock} sh -c 'exec "$0" < "$1"' "$0" "$1"`;
  await node.must({
    ...cmd`tee /run/status.json`,
    stdin: JSON.stringify(modern),
  });
  const plugin = new URL("../dist/deno-cni", import.meta.url).pathname;
  const outcome = await node.run(
    cmd`sh -c ${script} ${plugin} /run/status.json`,
    {
      CNI_COMMAND: "STATUS",
      CNI_PATH: "/",
      PATH: "/usr/bin:/bin",
    },
  );
  assertEquals([outcome.code, outcome.stdout], [0, ""], outcome.stderr);
});

const { subnet: _subnet, network: _network, ...rest } = modern;
const dual = { ...rest, subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"] };

onNode(
  "STATUS is 50 wherever an ADD fails, and names the same cause",
  async (node) => {
    const off = cmd`sysctl -qw net.ipv6.conf.default.disable_ipv6=1`;
    const on = cmd`sysctl -qw net.ipv6.conf.default.disable_ipv6=0`;
    const cases: [what: string, input: object, setUp: string, ...string[]][] = [
      ["no IPv6 by default", dual, "true", "default.disable_ipv6=0"],
      [
        "no IPv6 on the bridge",
        dual,
        "ip link add cni0 type bridge",
        "sysctl -w net.ipv6.conf.cni0.disable_ipv6=0",
      ],
      ["an MTU below IPv6's", { ...dual, mtu: 1000 }, "true", "1000", "1280"],
      [
        "a gateway that no pod reaches",
        { ...modern, routes: [{ dst: "192.0.2.0/24", gw: "172.16.0.1" }] },
        "true",
        "172.16.0.1",
      ],
    ];
    for (const [what, input, setUp, ...words] of cases) {
      await node.must(what.startsWith("no IPv6") ? off : on);
      await node.must(cmd`sh -c ${setUp}`);
      await refused(node, { command: "STATUS", input }, 50, ...words);
      const add = await node.cni({
        command: "ADD",
        pod: await node.pod(what.replaceAll(/\W/g, "-")),
        input,
      });
      assertEquals(add.exit, 1, what);
      await node.run(cmd`ip link del cni0`);
    }
    await added(node, { pod: await node.pod("p1"), input: dual });
    assertEquals(await node.cni({ command: "STATUS", input: dual }), none);
  },
);
