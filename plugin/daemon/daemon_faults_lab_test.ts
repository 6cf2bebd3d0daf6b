/**
 * The daemon, its launchers or both are killed or stopped: no call is lost, none is made twice, none waits for ever, and
 * what a caller cannot be told is taken back.
 */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import {
  added,
  config,
  needsRoot,
  none,
  type Said,
  type TestNode,
  testNode,
} from "../sandbox_testing.ts";
import { faultyBuild, onDaemonNode, until } from "./daemon_testing.ts";

/** How often at random; the bench has more. */
const rounds = Number(Deno.env.get("DENO_CNI_FAULTS") ?? 12);

/** Nothing of the network is left; the bridge may be. */
async function isClean(node: TestNode, where: string): Promise<void> {
  const left = (await node.links()).filter((name) => name !== "cni0");
  assertEquals([left, await node.leases()], [[], []], where);
}

const tryAgain = (said: Said) => said.exit === 1 && said.json.code === 11;

/** The call has succeeded, or says that it did not and may be made again. */
function isTold(said: Said, where: string): void {
  const told = said.exit === 0 || tryAgain(said);
  assert(told, `${where}: ${JSON.stringify(said)}`);
}

const signal = (pid: number, name: Deno.Signal) => Deno.kill(pid, name);

/** The launcher of a pod's call, once its claim is written: the process that waits for the daemon. */
async function waiting(node: TestNode): Promise<number> {
  const folder = `/proc/${node.pid}/root/run/deno-cni/daemon`;
  let found: number | undefined;
  await until("a launcher waits", async () => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory) continue;
      for await (const claim of Deno.readDir(`${folder}/${name}/slot`)) {
        const file = `${folder}/${name}/slot/${claim.name}`;
        const pid = Number(await Deno.readTextFile(file).catch(() => ""));
        // It waits at its pipe: by then it has said that it is there.
        const at = await Deno.readTextFile(`/proc/${pid}/wchan`).catch(() =>
          ""
        );
        if (pid > 0 && /pipe/.test(at)) found = pid;
      }
    }
    return found !== undefined;
  });
  return found!;
}

Deno.test({
  name:
    "killed at any of its named points, the daemon leaves a call done, or to be made again (needs root)",
  ignore: needsRoot,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "deno-cni-fault-" });
    try {
      const log = `${folder}/points`;
      const build = await faultyBuild(folder);
      const names = await rehearsal(build, log);
      await using node = await testNode(build, "daemon");
      const pod = await node.pod("p1");
      await added(node, { pod });
      await node.cni({ command: "DEL", pod });
      for (const [at, name] of names.entries()) {
        const env = { CNI_FAULT_AT: `${at + 1}`, CNI_FAULT_LOG: log };
        // The newest daemon is the one that launchers find.
        await node.startDaemon({ env });
        const said = await node.cni({ command: "ADD", pod });
        isTold(said, name);
        const gone = await node.cni({ command: "DEL", pod });
        assertEquals(gone, none, name);
        await isClean(node, name);
        const passed = (await Deno.readTextFile(log)).trim().split("\n");
        assertEquals(passed.at(-1), name, "it has died there");
        await Deno.remove(log);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** The points that an ADD and a DEL by the daemon pass, the second time. */
async function rehearsal(build: string, log: string): Promise<string[]> {
  await using node = await testNode(build, "daemon");
  const pod = await node.pod("p1");
  const pair = async () => {
    await added(node, { pod });
    assertEquals(await node.cni({ command: "DEL", pod }), none);
  };
  await pair();
  await node.startDaemon({ env: { CNI_FAULT_LOG: log } });
  await pair();
  const names = (await Deno.readTextFile(log)).trim().split("\n");
  await Deno.remove(log);
  for (const part of ["called", "begun", "made", "answered"]) {
    assert(names.includes(`daemon: ${part}`), names.join());
  }
  assert(names.includes("del: veth removed"), names.join());
  return names;
}

onDaemonNode(
  "killed at random under load, daemon and launchers lose no call, and no address is given twice",
  async (node) => {
    const pods = await Promise.all(
      Array.from({ length: 4 }, (_, at) => node.pod(`p${at}`)),
    );
    const [victim, ...others] = pods;
    let daemon = await node.startDaemon();
    for (let round = 0; round < rounds; round++) {
      const where = `round ${round}`;
      const killed = node.cni({
        command: "ADD",
        pod: victim!,
        killed_ms: Math.random() * 10,
      });
      const adds = others.map((pod) => node.cni({ command: "ADD", pod }));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 25));
      if (round % 2 === 0) {
        signal(daemon, "SIGKILL");
        daemon = await node.startDaemon();
      }
      const said = await Promise.all(adds);
      for (const one of said) isTold(one, where);
      const { exit } = await killed;
      const given = said.flatMap(({ json }) => json.ips ?? []);
      assertEquals(
        new Set(given.map(({ address }) => address)).size,
        given.length,
        where,
      );
      if (round % 2 === 1 && exit !== 0) {
        // The daemon takes back what the launcher could not tell.
        const told = async () => (await node.leases()).length === given.length;
        await until(`${where}: only what was told is left`, told);
      }
      const gone = await Promise.all(
        pods.map((pod) => node.cni({ command: "DEL", pod })),
      );
      assertEquals(gone, gone.map(() => none), where);
      await isClean(node, where);
    }
  },
);

