/** The plugin under real container runtimes: steps on one lab, each of which leaves the nodes as it found them. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { write } from "../../lib/exec/shell_file.ts";
import { labId } from "../../lib/lab/lab.ts";
import {
  delCommands,
  parseAddResult,
  parseList,
} from "../../lib/cni/runtime.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { rootfs } from "../../lib/cni/containerd.ts";
import {
  ask,
  ctrRun,
  needs,
  once,
  type Package,
  podTraces,
  remove,
  runtimeTest,
  server,
  serveSource,
} from "./runtimes_testing.ts";
import { runAll } from "./verify_testing.ts";
import { run } from "../../lib/exec/run.ts";

const listPath = "/etc/cni/net.d/10-deno-cni.conflist";

/** Gives worker-1's list other plugins, made from that of stage 03, until the end of a block. */
async function withPlugins(
  lab: TestLab,
  change: (plugin: Record<string, unknown>) => readonly object[],
): Promise<AsyncDisposable> {
  const text = await lab.on("worker-1", cmd`cat ${listPath}`);
  const list = JSON.parse(text);
  const plugins = change(list.plugins[0]);
  const changed = JSON.stringify({ ...list, plugins });
  await lab.on("worker-1", write(listPath, changed));
  return {
    async [Symbol.asyncDispose]() {
      await lab.on("worker-1", write(listPath, text));
    },
  };
}

/** The control groups of a lab's containers that are there. */
async function controlGroups(lab: TestLab): Promise<string> {
  const name = `deno-cni-${labId(lab.cluster)}-*`;
  const find = cmd`find /sys/fs/cgroup -maxdepth 2 -name ${name}`;
  return (await run(find)).stdout;
}

async function talk(lab: TestLab): Promise<void> {
  const before = await podTraces(lab, "worker-2");

  const web = await server(lab, "worker-1", "web");
  const said = await once(
    lab,
    "worker-2",
    "client",
    `ip -o -4 addr show dev eth0; ${ask(web.address).argv.join(" ")}`,
  );
  const [own, seen] = said.split("\n");
  assertStringIncludes(own ?? "", ` ${seen}/24 `);
  assert(seen?.startsWith("10.244.2."), said);
  assertEquals(await podTraces(lab, "worker-2"), before);
  await web.end();
  assertEquals(await podTraces(lab, "worker-1"), before);

  // In the background nobody calls DEL, until somebody does: without a namespace.
  await lab.on(
    "worker-2",
    ctrRun(lab, "worker-2", "idle", cmd`sleep 600`, ["--detach"]),
  );
  const cache = "/var/lib/cni/results/deno-cni-default-idle-eth0";
  const kept = JSON.parse(await lab.on("worker-2", cmd`cat ${cache}`));
  await remove(lab, "worker-2", "idle");
  assertStringIncludes(await podTraces(lab, "worker-2"), "10.244.2.");
  const list = parseList(
    await lab.on("worker-2", cmd`cat ${listPath}`),
    listPath,
  );
  const result = parseAddResult(JSON.stringify(kept.result), cache);
  const attachment = {
    containerId: "default-idle",
    netns: "",
    podName: "idle",
  };
  for (const command of delCommands(list, attachment, result)) {
    await lab.on("worker-2", command);
  }
  await lab.on("worker-2", cmd`rm ${cache}`);
  assertEquals(await podTraces(lab, "worker-2"), before);

  // Refused late: address and veth would have to be taken back.
  await lab.on("worker-2", cmd`ip netns add taken`);
  await lab.on("worker-2", cmd`ip -n taken link add eth0 type bridge`);
  const refused = await lab.node("worker-2").run(
    ctrRun(lab, "worker-2", "taken", cmd`sleep 600`, [
      "--detach",
      "--with-ns=network:/run/netns/taken",
    ]),
  );
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, 'plugin type="deno-cni" failed (add)');
  assertStringIncludes(refused.stderr, "eth0");
  assertEquals(await podTraces(lab, "worker-2"), before);
  await remove(lab, "worker-2", "taken");
  await lab.on("worker-2", cmd`ip netns del taken`);
}

async function chain(lab: TestLab): Promise<void> {
  // Nobody tells ctr of ports, so the list does; 1 MB/s is a limit that is not felt.
  const portMappings = [{
    hostPort: 8080,
    containerPort: 80,
    protocol: "tcp",
  }];
  await using _list = await withPlugins(lab, (plugin) => [
    plugin,
    { type: "portmap", runtimeConfig: { portMappings } },
    { type: "bandwidth", ingressRate: 8_000_000, ingressBurst: 800_000 },
  ]);
  const before = await podTraces(lab, "worker-1");
  const web = await server(lab, "worker-1", "web");
  assertEquals(await lab.on("worker-2", ask("10.0.1.11:8080")), "10.0.1.12");
  assertStringIncludes(
    await lab.on("worker-1", cmd`tc qdisc`),
    "rate 8Mbit",
  );
  assertStringIncludes(await podTraces(lab, "worker-1"), "--dports 8080");
  await web.end();
  assertEquals(await podTraces(lab, "worker-1"), before);
  assert((await lab.node("worker-2").run(ask("10.0.1.11:8080"))).code !== 0);
  // The same port again, for another one.
  const next = await server(lab, "worker-1", "next");
  assertEquals(await lab.on("worker-2", ask("10.0.1.11:8080")), "10.0.1.12");
  await next.end();
}

