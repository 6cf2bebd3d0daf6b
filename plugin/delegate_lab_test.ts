// @ts-types="../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import {
  added,
  config,
  needsRoot,
  none,
  onNode as onAnyNode,
  type Pod,
  refused,
  type TestNode,
} from "./sandbox_testing.ts";

/** The reference's IPAM plugins, from Debian's containernetworking-plugins. */
const reference = "/usr/lib/cni";
const missing = !needsRoot &&
  await Deno.stat(`${reference}/host-local`).then(() => false, () => true);

function onNode(name: string, body: (node: TestNode) => Promise<void>): void {
  const full = `${name} (needs containernetworking-plugins)`;
  if (missing) Deno.test({ name: full, ignore: true, fn() {} });
  else onAnyNode(full, body);
}

const { subnet, network: _, ...rest } = config;
const hostLocal = {
  ...rest,
  ipam: {
    type: "host-local",
    ranges: [[{ subnet }]],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.244.1.9" }],
    dataDir: "/run/host-local",
  },
};

async function held(node: TestNode): Promise<string[]> {
  const listed = await node.run(cmd`ls /run/host-local/deno-cni`);
  return listed.stdout.split("\n").filter((name) => name.startsWith("10."));
}

onNode(
  "with ipam, addresses and routes are host-local's, through CHECK and DEL",
  async (node) => {
    const pod = await node.pod("p1");
    const { json } = await added(node, { pod, input: hostLocal });
    assertEquals(json.ips, [{
      address: "10.244.1.2/24",
      gateway: "10.244.1.1",
      interface: 2,
    }]);
    assertEquals(json.routes, [
      { dst: "0.0.0.0/0", gw: "10.244.1.1" },
      { dst: "192.0.2.0/24", gw: "10.244.1.9" },
    ]);
    assertEquals((await pod.run(cmd`ping -c 1 -W 1 10.244.1.1`)).code, 0);
    assertEquals([await held(node), await node.leases()], [["10.244.1.2"], []]);
    const check = {
      command: "CHECK",
      pod,
      input: { ...hostLocal, prevResult: json },
    };
    assertEquals(await node.cni(check), none);
    assertEquals(
      await node.cni({ command: "DEL", pod, input: hostLocal }),
      none,
    );
    assertEquals([await held(node), await node.links()], [[], ["cni0"]]);
    await refused(node, check, 999, "IPAM plugin host-local: ");
  },
);

onNode(
  "an ADD that fails after the IPAM plugin's gives its address back",
  async (node) => {
    await node.must(cmd`ip link add cni0 type bridge`);
    await node.must(cmd`ip addr add 192.168.7.1/24 dev cni0`);
    const pod = await node.pod("p1");
    await refused(
      node,
      { command: "ADD", pod, input: hostLocal },
      102,
      "192.168.7.1/24",
    );
    assertEquals(await held(node), []);
  },
);

onNode(
  "a further IPv6 subnet of host-local goes on the bridge beside the first, an overlapping one does not",
  async (node) => {
    const inSubnets = (name: string, ...subnets: string[]) => ({
      ...rest,
      name,
      ipam: {
        ...hostLocal.ipam,
        routes: [],
        ranges: subnets.map((subnet) => [{ subnet }]),
      },
    });
    const reached = async (pod: Pod, address: string) => {
      const ping = await pod.run(cmd`ping -c 1 -W 1 ${address}`);
      assertEquals(ping.code, 0, ping.stdout);
    };
    const p1 = await node.pod("p1");
    await added(node, { pod: p1, input: inSubnets("one", "fd00:1::/64") });
    const p2 = await node.pod("p2");
    const two = inSubnets("two", "fd00:2::/64", "fd00:3::/64", subnet);
    await added(node, { pod: p2, input: two });
    await reached(p1, "fd00:1::1");
    for (const gateway of ["fd00:2::1", "fd00:3::1", "10.244.1.1"]) {
      await reached(p2, gateway);
    }
    const pod = await node.pod("p3");
    for (const wide of ["fd00:2:0:0:8000::/65", "fd00:2::8000:0/112"]) {
      const input = inSubnets("three", wide);
      await refused(node, { command: "ADD", pod, input }, 102, "fd00:2::1/64");
    }
    const four = inSubnets("four", "10.244.9.0/24");
    const call = { command: "ADD", pod, input: four };
    await refused(node, call, 102, "10.244.1.1/24");
    await reached(p1, "fd00:1::1");
  },
);

onNode(
  "two IPv4 subnets that one ADD asks for are both the bridge's",
  async (node) => {
    const ranges = ["10.244.1.0/24", "10.244.2.0/24"]
      .map((subnet) => [{ subnet }]);
    const input = { ...rest, ipam: { ...hostLocal.ipam, routes: [], ranges } };
    for (const name of ["p1", "p2"]) {
      const pod = await node.pod(name);
      await added(node, { pod, input });
      for (const gateway of ["10.244.1.1", "10.244.2.1"]) {
        const ping = await pod.run(cmd`ping -c 1 -W 1 ${gateway}`);
        assertEquals(ping.code, 0, ping.stdout);
      }
    }
  },
);

