/** The plugin dies at every named point, and at random ones; what is left is always right, and always goes. */
// @ts-types="../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd, withInput } from "../lib/exec/command.ts";
import {
  added,
  config,
  needsRoot,
  none,
  onNode,
  type Pod,
  root,
  type TestNode,
  testNode,
} from "./sandbox_testing.ts";
import { run } from "../lib/exec/run.ts";

const dual = {
  ...config,
  network: undefined,
  subnet: undefined,
  subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"],
};

/** A build of the plugin with its named points alive: an executable in a folder of its own. */
async function faultyPlugin(folder: string): Promise<string> {
  const map = `${root}/plugin/linux/failpoint_testing.json`;
  const deno = Deno.execPath();
  const bundled = await run(
    cmd`${deno} bundle --quiet --platform deno --import-map ${map} --output ${folder}/faulty.js ${root}/plugin/main.ts`,
  );
  assertEquals(bundled.code, 0, bundled.stderr);
  const executable = `${folder}/faulty`;
  const launcher =
    `#!/bin/sh\nDENO_DIR=/dev/null/none exec ${deno} run -A --no-config --no-code-cache ${folder}/faulty.js\n`;
  await Deno.writeTextFile(executable, launcher);
  await Deno.chmod(executable, 0o755);
  return executable;
}