onDaemonNode(
  "the daemon killed while DELs are under way, each is done all the same",
  async (node) => {
    const pods = await Promise.all(
      Array.from({ length: 6 }, (_, at) => node.pod(`p${at}`)),
    );
    for (let round = 0; round < rounds / 4; round++) {
      const daemon = await node.startDaemon();
      for (const pod of pods) await added(node, { pod });
      const dels = pods.map((pod) => node.cni({ command: "DEL", pod }));
      await new Promise((resolve) =>
        setTimeout(resolve, 5 + Math.random() * 25)
      );
      signal(daemon, "SIGKILL");
      assertEquals(await Promise.all(dels), pods.map(() => none));
      await isClean(node, `round ${round}`);
    }
  },
);

onDaemonNode(
  "a launcher that is killed before the daemon looks leaves nothing",
  async (node) => {
    const daemon = await node.startDaemon();
    const pod = await node.pod("p1");
    signal(daemon, "SIGSTOP");
    const call = node.cni({ command: "ADD", pod });
    signal(await waiting(node), "SIGKILL");
    await call;
    signal(daemon, "SIGCONT");
    // Its slot is free again, and whatever it had asked for has not been made.
    await added(node, { pod });
    assertEquals(await node.leases(), ["10.244.1.2"]);
    assertEquals(await node.cni({ command: "DEL", pod }), none);
    await isClean(node, "after DEL");
  },
);

onDaemonNode(
  "what ADD made for a launcher that is killed before it can tell is taken back",
  async (node) => {
    const daemon = await node.startDaemon();
    const pod = await node.pod("p1");
    signal(daemon, "SIGSTOP");
    const call = node.cni({ command: "ADD", pod });
    const launcher = await waiting(node);
    signal(launcher, "SIGSTOP");
    signal(daemon, "SIGCONT");
    await until("ADD is made", async () => (await node.leases()).length === 1);
    signal(launcher, "SIGKILL");
    await call;
    await until(
      "it is taken back",
      async () => (await node.leases()).length === 0,
    );
    await isClean(node, "taken back");
    await added(node, { pod });
  },
);

onDaemonNode(
  "what ADD made is taken back when nobody reads the result",
  async (node) => {
    const pod = await node.pod("p1");
    const env = {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: "p1",
      CNI_NETNS: pod.netns,
      CNI_IFNAME: "eth0",
      CNI_PATH: "/",
    };
    await node.run({
      ...cmd`sh -c ${'mkfifo /run/out; exec 9<>/run/out; "$0" 9<&- >/run/out 1>&- ; true'} ${node.plugin}`,
      stdin: JSON.stringify(config),
    }, env);
    await until(
      "it is taken back",
      async () => (await node.leases()).length === 0,
    );
    await isClean(node, "taken back");
    assertEquals(await node.coldCalls(), 0);
  },
);

