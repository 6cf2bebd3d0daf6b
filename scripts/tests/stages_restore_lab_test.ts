// @ts-types="../../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { type Cluster } from "../../lib/cluster/cluster.ts";
import { cmd, succeeded } from "../../lib/exec/command.ts";
import type { Node } from "../../lib/node/node.ts";
import {
  startSystemd,
  type SystemdNode,
  systemdTest,
} from "../../lib/node/systemd_testing.ts";
import {
  bootPath,
  stagePath,
  unit,
  unitPath,
  watchUnit,
} from "../../lib/steps/boot_restore.ts";
import { usualVxlan } from "../../lib/cluster/schema_vxlan.ts";
import { apply } from "../../lib/stage/engine.ts";
import { undo } from "../../lib/stage/undo.ts";
import type { Stage } from "../../lib/stage/stage.ts";
import { bridge } from "../04-bridge.ts";
import { forwarding } from "../06-forwarding.ts";
import { masquerade } from "../07-masquerade.ts";
import { routes } from "../08-routes.ts";
import { killNode, type TestLab, testLab } from "./lab_testing.ts";
import type { RunContext } from "../../lib/stage/context.ts";
import { run } from "../../lib/exec/run.ts";
import { loadCluster } from "../../lib/cluster/load.ts";

const stages = [bridge, forwarding, masquerade, routes];

const context: RunContext = {
  timeout_ms: 30_000,
  signal: new AbortController().signal,
  stopping: () => false,
  tell: () => {},
};

/** A lab's nodes, each with a systemd from when it was booted. */
interface Machines extends AsyncDisposable {
  node(name: string): Node;
  /** Runs a shell's commands there; throws where they fail. */
  on(name: string, script: string): Promise<string>;
  boot(name: string): Promise<void>;
  end(name: string): Promise<void>;
}

function machinesOf(lab: TestLab): Machines {
  const running = new Map<string, SystemdNode>();
  const node = (name: string) => running.get(name)?.node ?? lab.node(name);
  const end = async (name: string) => {
    await running.get(name)?.[Symbol.asyncDispose]();
    running.delete(name);
  };
  return {
    node,
    end,
    async on(name, script) {
      const outcome = await node(name).run(cmd`sh -euc ${script}`);
      if (succeeded(outcome)) return outcome.stdout;
      throw new Error(`${name}: ${script}: ${outcome.stderr}`);
    },
    async boot(name) {
      running.set(name, await startSystemd(lab.node(name)));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...running.keys()].map(end));
    },
  };
}

/** The network's own service, which takes the link down for a moment when it starts. */
const networking = `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set eth0 down; ip link set eth0 up'
`;

/** The steps of a node that is no lab's: with what a reboot needs. */
function stepsOf(stage: Stage, cluster: Cluster, name: string) {
  const node = cluster.nodes.find((node) => node.name === name);
  assert(node && stage.steps);
  return stage.steps({ cluster: { ...cluster, provider: "ssh" }, node });
}

const kernelState =
  "ip -br addr show dev cni0; ip route show proto 244; iptables -S FORWARD; " +
  "iptables -t nat -S POSTROUTING; sysctl net.ipv4.ip_forward " +
  "net.ipv6.conf.cni0.accept_ra net.ipv4.conf.cni0.accept_redirects";

/** What is on a real machine's disk, and so outlives a reboot; on a lab's node it does not. */
const disk = [
  "etc/cni",
  "etc/deno-cni",
  "etc/systemd/system/deno-cni-watch.service",
  "opt/cni",
  "var/lib/deno-cni",
];

/** Cuts the power of nodes, makes them anew, and gives them back what their disks would have kept. */
async function powerCut(
  lab: TestLab,
  machines: Machines,
  names: readonly string[],
): Promise<void> {
  const folder = lab.file.slice(0, lab.file.lastIndexOf("/"));
  for (const name of names) {
    // A lab's node may have a link to what a real one has itself.
    await machines.on(
      name,
      `tar -h -C / -cf ${folder}/${name}.tar ${disk.join(" ")}
      tar -C / -cf ${folder}/${name}.units.tar etc/systemd/system`,
    );
    await machines.end(name);
    await killNode(lab, name);
  }
  assertEquals((await lab.script("01-provision")).code, 0);
  for (const name of names) {
    assertEquals(
      (await lab.node(name).run(cmd`ip link show dev cni0`)).code,
      1,
      "the node is not empty",
    );
    await machines.on(
      name,
      `tar -C / -xf ${folder}/${name}.tar; tar -C / -xf ${folder}/${name}.units.tar`,
    );
  }
}

