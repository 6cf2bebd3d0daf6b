// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Command } from "../exec/command.ts";
import { labId, labNode, labSteps, removeLab } from "./lab.ts";
import { endMachines } from "./remove.ts";
import {
  holder,
  make,
  members,
  must,
  on,
  removerOf,
  rooted,
  withCluster,
} from "./lab_testing.ts";
import { run } from "../exec/run.ts";

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
      const [outside] = labSteps(cluster);
      const [program, ...args] = (outside?.run as Command).argv;
      for (let delay_ms = 0; delay_ms < 40; delay_ms += 2) {
        const birth = new Deno.Command("setsid", {
          args: [program, ...args],
          stdout: "null",
          stderr: "null",
        }).spawn();
        // The kernel has executed both programs before there is a birth to find.
        while (!await hasBegun(birth.pid));
        await new Promise((resolve) => setTimeout(resolve, delay_ms));
        await endMachines(labId(cluster));
        await birth.status;
        assertEquals(members(cluster), 0, `after ${delay_ms} ms`);
      }
    }),
);

async function hasBegun(pid: number): Promise<boolean> {
  const cmdline = await Deno.readTextFile(`/proc/${pid}/cmdline`);
  return cmdline.startsWith("sh\0");
}

rooted(
  "a removal finds daemons, pods and containers whose node is killed and whose marks are gone",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const time_s = ownTime_s();
      const started = [
        // A daemon with the node's mounts, and one of another mount namespace.
        `setsid env -i sleep ${time_s}.1`,
        `setsid env -i unshare --mount sleep ${time_s}.2`,
        // A pod's process, in a network namespace that has a name on the node.
        `ip netns add shell; setsid env -i ip netns exec shell sleep ${time_s}.3`,
        // A container: marked parent, nothing else of the lab's.
        `setsid sh -c 'env -i unshare --net --mount --uts --pid --fork sleep ${time_s}.4; :'`,
        // One that ignores every polite signal.
        `setsid env -i sh -c 'trap "" HUP INT TERM; sleep ${time_s}.5; :'`,
      ];
      for (const script of started) {
        await on(worker, `{ ${script}; } >/dev/null 2>&1 </dev/null &`);
      }
      const alive = async () =>
        (await run(cmd`pgrep -x -f ${`sleep ${time_s}[.][1-5]`}`)).stdout.trim()
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

const bundle = "/usr/lib/cni";

Deno.test({
  name:
    "a removal ends containers, also those whose runtime was killed, and takes their control groups " +
    "(needs root, containerd, busybox and the reference plugins)",
  ignore: Deno.uid() !== 0 || !installed("/usr/bin/containerd") ||
    !installed("/bin/busybox") || !installed(`${bundle}/bridge`),
  fn: () =>
    withCluster(async (cluster) => {
      // Containers of all nodes share the paths of control groups.
      const id = cluster.name;
      const time_s = ownTime_s();
      const groups = async () =>
        (await must(
          cmd`find /sys/fs/cgroup -type d ( -name ${id} -o -name default )`,
        )).stdout;
      const before = await groups();
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const script = `cd /run; mkdir -p ${id} rootfs/bin /etc/cni/net.d /opt/cni
        cp /bin/busybox rootfs/bin/; ln -s ${bundle} /opt/cni/bin
        printf '%s' "$0" >/etc/cni/net.d/10.conflist
        setsid containerd --root /run/${id}/root --state /run/${id}/state --address /run/${id}/sock >log 2>&1 </dev/null &
        for i in $(seq 100); do ctr -a ${id}/sock version >log2 2>&1 && break; sleep 0.1; done
        setsid ctr -a ${id}/sock run -d --cni --rootfs /run/rootfs ${id} /bin/busybox sleep ${time_s} </dev/null >log3 2>&1`;
      const conflist = JSON.stringify({
        cniVersion: "0.4.0",
        name: "reference",
        plugins: [{
          type: "bridge",
          bridge: "cni0",
          ipam: { type: "host-local", subnet: "10.244.1.0/24" },
        }],
      });
      const started = await worker.run(cmd`sh -euc ${script} ${conflist}`);
      assertEquals(started.code, 0, await on(worker, "cat /run/log*"));
      const container = cmd`pgrep -x -f ${`/bin/busybox sleep ${time_s}`}`;
      await must(container);
      assertStringIncludes(await groups(), id);
      // First the runtime, so that it does not clear up behind the shim.
      for (const name of [`/run/${id}/sock`, `-id ${id} `]) {
        const { stdout } = await run(cmd`pgrep -f -- ${name}`);
        for (const pid of stdout.trim().split("\n")) {
          await run(cmd`kill -KILL ${pid}`);
        }
      }
      Deno.kill(holder(cluster, "worker-1"), "SIGKILL");
      await removeLab(cluster);
      assertEquals((await run(container)).stdout, "");
      assertEquals(await groups(), before);
    }),
});

function installed(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A time to sleep by which a process can be told from all others. */
function ownTime_s(): number {
  const [random = 0] = crypto.getRandomValues(new Uint16Array(1));
  return 100_000 + random;
}