onNode("static gives what it is told, also of both families", async (node) => {
  const addresses = [
    { address: "10.244.1.50/24", gateway: "10.244.1.1" },
    { address: "fd00:10:244:1::50/64", gateway: "fd00:10:244:1::1" },
  ];
  const pod = await node.pod("p1");
  const input = { ...rest, ipam: { type: "static", addresses } };
  const { json } = await added(node, { pod, input });
  assertEquals(
    json.ips?.map(({ address }) => address),
    addresses.map(({ address }) => address),
  );
  assertEquals((await pod.run(cmd`ping -c 1 -W 1 fd00:10:244:1::1`)).code, 0);
  const check = {
    command: "CHECK",
    pod,
    input: { ...input, prevResult: json },
  };
  assertEquals(await node.cni(check), none);
  assertEquals(await node.cni({ command: "DEL", pod, input }), none);
  assertEquals(await node.links(), ["cni0"]);
});

onNode(
  "an IPAM plugin's own error is passed on with its code and name",
  async (node) => {
    const pod = await node.pod("p1");
    const input = {
      ...hostLocal,
      ipam: { ...hostLocal.ipam, ranges: [[{ subnet: "10.0.0.0/33" }]] },
    };
    const said = await node.cni({ command: "ADD", pod, input });
    assertStringIncludes(said.json.msg ?? "", "IPAM plugin host-local: ");
    assertEquals(await node.links(), []);
  },
);

onNode(
  "an IPAM plugin that is missing, cannot be run or talks nonsense is code 107",
  async (node) => {
    const pod = await node.pod("p1");
    const asked = (type: string, CNI_PATH = "/nowhere:/run/plugins") => ({
      command: "ADD",
      pod,
      input: { ...rest, ipam: { type } },
      env: { CNI_PATH },
    });
    await refused(node, asked("none"), 107, "none", "/nowhere:/run/plugins");
    await node.must(cmd`mkdir /run/plugins`);
    const write = async (name: string, content: string, mode: string) => {
      await node.must({ ...cmd`tee /run/plugins/${name}`, stdin: content });
      await node.must(cmd`chmod ${mode} /run/plugins/${name}`);
    };
    await write("closed", "#!/bin/sh\n", "644");
    await refused(node, asked("closed"), 107, "closed");
    await write("babbler", "#!/bin/sh\necho hello\n", "755");
    await refused(node, asked("babbler"), 107, "hello");
    await write("mute", "#!/bin/sh\nexit 3\n", "755");
    await refused(node, asked("mute"), 107, "exit code 3");
    await write("empty", "#!/bin/sh\necho '{}'\n", "755");
    await refused(node, asked("empty"), 107, "empty");
    assertEquals(await node.links(), []);
  },
);

onNode(
  "every command reaches the IPAM plugin with the environment and the whole configuration",
  async (node) => {
    const script = `#!/bin/sh
    cat > /run/log/$CNI_COMMAND.json; env | grep ^CNI_ | sort > /run/log/$CNI_COMMAND.env
    [ $CNI_COMMAND != ADD ] || echo '{"cniVersion":"1.1.0","ips":[{"address":"10.244.1.8/24","gateway":"10.244.1.1"}]}'\n`;
    await node.must(cmd`mkdir /run/log /run/plugins`);
    await node.must({ ...cmd`tee /run/plugins/recorder`, stdin: script });
    await node.must(cmd`chmod 755 /run/plugins/recorder`);
    const pod = await node.pod("p1");
    const input = {
      ...rest,
      cniVersion: "1.1.0",
      ipam: { type: "recorder", key: ["ü", 1] },
      more: { a: null },
    };
    const env = { CNI_PATH: "/run/plugins" };
    const { json } = await added(node, { pod, input, env });
    const calls = {
      CHECK: { prevResult: json },
      DEL: {},
      GC: { "cni.dev/valid-attachments": [] },
      STATUS: {},
      ADD: {},
    };
    for (const [command, extra] of Object.entries(calls)) {
      const whole = { ...input, ...extra };
      if (command !== "ADD") {
        const forPod = command === "CHECK" || command === "DEL" ? { pod } : {};
        assertEquals(
          await node.cni({ command, input: whole, env, ...forPod }),
          none,
        );
      }
      assertEquals(
        JSON.parse(await node.must(cmd`cat /run/log/${command}.json`)),
        whole,
      );
      const seen = await node.must(cmd`cat /run/log/${command}.env`);
      assertStringIncludes(seen, `CNI_COMMAND=${command}\n`);
      assertStringIncludes(seen, "CNI_PATH=/run/plugins\n");
      if (command === "ADD" || command === "DEL") {
        assertStringIncludes(seen, "CNI_CONTAINERID=p1\n");
      }
    }
  },
);