async function addressing(lab: TestLab): Promise<void> {
  const before = await podTraces(lab, "worker-1");
  const look = "ip -o -4 addr show dev eth0; ping -c 1 -W 1 10.244.2.1";
  const ranges = [[{ subnet: "10.244.1.0/24", rangeStart: "10.244.1.77" }]];
  const addresses = [{ address: "10.244.1.99/24", gateway: "10.244.1.1" }];
  const ipams = {
    "10.244.1.77/24": { type: "host-local", dataDir: "/run/leases", ranges },
    "10.244.1.99/24": { type: "static", addresses },
  };
  for (const [address, ipam] of Object.entries(ipams)) {
    await using _list = await withPlugins(lab, (plugin) => {
      const { subnet: _, network: __, ...rest } = plugin;
      return [{ ...rest, ipam }];
    });
    // The whole lab can be reached from it, so routes and gateway are right too.
    assertStringIncludes(await once(lab, "worker-1", "one", look), address);
    assertEquals(await podTraces(lab, "worker-1"), before);
  }
}

const podmanConfig = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
default_network = "deno-cni"
`;

async function podman(lab: TestLab): Promise<void> {
  const group = `/deno-cni-${labId(lab.cluster)}-podman`;
  await using _groups = {
    // conmon's lie below it, and podman leaves them.
    async [Symbol.asyncDispose]() {
      const remove =
        'find /sys/fs/cgroup -depth -path "*$1*" -type d -exec rmdir {} +';
      await run(cmd`sh -c ${remove} remove ${group}`);
    },
  };
  await lab.on(
    "worker-1",
    write("/etc/deno-cni/containers.conf", podmanConfig),
  );
  await using _list = await withPlugins(lab, (plugin) => [
    plugin,
    { type: "portmap", capabilities: { portMappings: true } },
  ]);
  const before = await podTraces(lab, "worker-1");
  const folder = "/run/podman-test";
  const podman =
    cmd`env CONTAINERS_CONF=/etc/deno-cni/containers.conf podman --storage-driver=vfs --root=${folder}/root --runroot=${folder}/run --tmpdir=${folder}/tmp`;
  const limits = ["nofile=1024:1024", "nproc=1024:1024"];
  await lab.on(
    "worker-1",
    cmd`${podman.argv} run --detach --name=web --publish=8080:80 --network=deno-cni --cgroup-parent=${group} ${
      limits.map((limit) => `--ulimit=${limit}`)
    } --rootfs ${rootfs}:O ${serveSource.argv}`,
  );
  const format = '{{(index .NetworkSettings.Networks "deno-cni").IPAddress}}';
  const address = (await lab.on(
    "worker-1",
    cmd`${podman.argv} inspect --format=${format} web`,
  )).trim();
  assert(address.startsWith("10.244.1."), address);
  assertEquals(await lab.on("worker-2", ask("10.0.1.11:8080")), "10.0.1.12");
  assertEquals(await lab.on("worker-2", ask(address)), "10.0.1.12");
  const client = await once(
    lab,
    "worker-2",
    "client",
    `ip -o -4 addr show dev eth0; ${ask(address).argv.join(" ")}`,
  );
  const [own, seen] = client.split("\n");
  assertStringIncludes(own ?? "", ` ${seen}/24 `);
  await lab.on("worker-1", cmd`${podman.argv} rm --force --time=0 web`);
  assertEquals(await podTraces(lab, "worker-1"), before);
}

const containers: readonly Package[] = [
  "containerd",
  "runc",
  "busybox-static",
  "containernetworking-plugins",
];

runtimeTest(
  "the plugin under real container runtimes",
  containers,
  async (context) => {
    await using lab = await testLab(
      "t-runtimes",
      (text) => `runtime: containerd\n${text}`,
    );
    const stages = ["01-provision", "02-kubeadm", "03-cni-config", "04-bridge"];
    const more = ["05-plugin", "06-forwarding", "07-masquerade", "08-routes"];
    await runAll(lab, ...[...stages, ...more].map((stage) => [stage]));
    const reference = ["portmap", "bandwidth", "host-local", "static"];
    const files = reference.map((name) => `/usr/lib/cni/${name}`);
    await lab.on("worker-1", cmd`ln -st /opt/cni/bin ${files}`);
    await context.step(
      "containers of containerd on two nodes talk as themselves, and go without a trace",
      () => talk(lab),
    );
    await context.step(
      "behind it in the chain, portmap answers on a port of the node and bandwidth limits; DEL takes both back",
      () => chain(lab),
    );
    await context.step(
      "a runtime's calls reach host-local and static, which give addresses and take them back",
      () => addressing(lab),
    );
    await context.step({
      name:
        "podman runs a container on the network of stage 03, publishes a port of it, and leaves nothing" +
        needs("podman"),
      ignore: needs("podman") !== "",
      fn: () => podman(lab),
    });
    assertEquals(await controlGroups(lab), "");
  },
);
