// @ts-types="../../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { type Cluster } from "../../lib/cluster/cluster.ts";
import { cmd, withInput } from "../../lib/exec/command.ts";
import {
  bootPath,
  stagePath,
  unit,
  unitPath,
  watchUnit,
  watchUnitPath,
} from "../../lib/steps/boot_restore.ts";
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

/** A systemd that only writes down what it was told. */
const systemctl = `#!/bin/sh
echo "$*" >>/run/systemd/log
case $1 in
enable) : >/run/systemd/enabled ;;
disable) rm -f /run/systemd/enabled ;;
is-enabled) [ -e /run/systemd/enabled ] ;;
esac
`;

async function boot(lab: TestLab, name: string): Promise<void> {
  const script = "mkdir -p /run/systemd/system; cat >/run/systemd/systemctl; " +
    "chmod 755 /run/systemd/systemctl; " +
    'real=$(command -v systemctl) || { real=/usr/bin/systemctl; : >"$real"; }; ' +
    'mount --bind /run/systemd/systemctl "$real"';
  await lab.on(name, withInput(cmd`sh -euc ${script}`, systemctl));
}

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
  "etc/systemd/system/deno-cni.service",
  "etc/systemd/system/deno-cni-watch.service",
  "opt/cni",
  "var/lib/deno-cni",
];

/** Ends a lab's nodes, makes them anew, empty, and gives them back what their disks would have kept. */
async function reboot(lab: TestLab, names: readonly string[]): Promise<void> {
  const folder = lab.file.slice(0, lab.file.lastIndexOf("/"));
  for (const name of names) {
    // A lab's node may have a link to what a real one has itself.
    await lab.on(name, cmd`tar -h -C / -cf ${folder}/${name}.tar ${disk}`);
    await killNode(lab, name);
  }
  assertEquals((await lab.script("01-provision")).code, 0);
  for (const name of names) {
    assertEquals(
      (await lab.node(name).run(cmd`ip link show dev cni0`)).code,
      1,
      "the node is not empty",
    );
    await lab.on(name, cmd`tar -C / -xf ${folder}/${name}.tar`);
  }
}

Deno.test({
  name:
    "a node that was booted anew has its bridge, rules, routes and sysctls by the file that stages 04 to 08 wrote (needs root)",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using lab = await testLab("t-restore");
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
            lab.node(name),
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

    await each((name) => boot(lab, name));
    await each(applyAll);
    const again = await applyAll("worker-1");
    assert(again.every(({ status }) => status === "ok"), JSON.stringify(again));
    const paths = stages.map(({ name }) => stagePath(name));
    const file = await lab.on("worker-1", cmd`cat ${paths}`);
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
    assertEquals(await lab.on("worker-1", cmd`cat ${unitPath}`), unit);
    assertStringIncludes(
      await lab.on("worker-1", cmd`cat /run/systemd/log`),
      "enable -q deno-cni.service deno-cni-watch.service\n" +
        "restart deno-cni-watch.service",
    );

    // It may run where all is there, and changes nothing then.
    const before = await lab.on("worker-1", cmd`sh -c ${kernelState}`);
    await lab.on("worker-1", cmd`sh ${bootPath}`);
    assertEquals(
      await lab.on("worker-1", cmd`sh -c ${kernelState}`),
      before,
    );

    await reboot(lab, names);
    const [, start = ""] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    await each((name) => lab.on(name, cmd`sh -c ${start}`));
    const after = await lab.on("worker-1", cmd`sh -c ${kernelState}`);
    assertEquals(after, before);
    const verified = await lab.script("09-verify");
    assertEquals(verified.code, 0, verified.stderr + verified.stdout);

    await comesBack(lab, start);

    // What cannot be done is no reason to leave out the rest, and is not hidden.
    await reboot(lab, ["worker-2"]);
    await lab.on("worker-2", cmd`ip link set eth0 down`);
    const failing = await lab.node("worker-2").run(cmd`sh ${bootPath}`);
    assertEquals(failing.code, 1);
    assertMatch(
      await lab.on("worker-2", cmd`ip -br addr show dev cni0`),
      /10\.244\.2\.1\/24/,
    );
    await lab.on("worker-2", cmd`ip link set eth0 up`);

    // Each stage takes its own commands out; the last one takes all away.
    const undone = async (stage: Stage, name: string) => {
      const results = await undo(
        stage.name,
        lab.node(name),
        stepsOf(stage, cluster, name),
        context,
      );
      const bad = results.find(({ problem }) => problem !== undefined);
      assertEquals(bad, undefined, JSON.stringify(bad));
    };
    await boot(lab, "worker-1");
    await undone(routes, "worker-1");
    assertEquals(
      await lab.on("worker-1", cmd`ls /etc/deno-cni/boot.d`),
      "04-bridge.sh\n06-forwarding.sh\n07-masquerade.sh\n",
    );
    for (const stage of [masquerade, forwarding, bridge]) {
      await undone(stage, "worker-1");
    }
    const left = await lab.node("worker-1").run(
      cmd`ls -d /etc/deno-cni ${unitPath} ${watchUnitPath}`,
    );
    assertEquals(left.stdout, "");
    assertStringIncludes(
      await lab.on("worker-1", cmd`cat /run/systemd/log`),
      "disable -q deno-cni.service\ndisable -q --now deno-cni-watch.service",
    );
  },
});

/** What a restart of the network takes away on worker-1 comes back by itself. */
async function comesBack(lab: TestLab, start: string): Promise<void> {
  const seen = () => lab.on("worker-1", cmd`ip route show proto 244`);
  const before = await seen();
  assertMatch(before, /10\.244\.2\.0\/24/);
  const linkDown = "ip link set eth0 down; ip link set eth0 up";

  // By the unit itself, as systemd runs it with the network's own services.
  await lab.on("worker-1", cmd`sh -c ${linkDown}`);
  assertEquals(await seen(), "");
  await lab.on("worker-1", cmd`sh -c ${start}`);
  assertEquals(await seen(), before);

  const [, watch = ""] = /^ExecStart=(.*)$/m.exec(watchUnit) ?? [];
  const background = `setsid ${watch} >/dev/null 2>&1 & echo $!`;
  const pid = (await lab.on("worker-1", cmd`sh -c ${background}`)).trim();
  await lab.on("worker-1", cmd`sleep 0.7`);
  for (
    const loss of [
      linkDown,
      "ip route flush proto 244",
      "ip addr del 10.0.1.11/24 dev eth0; ip addr add 10.0.1.11/24 dev eth0",
    ]
  ) {
    await lab.on("worker-1", cmd`sh -c ${loss}`);
    assertEquals(await seen(), "", loss);
    for (let left = 70; left > 0 && await seen() !== before; left--) {
      await lab.on("worker-1", cmd`sleep 0.1`);
    }
    assertEquals(await seen(), before, loss);
    await lab.on("worker-1", cmd`sleep 0.3`);
  }
  await lab.on("worker-1", cmd`kill -- -${pid}`);
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
