// @ts-types="../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import {
  added,
  config,
  none,
  onNode,
  type Pod,
  refused,
  type TestNode,
} from "./sandbox_testing.ts";

/** Values of every kind that a key may hold by mistake. */
const odd = [7, "../x", [{}], { type: 7 }];

/** Every key that ADD reads, at its place in the configuration. */
const keys: Record<string, (value: unknown) => object> = {
  cniVersion: (cniVersion) => ({ cniVersion }),
  subnet: (subnet) => ({ subnet }),
  subnets: (subnets) => ({ subnets }),
  network: (network) => ({ network }),
  bridge: (bridge) => ({ bridge }),
  mtu: (mtu) => ({ mtu }),
  hairpinMode: (hairpinMode) => ({ hairpinMode }),
  routes: (routes) => ({ routes }),
  dns: (dns) => ({ dns }),
  dataDir: (dataDir) => ({ dataDir }),
  ipam: (ipam) => ({ ipam }),
  runtimeConfig: (runtimeConfig) => ({ runtimeConfig }),
  "runtimeConfig.ips": (ips) => ({ runtimeConfig: { ips } }),
  "runtimeConfig.mac": (mac) => ({ runtimeConfig: { mac } }),
  args: (args) => ({ args }),
  "args.cni": (cni) => ({ args: { cni } }),
  prevResult: (prevResult) => ({ prevResult }),
};

const refuses = "an IPAM plugin that refuses its configuration";

/** Edits whose value has the right kind, and that ADD refuses all the same. */
const edits: Record<string, object> = {
  "another podCIDR, outside the network": { subnet: "10.9.0.0/24" },
  "a podCIDR with leading zeros": { subnet: "10.244.01.0/24" },
  "no podCIDR": { subnet: undefined },
  "a podCIDR without room": { subnet: "10.244.1.0/31" },
  "both keys for subnets": { subnets: ["10.244.1.0/24"] },
  "two subnets of a family": {
    subnet: undefined,
    subnets: ["10.244.1.0/24", "10.244.2.0/24"],
  },
  "an address outside the podCIDR": {
    runtimeConfig: { ips: ["10.9.0.9"] },
  },
  "an address that is none": { args: { cni: { ips: ["10.244.1.300"] } } },
  "the MAC of a group": { runtimeConfig: { mac: "01:00:5e:00:00:01" } },
  "an MTU that no link has": { mtu: 12 },
  "a bridge's name that cannot be": { bridge: "sixteen-letters-" },
  "a relative dataDir": { dataDir: "leases" },
  "a dataDir below a file": { dataDir: "/etc/passwd/leases" },
  "another dataDir": { dataDir: "/run/elsewhere" },
  "a version that is not spoken": { cniVersion: "9.9.9" },
  "what the reference does": { ipMasq: true },
  "a VLAN": { vlan: 7 },
  "a route without a destination": { routes: [{}] },
  "a prevResult that is none": { prevResult: { ips: [{}] } },
  "an IPAM plugin beside the subnet": { ipam: { type: "host-local" } },
  "an IPAM plugin that is not there": {
    subnet: undefined,
    network: undefined,
    ipam: { type: "no-such-plugin" },
  },
  [refuses]: {
    subnet: undefined,
    network: undefined,
    ipam: { type: "host-local", ranges: [[{ subnet: "10.0.0.0/33" }]] },
  },
  "an IPAM plugin's name that cannot be": { ipam: { type: "../sh" } },
};

const quiet = (what: string) =>
  what === "another dataDir" || what === "a dataDir below a file";

/** ADD with a good configuration, then DEL with what it has become. */
async function undone(
  node: TestNode,
  pod: Pod,
  what: string,
  edit: object,
  env: Record<string, string | undefined> = {},
): Promise<void> {
  await added(node, { pod });
  const input = { ...config, ...edit };
  const said = await node.cni({ command: "DEL", pod, input, env });
  assertEquals([said.exit, said.json], [0, {}], `${what}: ${said.stderr}`);
  assertEquals(await node.leases(), [], what);
  assertEquals(await node.links(), ["cni0"], what);
}

onNode(
  "DEL takes everything back whatever a key of the configuration has become",
  async (node) => {
    const pod = await node.pod("p1");
    for (const [key, edit] of Object.entries(keys)) {
      for (const value of odd) {
        const what = `${key}: ${JSON.stringify(value)}`;
        await undone(node, pod, what, edit(value));
      }
    }
  },
);

