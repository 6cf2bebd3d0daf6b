// @ts-types="./std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { Cluster } from "./cluster.ts";
import { labCluster } from "./cluster_testing.ts";
import { cmd, type Command, type Outcome, run, show } from "./command.ts";
import { labId, labNode, labSteps, outsideNode, removeLab } from "./lab.ts";
import { findHolders, membersOf, takeCensus } from "./lab/processes.ts";
import { endMachines } from "./lab/remove.ts";
import { type Node, UnreachableError } from "./node.ts";
import type { Step } from "./step.ts";

function rooted(name: string, body: () => Promise<void>): void {
  const ignore = Deno.uid() !== 0;
  Deno.test({ name: `${name} (needs root)`, ignore, fn: body });
}

/** Gives the body a cluster that no other has, and removes its lab whatever comes. */
async function withCluster(
  body: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const name = `test-${crypto.randomUUID().slice(0, 8)}`;
  const folder = await Deno.makeTempDir();
  const stateDir = `${folder}/${name}`;
  await Deno.mkdir(stateDir);
  const cluster = labCluster({ name, stateDir });
  try {
    await body(cluster);
  } finally {
    await removeLab(cluster);
    await Deno.remove(folder, { recursive: true });
  }
}

async function must(command: Command): Promise<Outcome> {
  const outcome = await run(command);
  assertEquals(outcome.code, 0, `${show(command)}: ${outcome.stderr}`);
  return outcome;
}

async function on(node: Node, script: string): Promise<string> {
  const outcome = await node.run(cmd`sh -euc ${script}`);
  assertEquals(outcome.code, 0, `${node.name}: ${script}: ${outcome.stderr}`);
  return outcome.stdout.trim();
}

async function make(cluster: Cluster): Promise<void> {
  for (const step of labSteps(cluster)) await must(step.run as Command);
}

async function ask(step: Step): Promise<string> {
  assert(step.unless);
  return step.unless.read(await run(step.unless.ask)).is;
}

async function askAll(cluster: Cluster): Promise<string[]> {
  return await Promise.all(labSteps(cluster).map(ask));
}

function holder(cluster: Cluster, name: string): number {
  const process = findHolders(labId(cluster)).get(name);
  assert(process, `${name} has no holder`);
  return process.pid;
}

function members(cluster: Cluster): number {
  return membersOf(takeCensus(), labId(cluster)).length;
}

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

rooted(
  "a lab is made, answers to what was planned, and goes without a trace",
  () =>
    withCluster(async (cluster) => {
      const before = await machineState();
      const cgroups = await must(cmd`find /sys/fs/cgroup -type d`);
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
      const after = await must(cmd`find /sys/fs/cgroup -type d`);
      assertEquals(after.stdout, cgroups.stdout);
      assertEquals(
        await removeLab(cluster),
        0,
        "removing it again is no error",
      );
    }),
);

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
  "a large file is on the node as the same file, a small one as a copy, each renamed into place",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const folder = await Deno.makeTempDir();
      const [large, small] = [`${folder}/large file`, `${folder}/small`];
      await Deno.writeFile(large, new Uint8Array(2 << 20).fill(1));
      await Deno.writeTextFile(small, "one");
      try {
        await worker.copy(large, "/opt/cni/lib/x/large", "644");
        await worker.copy(small, "/opt/cni/lib/x/small", "755");
        const { ino } = await Deno.stat(large);
        const path = "/opt/cni/lib/x/large";
        assertEquals(await on(worker, `stat -Lc %i ${path}`), `${ino}`);
        // The machine gets a newer file: the node keeps what it was given.
        await Deno.writeFile(`${large}.new`, new Uint8Array(2 << 20).fill(2));
        await Deno.rename(`${large}.new`, large);
        assertEquals(await on(worker, `stat -Lc %i ${path}`), `${ino}`);
        await worker.copy(large, path, "644");
        assertEquals(await on(worker, `od -An -N1 -tu1 ${path}`), "2");
        const write = await worker.run(cmd`sh -c ${`echo x >${path}`}`);
        assertStringIncludes(write.stderr, "Read-only");
        const facts = await on(worker, "stat -c '%a %F' /opt/cni/lib/x/small");
        assertEquals(facts, "755 regular file");
        await Deno.writeTextFile(small, "two");
        assertEquals(await on(worker, "cat /opt/cni/lib/x/small"), "one");
        const left = await on(worker, "ls /opt/cni/lib/x");
        assertEquals(left, "large\nsmall");
        await on(worker, `rm ${path}`);
        // The machine's own Deno takes the same way.
        await worker.copy(Deno.execPath(), "/opt/cni/lib/deno", "755");
        await on(worker, "/opt/cni/lib/deno --version");
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }),
);