systemdTest(
  "a node that was booted anew has its bridge, rules, routes and sysctls by the file that stages 04 to 08 wrote, and they come back when the network restarts",
  async () => {
    await using lab = await testLab("t-restore");
    await using machines = machinesOf(lab);
    for (const stage of ["01-provision", "02-kubeadm", "03-cni-config"]) {
      assertEquals((await lab.script(stage)).code, 0, stage);
    }
    assertEquals((await lab.script("05-plugin")).code, 0);
    const { DENO_CNI_STATE: stateRoot = "" } = lab.env;
    const cluster = await loadCluster(lab.file, { stateRoot });
    const names = cluster.nodes.map(({ name }) => name);
    const each = (body: (name: string) => Promise<unknown>) =>
      Promise.all(names.map(body));
    const applyAll = (name: string) =>
      stages.reduce(async (before, stage) => {
        const results = [
          ...await before,
          ...await apply(
            stage.name,
            machines.node(name),
            stepsOf(stage, cluster, name),
            context,
          ),
        ];
        const bad = results.find(({ problem }) => problem !== undefined);
        assertEquals(bad, undefined, JSON.stringify(bad));
        return results;
      }, Promise.resolve<Awaited<ReturnType<typeof apply>>>([]));

    // Without systemd there is nothing to write, to tell and to record.
    const bare = await applyAll("master");
    assert(!bare.some(({ command }) => command.includes(unitPath)));
    assert(
      !(await lab.on("master", cmd`cat /var/lib/deno-cni/journal`))
        .includes("reboot"),
    );

    await each((name) => machines.boot(name));
    await each(applyAll);
    const again = await applyAll("worker-1");
    assert(again.every(({ status }) => status === "ok"), JSON.stringify(again));
    const paths = stages.map(({ name }) => stagePath(name));
    const file = await machines.on("worker-1", `cat ${paths.join(" ")}`);
    for (
      const line of [
        /^ip link add cni0 address [0-9a-f:]{17} type bridge$/m,
        /^ip addr add 10\.244\.1\.1\/24 dev cni0$/m,
        /^sysctl -w net\.ipv4\.ip_forward=1$/m,
        /^iptables -w -t filter -I FORWARD -s 10\.244\.0\.0\/16 /m,
        /^iptables -w -t nat -A POSTROUTING -s 10\.244\.1\.0\/24 '!' -d |^iptables -w -t nat -A POSTROUTING -s 10\.244\.1\.0\/24 ! -d /m,
        /^ip route replace 10\.244\.2\.0\/24 via 10\.0\.1\.12 proto 244$/m,
      ]
    ) assertMatch(file, line);
    assertEquals(await machines.on("worker-1", `cat ${unitPath}`), unit);

    // It may run where all is there, and changes nothing then.
    const before = await machines.on("worker-1", kernelState);
    await machines.on("worker-1", `sh ${bootPath}`);
    assertEquals(await machines.on("worker-1", kernelState), before);

    await powerCut(lab, machines, names);
    const writeUnit =
      `cat >/etc/systemd/system/networking.service <<'END'\n${networking}END`;
    await machines.on("worker-1", writeUnit);
    await each((name) => machines.boot(name));
    assertEquals(await machines.on("worker-1", kernelState), before);
    const verified = await lab.script("09-verify");
    assertEquals(verified.code, 0, verified.stderr + verified.stdout);

    await comesBack(machines);
    await staysAway(machines, cluster);
    await applyAll("worker-1");
    const own = await machines.on("worker-1", "ip route show proto 244");
    assertMatch(own, /^10\.244\.2\.0\/24 via 10\.0\.1\.12 dev eth0 $/m);

    // What cannot be done is no reason to leave out the rest, and is not hidden.
    await powerCut(lab, machines, ["worker-2"]);
    await machines.on("worker-2", "ip link set eth0 down");
    await machines.boot("worker-2");
    assertMatch(
      await machines.on("worker-2", "systemctl --failed --no-legend"),
      /deno-cni\.service/,
    );
    assertMatch(
      await machines.on("worker-2", "ip -br addr show dev cni0"),
      /10\.244\.2\.1\/24/,
    );

    // Each stage takes its own commands out; the last one takes all away.
    const undone = async (stage: Stage, name: string) => {
      const results = await undo(
        stage.name,
        machines.node(name),
        stepsOf(stage, cluster, name),
        context,
      );
      const bad = results.find(({ problem }) => problem !== undefined);
      assertEquals(bad, undefined, JSON.stringify(bad));
    };
    await undone(routes, "worker-1");
    assertEquals(
      await machines.on("worker-1", "ls /etc/deno-cni/boot.d"),
      "04-bridge.sh\n06-forwarding.sh\n07-masquerade.sh\n",
    );
    for (const stage of [masquerade, forwarding, bridge]) {
      await undone(stage, "worker-1");
    }
    const left = await machines.on(
      "worker-1",
      `ls -d /etc/deno-cni 2>/dev/null || :
      find /etc/systemd -name 'deno-cni*'
      systemctl list-units --all --no-legend 'deno-cni*'`,
    );
    assertEquals(left, "");
  },
);

