// @ts-types="../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import {
  added,
  type Answer,
  config,
  none,
  onNode,
  type Pod,
  refused,
  type TestNode,
} from "./sandbox_testing.ts";

interface Attached {
  node: TestNode;
  pod: Pod;
  hostVeth: string;
  result: Answer;
  /** CHECK with that result, or another one; gives what it found, "" for nothing. */
  check(prevResult?: object): Promise<string>;
}

/** A test of CHECK with one pod attached. */
function attached(name: string, body: (on: Attached) => Promise<void>): void {
  onNode(name, async (node) => {
    const pod = await node.pod("p1");
    const added = await node.cni({ command: "ADD", pod });
    assertEquals(added.exit, 0, JSON.stringify(added));
    const hostVeth = added.json.interfaces?.[1]?.name ?? "";
    await body({
      node,
      pod,
      hostVeth,
      result: added.json,
      check: async (prevResult = added.json) => {
        const input = { ...config, prevResult };
        const { exit, json } = await node.cni({
          command: "CHECK",
          pod,
          input,
        });
        assertEquals(
          [exit, json.code],
          json.code === undefined ? [0, undefined] : [1, 105],
        );
        return json.msg ?? "";
      },
    });
  });
}

attached(
  "CHECK tolerates a MAC, an MTU, an address and a route that others set",
  async ({ pod, check }) => {
    for (
      const command of [
        cmd`ip link set eth0 address 02:42:0a:f4:01:99`,
        cmd`ip link set eth0 mtu 1400`,
        cmd`ip addr add 192.0.2.7/32 dev eth0`,
        cmd`ip route add 198.51.100.0/24 via 10.244.1.1`,
      ]
    ) {
      assertEquals((await pod.run(command)).code, 0);
    }
    assertEquals(await check(), "");
  },
);

attached(
  "CHECK tells each thing that was taken away in the pod",
  async ({ pod, check }) => {
    await pod.run(cmd`ip route del default`);
    assertStringIncludes(
      await check(),
      "the route to 0.0.0.0/0 by 10.244.1.1 is missing",
    );
    await pod.run(cmd`ip addr flush dev eth0`);
    const both = await check();
    assertStringIncludes(both, "eth0 does not have the address 10.244.1.2/24");
    assertStringIncludes(both, "the route to 0.0.0.0/0");
    await pod.run(cmd`ip link set eth0 down`);
    assertStringIncludes(await check(), "eth0 is down");
    await pod.run(cmd`ip link set eth0 name eth9`);
    assertStringIncludes(await check(), "there is no eth0");
  },
);

attached(
  "CHECK tells an address with another prefix length",
  async ({ pod, check }) => {
    await pod.run(cmd`ip addr flush dev eth0`);
    await pod.run(cmd`ip addr add 10.244.1.2/16 dev eth0`);
    await pod.run(cmd`ip route add default via 10.244.1.1`);
    assertStringIncludes(await check(), "10.244.1.2/24");
  },
);

attached("CHECK tells a route by another gateway", async ({ pod, check }) => {
  await pod.run(cmd`ip route replace default via 10.244.1.9`);
  assertStringIncludes(await check(), "by 10.244.1.1");
});

attached(
  "CHECK tells what is wrong on the node",
  async ({ node, hostVeth, check }) => {
    await node.must(cmd`ip link set ${hostVeth} nomaster`);
    assertStringIncludes(
      await check(),
      `${hostVeth} is not on the bridge cni0`,
    );
    await node.must(cmd`ip link set ${hostVeth} master cni0 down`);
    assertStringIncludes(await check(), `${hostVeth} is down`);
    await node.must(cmd`ip link set ${hostVeth} up`);
    await node.must(cmd`ip link set cni0 down`);
    assertStringIncludes(await check(), "cni0 is down");
    await node.must(cmd`ip link del cni0`);
    assertStringIncludes(await check(), "the bridge cni0 is missing");
    await node.must(cmd`ip link set ${hostVeth} alias ${"somebody else's"}`);
    assertStringIncludes(await check(), "the host veth");
  },
);

attached(
  "CHECK tells a lease that is gone or another one",
  async ({ node, result, check }) => {
    const moved = {
      ...result,
      ips: [{ ...result.ips?.[0], address: "10.244.1.9/24" }],
    };
    assertStringIncludes(await check(moved), "its lease is 10.244.1.2");
    await node.must(cmd`rm /run/deno-cni/networks/deno-cni/10.244.1.2`);
    assertStringIncludes(await check(), "no lease in 10.244.1.0/24");
  },
);

attached(
  "CHECK tells a prevResult that is not the pod's",
  async ({ result, check }) => {
    const interfaces = result.interfaces?.map((i) => ({
      ...i,
      name: "x" + i.name,
    }));
    assertStringIncludes(
      await check({ ...result, interfaces }),
      "no interface eth0",
    );
    assertStringIncludes(
      await check({ ...result, ips: [] }),
      "no address for eth0",
    );
  },
);

attached(
  "CHECK of a pod that is gone is code 3",
  async ({ node, pod, result }) => {
    await pod.end();
    const input = { ...config, prevResult: result };
    const { json } = await node.cni({ command: "CHECK", pod, input });
    assertEquals(json.code, 3);
  },
);

onNode(
  "CHECK tells what an ADD would have to put right on the bridge",
  async (node) => {
    const { subnet: _subnet, network: _network, ...rest } = config;
    const dual = { ...rest, subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"] };
    const pod = await node.pod("p1");
    const { json } = await added(node, { pod, input: dual });
    const check = {
      command: "CHECK",
      pod,
      input: { ...dual, prevResult: json },
    };
    assertEquals(await node.cni(check), none);
    const broken: [break_: string, mend: string, word: string][] = [
      [
        "ip addr del 10.244.1.1/24 dev cni0",
        "ip addr add 10.244.1.1/24 dev cni0",
        "10.244.1.1/24",
      ],
      [
        "ip addr del fd00:10:244:1::1/64 dev cni0",
        "ip addr add fd00:10:244:1::1/64 dev cni0",
        "fd00:10:244:1::1/64",
      ],
      [
        "sysctl -qw net.ipv6.conf.cni0.accept_ra=1",
        "sysctl -qw net.ipv6.conf.cni0.accept_ra=0",
        "accept_ra",
      ],
      [
        "sysctl -qw net.ipv6.conf.cni0.disable_ipv6=1",
        "sysctl -qw net.ipv6.conf.cni0.disable_ipv6=0; ip addr add fd00:10:244:1::1/64 dev cni0",
        "disable_ipv6",
      ],
    ];
    for (const [break_, mend, word] of broken) {
      await node.must(cmd`sh -c ${break_}`);
      await refused(node, check, 105, word);
      await node.must(cmd`sh -c ${mend}`);
      assertEquals(await node.cni(check), none, mend);
    }
  },
);