rooted(
  "a large file that the node cannot see is copied",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const folder = await Deno.makeTempDir({ dir: "/run" });
      try {
        await Deno.writeFile(`${folder}/large`, new Uint8Array(2 << 20));
        await worker.copy(`${folder}/large`, "/opt/cni/lib/large", "644");
        const facts = await on(worker, "stat -c '%s %F' /opt/cni/lib/large");
        assertEquals(facts, `${2 << 20} regular file`);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
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
      const sleeper = worker.run(cmd`sleep 60`);
      Deno.kill(holder(cluster, "worker-1"), "SIGKILL");
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
  "a birth that is killed at any moment leaves nothing that a removal does not find",
  () =>
    withCluster(async (cluster) => {
      const [outside, node] = labSteps(cluster);
      assert(outside && node);
      for (let delay_ms = 0; delay_ms < 90; delay_ms += 7) {
        await must(outside.run as Command);
        // Alone, as by kill -9 of its pid, and with its whole process group.
        for (const whole of [true, false]) {
          const [program, ...args] = (node.run as Command).argv;
          const birth = new Deno.Command("setsid", {
            args: [program, ...args],
            stdout: "null",
            stderr: "null",
          }).spawn();
          await new Promise((resolve) => setTimeout(resolve, delay_ms));
          await run(cmd`kill -KILL -- ${whole ? -birth.pid : birth.pid}`);
          await birth.status;
          await endMachines(labId(cluster));
          assertEquals(members(cluster), 0, `killed after ${delay_ms} ms`);
          await must(outside.run as Command);
        }
        await must(node.run as Command);
        await on(labNode(cluster, "master"), "ping -c1 -W2 10.0.1.1");
      }
    }),
);

rooted(
  "a removal in the middle of a birth that nobody waits for ends it",
  () =>
    withCluster(async (cluster) => {
      const [outside, node] = labSteps(cluster);
      assert(outside && node);
      for (let delay_ms = 2; delay_ms < 60; delay_ms += 4) {
        await must(outside.run as Command);
        const [program, ...args] = (node.run as Command).argv;
        const birth = new Deno.Command("setsid", {
          args: [program, ...args],
          stdout: "null",
          stderr: "null",
        }).spawn();
        await new Promise((resolve) => setTimeout(resolve, delay_ms));
        await endMachines(labId(cluster));
        await birth.status;
        assertEquals(members(cluster), 0, `after ${delay_ms} ms`);
      }
    }),
);

rooted(
  "a removal finds daemons, pods and containers whose node is killed and whose marks are gone",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const started = [
        // A daemon with the node's mounts, and one of another mount namespace.
        "setsid env -i sleep 601",
        "setsid env -i unshare --mount sleep 602",
        // A pod's process, in a network namespace that has a name on the node.
        "ip netns add shell; setsid env -i ip netns exec shell sleep 603",
        // A container: marked parent, nothing else of the lab's.
        "setsid sh -c 'env -i unshare --net --mount --uts --pid --fork sleep 604; :'",
        // One that ignores every polite signal.
        `setsid env -i sh -c 'trap "" HUP INT TERM; sleep 605; :'`,
      ];
      for (const script of started) {
        await on(worker, `{ ${script}; } >/dev/null 2>&1 </dev/null &`);
      }
      const alive = async () =>
        (await run(cmd`pgrep -x -f ${"sleep 60[1-5]"}`)).stdout.trim()
          .split("\n").filter((line) => line !== "").length;
      for (let tries = 0; await alive() < 5;) {
        assert(tries++ < 100, `${await alive()} of 5 are running`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      for (const name of ["outside", "master", "worker-1", "worker-2"]) {
        Deno.kill(holder(cluster, name), "SIGKILL");
      }
      await Deno.remove(cluster.stateDir, { recursive: true });
      const ended = await removeLab(cluster);
      assert(ended >= 5, `ended ${ended}`);
      assertEquals(await alive(), 0);
    }),
);

rooted(
  "a removal from inside the lab is refused and ends nothing",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const before = members(cluster);
      const node = labNode(cluster, "worker-1");
      const remover = [Deno.execPath(), ...removerOf(cluster)] as const;
      const outcome = await run(node.enter({ argv: ["env", ...remover] }));
      assertEquals(outcome.code, 1, outcome.stderr);
      assertStringIncludes(outcome.stderr, "leave it first");
      assertEquals(members(cluster), before);
      await on(node, "ping -c1 -W2 10.0.1.12");
    }),
);