/** What a restart of the network takes away on worker-1 comes back by itself. */
async function comesBack(machines: Machines): Promise<void> {
  const seen = () => machines.on("worker-1", "ip route show proto 244");
  const before = await seen();
  assertMatch(before, /10\.244\.2\.0\/24/);
  const back = async (loss: string) => {
    for (let left = 70; left > 0 && await seen() !== before; left--) {
      await machines.on("worker-1", "sleep 0.1");
    }
    assertEquals(await seen(), before, loss);
    await machines.on("worker-1", "sleep 0.3");
  };

  // By the unit itself, which is part of the network's service.
  const invocation = () =>
    machines.on("worker-1", "systemctl show -p InvocationID deno-cni");
  const first = await invocation();
  await machines.on("worker-1", "systemctl stop deno-cni-watch");
  await machines.on("worker-1", "systemctl restart networking");
  await back("systemctl restart networking");
  assertNotEquals(await invocation(), first);
  await machines.on("worker-1", "systemctl start deno-cni-watch; sleep 0.7");

  for (
    const loss of [
      "ip link set eth0 down; ip link set eth0 up",
      "ip route flush proto 244",
      "ip addr del 10.0.1.11/24 dev eth0; ip addr add 10.0.1.11/24 dev eth0",
    ]
  ) {
    await machines.on("worker-1", loss);
    assertEquals(await seen(), "", loss);
    await back(loss);
  }
}

/** Routes of a kind that the cluster file no longer has, where the run that changes it is cut off. */
async function staysAway(machines: Machines, cluster: Cluster): Promise<void> {
  const node = machines.node("worker-1");
  let told = 0;
  const cut = { tell: () => void told++, stopping: () => told > 0 };
  const steps = stepsOf(
    routes,
    { ...cluster, routes: "vxlan", vxlan: { ...usualVxlan, direct: false } },
    "worker-1",
  );
  await apply(routes.name, node, steps, { ...context, ...cut });
  const path = stagePath(routes.name);
  const seen = await machines.on(
    "worker-1",
    `ip route flush proto 244; [ ! -e ${path} ]; sh ${bootPath}; ip route show proto 244`,
  );
  assertEquals(seen, "");
}

const analyze = (await run(cmd`systemd-analyze --version`)).code === 0;

Deno.test({
  name: `systemd takes the units as they are${
    analyze ? "" : " (needs systemd-analyze)"
  }`,
  ignore: !analyze,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/deno-cni.service`;
      const watchPath = `${folder}/deno-cni-watch.service`;
      await Deno.writeTextFile(path, unit);
      await Deno.writeTextFile(watchPath, watchUnit);
      const verified = await run(
        cmd`systemd-analyze verify --man=no ${path} ${watchPath}`,
      );
      assertEquals(verified.code, 0, verified.stderr);
      assert(!verified.stderr.includes("deno-cni"), verified.stderr);
      // The test can fail: a unit that cannot be is told of.
      const wrong = unit.replace("ExecStart=/bin/sh", "ExecStart=bin/none");
      await Deno.writeTextFile(path, wrong);
      const refused = await run(cmd`systemd-analyze verify --man=no ${path}`);
      assert(refused.code !== 0 || refused.stderr.includes("deno-cni"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