onNode(
  "DEL takes everything back where ADD would be refused, and says so on stderr",
  async (node) => {
    const pod = await node.pod("p1");
    for (const [what, edit] of Object.entries(edits)) {
      await undone(node, pod, what, edit);
      const call = { command: "DEL", pod, input: { ...config, ...edit } };
      // The plugin itself refuses: nothing tells whether it holds something.
      if (what === refuses) continue;
      // It cannot be told from one that has always been so.
      if (quiet(what)) assertEquals(await node.cni(call), none);
      else {
        const { stderr } = await node.cni(call);
        assertStringIncludes(stderr, "deno-cni: ", what);
      }
    }
  },
);

onNode(
  "DEL takes everything back whatever CNI_ARGS and CNI_NETNS hold",
  async (node) => {
    const pod = await node.pod("p1");
    for (
      const CNI_ARGS of [
        "IP=10.9.0.9",
        "IP=10.244.1.300",
        "IP=10.244.1.1",
        "IP=",
        "IP",
        ";;=",
        "MAC=1:2",
        "MAC=01:00:5e:00:00:01",
        "\u00fc",
      ]
    ) await undone(node, pod, CNI_ARGS, {}, { CNI_ARGS });
    for (
      const CNI_NETNS of [
        "",
        undefined,
        "/gone",
        "/etc/passwd",
        "/",
        "relative",
      ]
    ) await undone(node, pod, `${CNI_NETNS}`, {}, { CNI_NETNS });
  },
);

onNode(
  "DEL and GC still need names, and GC its list: those are never guessed",
  async (node) => {
    const pod = await node.pod("p1");
    await added(node, { pod });
    const modern = { ...config, cniVersion: "1.1.0" };
    const list = { "cni.dev/valid-attachments": [] };
    for (const name of [undefined, "", "a/b", 7, {}]) {
      const input = { ...modern, name };
      await refused(node, { command: "DEL", pod, input }, 7, "name is");
      const gc = { command: "GC", input: { ...input, ...list } };
      await refused(node, gc, 7, "name is");
    }
    for (const input of ["", "{", "[]", "null"]) {
      await refused(node, { command: "DEL", pod, input }, 6, "stdin");
      await refused(node, { command: "GC", input }, 6, "stdin");
    }
    const env = { CNI_IFNAME: "a/b" };
    await refused(node, { command: "DEL", pod, env }, 4, "a/b");
    for (const wrong of ["p1", {}, [7], [{ containerID: "p1" }]]) {
      const input = { ...modern, "cni.dev/valid-attachments": wrong };
      await refused(node, { command: "GC", input }, 7, "valid-attachments");
    }
    assertEquals((await node.leases()).length, 1);
  },
);

onNode(
  "GC cleans whatever the rest of the configuration has become",
  async (node) => {
    const pod = await node.pod("p1");
    const modern = { ...config, cniVersion: "1.1.0" };
    for (const [what, edit] of Object.entries(edits)) {
      await added(node, { pod });
      const input = {
        ...modern,
        ...edit,
        "cni.dev/valid-attachments": [],
      };
      const { exit, json, stderr } = await node.cni({ command: "GC", input });
      const silent = quiet(what) || what === refuses;
      assertEquals(stderr.includes("deno-cni: "), !silent, what);
      if (json.msg?.includes("IPAM plugin host-local")) {
        assertEquals(json.code, 106, what);
      } else assertEquals([exit, json], [0, {}], `${what}: ${stderr}`);
      assertEquals([await node.leases(), await node.links()], [[], ["cni0"]]);
    }
  },
);

onNode(
  "an IPAM plugin's error at DEL is passed on where the lease is not ours",
  async (node) => {
    await node.must(cmd`mkdir /run/plugins`);
    const script = `#!/bin/sh
    case $CNI_COMMAND in
      ADD) echo '{"ips":[{"address":"10.244.1.8/24","gateway":"10.244.1.1"}]}';;
      DEL) echo '{"code":11,"msg":"busy"}'; exit 1;;
    esac\n`;
    await node.must({ ...cmd`tee /run/plugins/busy`, stdin: script });
    await node.must(cmd`chmod 755 /run/plugins/busy`);
    const { subnet: _subnet, network: _network, ...rest } = config;
    const input = { ...rest, ipam: { type: "busy" } };
    const env = { CNI_PATH: "/run/plugins" };
    const pod = await node.pod("p1");
    await added(node, { pod, input, env });
    await refused(node, { command: "DEL", pod, input, env }, 11, "busy");
  },
);