rooted(
  "an idle lab's processes take less than a MB each, and its tmpfs next to nothing",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      for (const { pid } of membersOf(takeCensus(), labId(cluster))) {
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
  "an unprivileged user has a lab of his own, and may do on its nodes what the stages do",
  () =>
    withCluster(async (cluster) => {
      const { as, folder } = await stranger(cluster);
      for (const { run: command } of labSteps(cluster)) {
        await must(as(command as Command));
      }
      const worker = labNode(cluster, "worker-1");
      const asOn = (node: Node, script: string) =>
        must(as(node.enter(cmd`sh -euc ${script}`)));
      const { stdout } = await asOn(
        worker,
        `id -u; hostname; for to in 10.0.1.10 10.0.1.12 203.0.113.8; do ping -c1 -W2 $to >&2; done
      ip link add cni0 type bridge; ip link set cni0 up; ip addr add 10.244.1.1/24 dev cni0
      iptables -w -A FORWARD -s 10.244.0.0/16 -j ACCEPT
      iptables -w -A FORWARD -d 10.244.0.0/16 -j ACCEPT
      iptables -w -t nat -A POSTROUTING -s 10.244.1.0/24 ! -d 10.244.0.0/16 -m comment --comment x -j MASQUERADE
      sysctl -qw net.ipv4.ip_forward=1
      for d in /etc/cni/net.d /opt/cni/bin /opt/cni/lib /var/lib/cni /var/lib/deno-cni /etc/sysctl.d /run/lock; do
        mkdir -p $d; echo x >$d/x; mv $d/x $d/y; done
      ip netns add pod; ip link add pod0 master cni0 up type veth peer name eth0 netns pod
      nsenter --net=/run/netns/pod sh -c 'ip addr add 10.244.1.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.244.1.1'
      nsenter --net=/run/netns/pod ping -c1 -W2 203.0.113.8 >&2`,
      );
      assertEquals(stdout, "0\nworker-1\n");
      const [program, ...args] = as(
        worker.enter(cmd`nsenter --net=/run/netns/pod env -i sleep 600`),
      ).argv;
      const pod = new Deno.Command(program, { args }).spawn();
      // His lab is his: root does not run his programs.
      await assertRejects(() => worker.run(cmd`true`), UnreachableError);
      await must(as({ argv: [`${folder}/deno`, ...removerOf(cluster)] }));
      assertEquals((await pod.status).success, false);
      assertEquals(members(cluster), 0);
    }),
);

rooted(
  "a user's removal leaves root's lab of the same name alone",
  () =>
    withCluster(async (cluster) => {
      const { as, folder } = await stranger(cluster);
      await make(cluster);
      await must(as({ argv: [`${folder}/deno`, ...removerOf(cluster)] }));
      assertEquals(members(cluster), 4);
      assertEquals(new Set(await askAll(cluster)), new Set(["present"]));
    }),
);

rooted(
  "a user who may not end a process of his lab is told whose it is, and ends nothing",
  () =>
    withCluster(async (cluster) => {
      const { as, folder } = await stranger(cluster);
      // A process of his that has one of root's as its child, as after sudo.
      const parent = as(
        cmd`env DENO_CNI_NODE=${labId(cluster)}/worker-1 sleep 60`,
      );
      const script = 'sleep 61 & exec "$@"';
      const child = new Deno.Command("sh", {
        args: ["-c", script, "x", ...parent.argv],
      }).spawn();
      const remove = as({ argv: [`${folder}/deno`, ...removerOf(cluster)] });
      let outcome = await run(remove);
      for (let tries = 0; outcome.code === 0; tries++) {
        assert(tries < 50, "the processes are not seen");
        outcome = await run(remove);
      }
      assertEquals(outcome.code, 1);
      assertStringIncludes(outcome.stderr, "(sleep) of the lab belongs to");
      assertStringIncludes(outcome.stderr, "the user 0:");
      assertEquals(members(cluster), 2);
      const states = membersOf(takeCensus(), labId(cluster));
      assertEquals(states.map(({ state }) => state), ["S", "S"]);
      assertEquals(await removeLab(cluster), 2);
      await child.status;
    }),
);

/** The arguments of Deno that remove a whole lab. */
function removerOf(cluster: Cluster): string[] {
  const [step] = labSteps(cluster);
  return (step?.undo as Command).argv.slice(1, -1);
}

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

rooted(
  "a root without the capability for namespaces is told what is lacking",
  () =>
    withCluster(async (cluster) => {
      const [outside] = labSteps(cluster);
      const birth = outside?.run as Command;
      const outcome = await run(
        cmd`setpriv --bounding-set=-sys_admin ${birth.argv}`,
      );
      assertEquals(outcome.code, 1);
      assertStringIncludes(outcome.stderr, "root may not make namespaces here");
      assertEquals(members(cluster), 0);
    }),
);

rooted(
  "where user namespaces are forbidden, one line names the setting and sudo",
  () =>
    withCluster(async (cluster) => {
      const { as } = await stranger(cluster);
      const [step] = labSteps(cluster);
      const birth = as(step?.run as Command);
      // In a user namespace of the test's own the limit is the test's own, too.
      const script = `unshare --user sleep 60 & pid=$!; trap 'kill $pid' EXIT
        while [ "$(readlink /proc/$pid/ns/user)" = "$(readlink /proc/$$/ns/user)" ]; do :; done
        echo 0 0 65536 >/proc/$pid/uid_map; echo 0 0 65536 >/proc/$pid/gid_map
        nsenter --target=$pid --user sh -euc 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' x "$@"`;
      const outcome = await run(cmd`sh -euc ${script} x ${birth.argv}`);
      assertEquals(outcome.code, 1, outcome.stderr);
      assertEquals(
        outcome.stderr,
        "a lab without root needs user namespaces, which user.max_user_namespaces=0 forbids: " +
          "use sudo (or: sudo sysctl -w user.max_user_namespaces=10000)\n",
      );
      assertEquals(members(cluster), 0);
    }),
);

/** Somebody without privileges, who can read the lab's scripts and run Deno. */
async function stranger(cluster: Cluster): Promise<{
  readonly as: (command: Command) => Command;
  readonly folder: string;
}> {
  const folder = cluster.stateDir;
  const own = `${folder}/lib`;
  await must(cmd`cp -r ${import.meta.dirname ?? ""}/lab ${own}`);
  await must(
    cmd`sh -c ${'cp "$1" "$2/deno"'} x ${
      Deno.execPath().replace(/\/(?=[^/]*$)/, "/./")
    } ${folder}`,
  );
  await must(cmd`chown -R 12345:12345 ${folder}`);
  await must(cmd`chmod 755 ${folder} ${folder.replace(/\/[^/]*$/, "")}`);
  const as = ({ argv }: Command): Command =>
    cmd`setpriv --reuid=12345 --regid=12345 --clear-groups env -i PATH=/usr/bin:/bin HOME=${folder} DENO_DIR=${folder}/cache ${
      argv.map((argument) =>
        argument.replace(`${import.meta.dirname}/lab/`, `${own}/`)
      )
    }`;
  return { as, folder };
}