function onFaultyNode(
  name: string,
  body: (node: TestNode, folder: string) => Promise<void>,
): void {
  Deno.test({
    name: `${name} (needs root)`,
    ignore: needsRoot,
    fn: async () => {
      const folder = await Deno.makeTempDir({ prefix: "deno-cni-fault-" });
      try {
        await using node = await testNode(await faultyPlugin(folder));
        await body(node, folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** The names of the points that a call passes. */
async function points(log: string): Promise<string[]> {
  const text = await Deno.readTextFile(log);
  await Deno.remove(log);
  return text.trim().split("\n");
}

/** Nothing of the network is left; the bridge may be. */
async function isClean(node: TestNode, where: string): Promise<void> {
  const left = (await node.links()).filter((name) => name !== "cni0");
  assertEquals([left, await node.leases()], [[], []], where);
}

onFaultyNode(
  "killed at any point of ADD, a DEL leaves nothing and the next ADD works",
  async (node, folder) => {
    const log = `${folder}/points`;
    const del = async (pod: Pod, where: string) =>
      assertEquals(
        await node.cni({ command: "DEL", pod, input: dual }),
        none,
        where,
      );
    // The very first ADD makes the store, and passes more points than the later ones.
    const rehearsal = await node.pod("p0");
    await added(node, {
      pod: rehearsal,
      input: dual,
      env: { CNI_FAULT_LOG: log },
    });
    const names = await points(log);
    await del(rehearsal, "rehearsal");
    const diedAt = new Set<string>();
    for (const [at, name] of names.entries()) {
      // Without the bridge, so that its points are passed too.
      await node.must(cmd`ip link del cni0`);
      const pod = await node.pod(`p${at}`);
      const env = { CNI_FAULT_AT: `${at + 1}`, CNI_FAULT_LOG: log };
      const killed = await node.cni({ command: "ADD", pod, input: dual, env });
      const passed = await points(log);
      if (killed.exit !== 0) diedAt.add(passed.at(-1)!);
      const other = await node.pod(`other${at}`);
      await added(node, { pod: other, input: dual });
      await del(pod, name);
      await added(node, { pod, input: dual });
      for (const one of [pod, other]) {
        await del(one, name);
        await one.end();
      }
      await isClean(node, name);
    }
    const own = names.filter((name) => /^(add|bridge|reserve): /.test(name));
    assert(own.length >= 6, names.join());
    assertEquals(own.filter((name) => !diedAt.has(name)), []);
  },
);

onFaultyNode(
  "killed at any point of ADD with no DEL to follow, GC leaves nothing",
  async (node, folder) => {
    const log = `${folder}/points`;
    await added(node, {
      pod: await node.pod("p0"),
      env: { CNI_FAULT_LOG: log },
    });
    const names = await points(log);
    const input = {
      ...config,
      cniVersion: "1.1.0",
      "cni.dev/valid-attachments": [],
    };
    for (const [at, name] of names.entries()) {
      const pod = await node.pod(`p${at}`);
      await node.cni({
        command: "ADD",
        pod,
        env: { CNI_FAULT_AT: `${at + 1}` },
      });
      assertEquals(await node.cni({ command: "GC", input }), none, name);
      await isClean(node, name);
      await pod.end();
    }
  },
);

onFaultyNode(
  "killed at any point of DEL, the next DEL leaves nothing",
  async (node, folder) => {
    const log = `${folder}/points`;
    const pod = await node.pod("p1");
    await added(node, { pod, input: dual });
    await node.cni({
      command: "DEL",
      pod,
      input: dual,
      env: { CNI_FAULT_LOG: log },
    });
    const names = await points(log);
    assert(names.includes("del: veth removed"), names.join());
    for (const [at, name] of names.entries()) {
      await added(node, { pod, input: dual });
      await node.cni({
        command: "DEL",
        pod,
        input: dual,
        env: { CNI_FAULT_AT: `${at + 1}` },
      });
      assertEquals(
        await node.cni({ command: "DEL", pod, input: dual }),
        none,
        name,
      );
      await isClean(node, name);
    }
  },
);

onNode(
  "killed at random moments, no address is given twice and DEL leaves nothing",
  async (node, way) => {
    const { plugin } = node;
    const pod = await node.pod("p1");
    const held = new Map<string, string>();
    const rounds = way === "cold" ? 60 : 30;
    for (let round = 0; round < rounds; round++) {
      const env = {
        CNI_COMMAND: "ADD",
        CNI_CONTAINERID: `p${round}`,
        CNI_NETNS: pod.netns,
        CNI_IFNAME: `e${round}`,
        CNI_PATH: "/",
        PATH: "/usr/bin:/bin",
      };
      // From before the plugin's first step to after its last.
      const after_s = (0.008 + 0.022 * (round / rounds)).toFixed(4);
      const killed = cmd`timeout -s KILL ${after_s} ${plugin}`;
      await node.run(withInput(killed, JSON.stringify(config)), env);
      const survivor = { ...pod, name: `s${round}` };
      const { json } = await added(node, {
        pod: survivor,
        ifname: `s${round}`,
      });
      const address = json.ips?.[0]?.address ?? "";
      assertEquals(
        held.has(address),
        false,
        `${address} is ${held.get(address)}'s`,
      );
      held.set(address, survivor.name);
      const victim = { ...pod, name: `p${round}` };
      assertEquals(
        await node.cni({ command: "DEL", pod: victim, ifname: `e${round}` }),
        none,
      );
      if (round % 10 !== 9) continue;
      for (const name of held.values()) {
        const call = { command: "DEL", pod: { ...pod, name }, ifname: name };
        assertEquals(await node.cni(call), none);
      }
      held.clear();
      await isClean(node, `round ${round}`);
    }
  },
);

onNode(
  "a full disk fails ADD with code 5, and DEL still works",
  async (node) => {
    const input = { ...config, dataDir: "/run/small/networks" };
    await node.must(cmd`mkdir /run/small`);
    await node.must(cmd`mount -t tmpfs -o size=64k none /run/small`);
    const pod = await node.pod("p1");
    await added(node, { pod, input });
    await node.run(cmd`dd if=/dev/zero of=/run/small/fill bs=4k`);
    const other = await node.pod("p2");
    const said = await node.cni({ command: "ADD", pod: other, input });
    assertEquals([said.exit, said.json.code], [1, 5], JSON.stringify(said));
    const status = await node.cni({
      command: "STATUS",
      input: { ...input, cniVersion: "1.1.0" },
    });
    assertEquals(status.json.code, 50, JSON.stringify(status));
    assertEquals(await node.cni({ command: "DEL", pod, input }), none);
    assertEquals(await node.links(), ["cni0"]);
  },
);
