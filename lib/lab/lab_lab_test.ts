// @ts-types="../std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { cmd, type Command } from "../exec/command.ts";
import { labId, labNode, labSteps, outsideNode, removeLab } from "./lab.ts";
import { membersOf, processNamespace, takeSnapshot } from "./processes.ts";
import {
  ask,
  askAll,
  holder,
  make,
  members,
  must,
  on,
  rooted,
  withCluster,
} from "./lab_testing.ts";
import { UnreachableError } from "../node/node.ts";
import { run } from "../exec/run.ts";

rooted(
  "a lab is made, answers to what was planned, and goes without a trace",
  () =>
    withCluster(async (cluster) => {
      const before = await machineState();
      await make(cluster);
      assertEquals(new Set(await askAll(cluster)), new Set(["present"]));
      const worker = labNode(cluster, "worker-1");
      assertEquals(await on(worker, "hostname"), "worker-1");
      const addresses = await on(worker, "ip -br -4 addr show dev eth0");
      assertStringIncludes(addresses, "10.0.1.11/24");
      const routes = await on(worker, "ip route show default");
      assertStringIncludes(routes, "via 10.0.1.1 dev eth0");
      assertEquals(await on(worker, "sysctl -n net.ipv4.ip_forward"), "0");
      const policy = await on(worker, "iptables -S FORWARD");
      assertEquals(policy, "-P FORWARD DROP");
      const bridged = "/proc/sys/net/bridge/bridge-nf-call-iptables";
      assertEquals(
        await on(worker, `[ ! -e ${bridged} ] || cat ${bridged}`),
        await exists(bridged) ? "1" : "",
      );
      for (const to of ["10.0.1.10", "10.0.1.12", "10.0.1.1", "203.0.113.8"]) {
        await on(worker, `ping -c1 -W2 ${to}`);
      }
      const outside = outsideNode(cluster);
      assertEquals(await on(outside, "sysctl -n net.ipv4.ip_forward"), "1");
      const toPod = await outside.run(cmd`ip route get 10.244.1.2`);
      assertStringIncludes(toPod.stderr, "unreachable");
      await removeLab(cluster);
      assertEquals(members(cluster), 0);
      assertEquals(new Set(await askAll(cluster)), new Set(["absent"]));
      assertEquals(await exists(cluster.stateDir), false);
      assertEquals(await machineState(), before);
      assertEquals(
        await removeLab(cluster),
        0,
        "removing it again is no error",
      );
    }),
);

/** All that a lab could change of this machine's network, and its mounts. */
async function machineState(): Promise<Record<string, string>> {
  const questions = {
    links: cmd`ip -j link`,
    addresses: cmd`ip -j addr`,
    routes: cmd`ip -j route show table all`,
    rules: cmd`ip -j rule`,
    iptables: cmd`sh -c ${"iptables-save -c 2>/dev/null | grep -v '^#'; true"}`,
    mounts: cmd`cat /proc/self/mountinfo`,
    hostname: cmd`hostname`,
    sysctls:
      cmd`sh -c ${"sysctl -a 2>/dev/null | grep ^net | grep -v conntrack_count"}`,
  };
  const entries = Object.entries(questions).map(async ([name, question]) => {
    const { stdout } = await run(question);
    // Counters of the machine's own traffic are no concern of the lab's.
    return [name, stdout.replace(/"(valid|preferred)_life_time":\d+/g, "")];
  });
  return Object.fromEntries(await Promise.all(entries));
}

function lines(text: string): string[] {
  return text.trim().split("\n").toSorted();
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

rooted(
  "what a node writes under /etc, /opt, /var and /run stays its own",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const files = [
        "/etc/cni/net.d",
        "/etc/sysctl.d",
        "/opt/cni/bin",
        "/var/lib/cni",
        "/var/lib/deno-cni",
        "/var/log",
        "/run",
      ].map((folder) => `${folder}/${cluster.name}`);
      for (const file of files) {
        await on(worker, `mkdir -p ${file.replace(/[^/]*$/, "")}; : >${file}`);
      }
      for (const file of files) {
        assertEquals(await exists(file), false, file);
        await on(labNode(cluster, "worker-2"), `[ ! -e ${file} ]`);
      }
      const seen = await on(worker, "ls /var/lib/cni /etc/cni /opt/cni");
      const found = seen.split("\n").filter((line) => !line.endsWith(":"));
      assertEquals(found.filter((line) => line !== ""), [
        "net.d",
        "bin",
        cluster.name,
      ]);
    }),
);

rooted(
  "a node's environment is clean and bears the lab's mark",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const { stdout } = await worker.run(cmd`env`);
      assertEquals(lines(stdout), [
        `DENO_CNI_LAB=${labId(cluster)}`,
        `DENO_CNI_NODE=${labId(cluster)}/worker-1`,
        "HOME=/run/home",
        "LANG=C",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      ]);
      const own = await worker.run(cmd`env`, { env: { CNI_X: "a b" } });
      assertEquals(lines(own.stdout), [
        "CNI_X=a b",
        `DENO_CNI_LAB=${labId(cluster)}`,
        `DENO_CNI_NODE=${labId(cluster)}/worker-1`,
      ]);
      const entered = await run(worker.enter(cmd`env`));
      assertEquals(lines(entered.stdout), lines(stdout));
      const there = await worker.run(cmd`pwd`, { cwd: "/var/lib" });
      assertEquals(there.stdout, "/var/lib\n");
    }),
);