onDaemonNode(
  "a daemon that is stuck is ended: ADD is told to try again, DEL is done, and the next call goes its way",
  async (node) => {
    const daemon = await node.startDaemon({ args: ["--stuck-after", "1"] });
    const [one, two] = [await node.pod("p1"), await node.pod("p2")];
    await added(node, { pod: one });
    signal(daemon, "SIGSTOP");
    const start_ms = performance.now();
    const [add, del] = await Promise.all([
      node.cni({ command: "ADD", pod: two }),
      node.cni({ command: "DEL", pod: one }),
    ]);
    const took_ms = performance.now() - start_ms;
    isTold(add, "ADD");
    assertEquals(del, none);
    assert(took_ms < 15_000, `${took_ms} ms`);
    assertEquals(await node.cni({ command: "DEL", pod: two }), none);
    await added(node, { pod: two });
    assertEquals(await node.cni({ command: "DEL", pod: two }), none);
    await isClean(node, "afterwards");
  },
);

onDaemonNode(
  "a watchdog that is killed is started again",
  async (node) => {
    const args = ["--stuck-after", "1"];
    const daemon = await node.startDaemon({ args });
    const find = () => watchdogs(daemon);
    const [first] = await find();
    signal(first!, "SIGKILL");
    await until("another one is there", async () => {
      const found = await find();
      return found.length > 0 && found[0] !== first;
    });
    signal(daemon, "SIGSTOP");
    isTold(
      await node.cni({ command: "ADD", pod: await node.pod("p1") }),
      "ADD",
    );
    await until("the daemon has ended", () => !isRunning(daemon));
  },
);

/** The shells whose parent a process is. */
async function watchdogs(parent: number): Promise<number[]> {
  const path = `/proc/${parent}/task/${parent}/children`;
  const children = (await Deno.readTextFile(path)).trim().split(" ").filter(
    Boolean,
  ).map(Number);
  return children.filter(isRunning);
}

/** Whether a process is there, and more than what its parent has not heard of. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

onDaemonNode(
  "on a full disk ADD is code 5, DEL still works, and the slots are not used up",
  async (node) => {
    const pod = await node.pod("p1");
    await added(node, { pod });
    await node.must(cmd`mount -o remount,size=256k /run`);
    await node.run(cmd`dd if=/dev/zero of=/run/fill bs=4k`);
    const other = await node.pod("p2");
    for (let at = 0; at < 3; at++) {
      const said = await node.cni({ command: "ADD", pod: other });
      assertEquals([said.exit, said.json.code], [1, 5], JSON.stringify(said));
    }
    assertEquals(await node.cni({ command: "DEL", pod }), none);
    await node.must(cmd`rm /run/fill`);
    const claimed = `${node.pid}`;
    await until(`the daemon serves again (${claimed})`, async () => {
      const before = await node.coldCalls();
      await added(node, { pod });
      assertEquals(await node.cni({ command: "DEL", pod }), none);
      return await node.coldCalls() === before;
    });
    await isClean(node, "afterwards");
  },
);

onDaemonNode(
  "a second daemon of a version takes over, and the first one ends",
  async (node) => {
    const first = await node.startDaemon();
    const second = await node.startDaemon();
    await until("the first has ended", () => !isRunning(first));
    assert(isRunning(second));
    await added(node, { pod: await node.pod("p1") });
    assertEquals(await node.coldCalls(), 0);
    // Of the first nothing is left.
    const folder = `/proc/${node.pid}/root/run/deno-cni/daemon`;
    const left = [...Deno.readDirSync(folder)].map(({ isFile }) => isFile);
    assertEquals(left.sort(), [false, true]);
  },
);

onDaemonNode(
  "the daemon is told to stop and another one started under load: no call fails",
  async (node) => {
    const pods = await Promise.all(
      Array.from({ length: 4 }, (_, at) => node.pod(`p${at}`)),
    );
    let goes = true;
    const load = pods.map(async (pod) => {
      let calls = 0;
      for (; goes; calls += 2) {
        await added(node, { pod });
        assertEquals(await node.cni({ command: "DEL", pod }), none);
      }
      return calls;
    });
    for (let at = 0; at < 2; at++) {
      await node.must(cmd`${node.plugin} daemon stop`);
      await node.startDaemon();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    goes = false;
    const calls = await Promise.all(load);
    assert(calls.every((count) => count > 4), calls.join());
    await isClean(node, "afterwards");
  },
);