rooted(
  "a command that a node does not have is no exit code but a missing command",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const outcome = await worker.run(cmd`no-such-command`);
      assertEquals(outcome.ended, "no such command");
      assertEquals(
        (await worker.run(cmd`/etc/passwd`)).ended,
        "not executable",
      );
      assertEquals((await worker.run(cmd`sh -c ${"exit 127"}`)).code, 127);
    }),
);

rooted(
  "two labs live side by side, and one goes without the other",
  () =>
    withCluster((one) =>
      withCluster(async (two) => {
        await Promise.all([make(one), make(two)]);
        const script = "ip -br link show type veth | wc -l";
        assertEquals(await on(outsideNode(one), script), "3");
        assertEquals(await on(outsideNode(two), script), "3");
        await on(labNode(one, "worker-1"), "touch /run/mine");
        await on(labNode(two, "worker-1"), "[ ! -e /run/mine ]");
        await removeLab(one);
        assertEquals(members(one), 0);
        assertEquals(new Set(await askAll(two)), new Set(["present"]));
        await on(labNode(two, "worker-1"), "ping -c1 -W2 10.0.1.12");
      })
    ),
);

rooted(
  "a node that ended is unreachable, with a line that says what to do, and is made anew",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      await on(worker, "touch /run/before");
      const sleeper = worker.run(
        cmd`sh -c ${"touch /run/sleeping; exec sleep 60"}`,
      );
      await on(worker, "until [ -e /run/sleeping ]; do sleep 0.01; done");
      const pid = holder(cluster, "worker-1");
      Deno.kill(pid, "SIGKILL");
      // The kernel ends a process in its own time.
      while (processNamespace(pid, "net") !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const error = await assertRejects(
        () => worker.run(cmd`true`),
        UnreachableError,
      );
      assertEquals(error.message, "worker-1: not running: make 01-provision");
      const entered = await run(worker.enter(cmd`true`));
      assertEquals(entered.stderr, `${error.message}\n`);
      await assertRejects(
        () => worker.copy("/etc/hostname", "/run/x", "644"),
        UnreachableError,
      );
      const [, , step] = labSteps(cluster);
      assert(step);
      assertEquals(await ask(step), "absent");
      await must(step.run as Command);
      assertEquals((await sleeper).ended, "killed", "what ran on the old node");
      await on(worker, "[ ! -e /run/before ]; ping -c1 -W2 10.0.1.12");
    }),
);

rooted(
  "without the outside host a node counts as absent, for its cable went with it",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      Deno.kill(holder(cluster, "outside"), "SIGKILL");
      // The kernel clears the links away in its own time.
      for (let tries = 0; (await askAll(cluster)).includes("present");) {
        assert(tries++ < 100, "the nodes still have their links");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const [outside, node] = labSteps(cluster);
      assert(outside && node);
      const early = await run(node.run as Command);
      assertEquals(early.code, 1);
      assertStringIncludes(
        early.stderr,
        "the segment that it plugs into is not",
      );
      await make(cluster);
      await on(labNode(cluster, "master"), "ping -c1 -W2 10.0.1.12");
      assertEquals(members(cluster), 4);
    }),
);

rooted(
  "making a machine a second time leaves one of it",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      await Promise.all(
        labSteps(cluster).slice(1).flatMap(({ run: command }) => [
          must(command as Command),
          must(command as Command),
        ]),
      );
      assertEquals(members(cluster), 4);
      await on(labNode(cluster, "master"), "ping -c1 -W2 10.0.1.12");
    }),
);

rooted(
  "undo takes one machine, and leaves the others as they are",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const [, , worker] = labSteps(cluster);
      await must(worker?.undo as Command);
      assertEquals(await askAll(cluster), [
        "present",
        "present",
        "absent",
        "present",
      ]);
      await must(worker?.undo as Command);
      await on(labNode(cluster, "master"), "ping -c1 -W2 10.0.1.12");
    }),
);

rooted(
  "an idle lab's processes take less than a MB each, and its tmpfs next to nothing",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      for (const { pid } of membersOf(takeSnapshot(), labId(cluster))) {
        const rollup = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`);
        const [, pss = "9999"] = /^Pss:\s+(\d+) kB/m.exec(rollup) ?? [];
        assert(Number(pss) < 1024, `process ${pid}: PSS ${pss} kB`);
      }
      const used = await on(
        labNode(cluster, "master"),
        "df -k --output=used /run",
      );
      assert(Number(used.split("\n")[1]) < 1024, used);
    }),
);

rooted(
  "a missing program is named with its package",
  () =>
    withCluster(async (cluster) => {
      const [outside, node] = labSteps(cluster);
      await must(outside?.run as Command);
      const script =
        'mount --bind /dev/null "$(readlink -f "$(command -v iptables)")"; exec "$@"';
      const birth = node?.run as Command;
      const outcome = await run(
        cmd`unshare --mount sh -euc ${script} x ${birth.argv}`,
      );
      assertEquals(outcome.code, 1);
      assertEquals(
        outcome.stderr,
        "master: iptables is not installed on this machine: apt-get install iptables\n",
      );
    }),
);
