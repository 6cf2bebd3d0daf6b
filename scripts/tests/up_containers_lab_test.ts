/** A lab with real containers, as a user makes it: `make up RUNTIME=containerd`. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Command, type Outcome } from "../../lib/exec/command.ts";
import { labId } from "../../lib/lab/names.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { podTraces, runtimeTest } from "./runtimes_testing.ts";
import { run } from "../../lib/exec/run.ts";

const containers = ["containerd", "runc", "busybox-static"] as const;
const workers = ["worker-1", "worker-2"] as const;

/** Runs scripts/NAME.ts with $DENO_CNI_RUNTIME, inside what the wrapper makes. */
async function script(
  lab: TestLab,
  runtime: string,
  name: string,
  args: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<Outcome> {
  const { argv } = scriptCommand(name, lab.file, ...args);
  return await run(cmd`env ${wrapper} ${argv}`, {
    env: { ...lab.env, DENO_CNI_RUNTIME: runtime },
    timeout_ms: 120_000,
  });
}

/** What these tests look at of what up and 09-verify say. */
interface Said {
  readonly recap: Readonly<Record<string, Counts>>;
  readonly matrix: { readonly passed: boolean };
  readonly passed: boolean;
}

interface Counts {
  readonly changed: number;
  readonly failed: number;
}

async function json(
  lab: TestLab,
  runtime: string,
  name: string,
): Promise<Said> {
  const { stdout, stderr } = await script(lab, runtime, name, ["-o", "json"]);
  assert(stdout !== "", stderr);
  return JSON.parse(stdout);
}

/** The containers of stage 09 on a node: name and state. */
async function tasks(lab: TestLab, node: string): Promise<string[]> {
  const listed = await lab.on(node, cmd`ctr -n 09-verify tasks ls`);
  return listed.trim().split("\n").slice(1)
    .map((row) => row.trim().split(/\s+/))
    .map(([name, , status]) => `${name} ${status}`).sort();
}

/** What of a lab's containers is on the machine: control groups, shims, and all else that carries its mark. */
async function traces(lab: TestLab): Promise<string> {
  const id = labId(lab.cluster);
  const find =
    'find /sys/fs/cgroup -maxdepth 2 -name "deno-cni-$1-*"; grep -lszxF "DENO_CNI_LAB=$1" /proc/[0-9]*/environ; :';
  return (await run(cmd`sh -c ${find} find ${id}`)).stdout;
}

const bothRun = ["shell RUNNING", "web RUNNING"];

runtimeTest(
  "with RUNTIME=containerd every pod is a real container, from up to down",
  containers,
  async () => {
    let left = () => Promise.resolve("");
    {
      await using lab = await testLab("t-up-ctr");
      left = () => traces(lab);
      const inPod = (...command: string[]) =>
        script(lab, "", "shell", [
          "--node=worker-1",
          "--pod=web",
          "--",
          ...command,
        ]);

      const plan = await script(lab, "containerd", "up", ["--dry-run"]);
      assertEquals(plan.code, 0, plan.stderr);
      assertStringIncludes(plan.stdout, "setsid containerd --config");
      assertEquals(await left(), "");

      assertEquals((await json(lab, "containerd", "up")).matrix.passed, true);
      for (const node of workers) {
        assertEquals(await tasks(lab, node), bothRun);
      }
      const inside = await inPod("ps");
      assertEquals(inside.code, 0, inside.stderr);
      assertStringIncludes(inside.stdout, "httpd");
      assert(!inside.stdout.includes("containerd"), inside.stdout);
      assertEquals((await inPod("sh", "-c", "exit 7")).code, 7);

      const again = await json(lab, "containerd", "up");
      assertEquals(again.matrix.passed, true);
      for (
        const [node, { changed, failed }] of Object.entries(again.recap)
      ) {
        assertEquals([changed, failed], [0, 0], node);
      }

      // Without the variable, 09 finds what runs the pods by itself.
      await lab.on("worker-1", cmd`ctr -n 09-verify tasks kill -s KILL web`);
      const mended = await json(lab, "", "09-verify");
      assertEquals(mended.passed, true);
      assertStringIncludes(
        JSON.stringify(mended),
        "Pod web on worker-1 was started anew: no container of it was running",
      );
      assertEquals(await tasks(lab, "worker-1"), bothRun);

      const undone = await script(lab, "", "09-verify", ["--undo"]);
      assertEquals(undone.code, 0, undone.stderr);
      for (const node of workers) {
        assertEquals(await tasks(lab, node), []);
        assertEquals(await podTraces(lab, node), "");
        assertEquals(await lab.on(node, cmd`ls /run/netns`), "");
      }
      assert(!(await left()).includes("cgroup"), await left());
      assertEquals((await json(lab, "", "09-verify")).passed, true);
      assertEquals(await tasks(lab, "worker-2"), bothRun);
      // One that has ended keeps its control group until somebody removes it.
      await lab.on("worker-2", cmd`ctr -n 09-verify tasks kill -s KILL shell`);
    }
    assertEquals(await left(), "");
  },
);

runtimeTest(
  "containers outlive a containerd that is killed, and go with one that is no longer asked for",
  containers,
  async () => {
    await using lab = await testLab("t-ctr-end");
    assertEquals((await json(lab, "containerd", "up")).matrix.passed, true);
    const kill = cmd`sh -c ${"kill -KILL $(cat /run/deno-cni-containerd.pid)"}`;
    await lab.on("worker-1", kill);
    const again = await json(lab, "containerd", "up");
    assertEquals(again.matrix.passed, true);
    assertEquals(again.recap["worker-1"]?.changed, 1);
    assertEquals(again.recap["worker-2"]?.changed, 0);
    assertEquals(await tasks(lab, "worker-1"), bothRun);

    await lab.on("worker-2", kill);
    const silent = await script(lab, "", "09-verify");
    assertEquals(silent.code, 1);
    assertStringIncludes(
      silent.stderr,
      "containerd on worker-2, which runs the pods there, does not answer",
    );
    const bare = await json(lab, "none", "up");
    assertEquals(bare.matrix.passed, true);
    assert(!(await traces(lab)).includes("cgroup"));
    const runtimes: Command = cmd`sh -c ${
      'grep -ls "^containerd" /proc/[0-9]*/comm | while read -r f; do ' +
      'readlink "${f%comm}ns/mnt"; done | grep -xF "$(readlink /proc/self/ns/mnt)"; :'
    }`;
    for (const node of workers) assertEquals(await lab.on(node, runtimes), "");
  },
);

runtimeTest(
  "what containers want and is not there is told in one place, before anything is begun",
  containers,
  async () => {
    await using lab = await testLab("t-ctr-none");
    const without = ["unshare", "--mount", "sh", "-euc"];
    const hide = 'mount --bind /dev/null /usr/bin/containerd; exec "$@"';
    const missing = await script(lab, "containerd", "02-kubeadm", [], [
      ...without,
      hide,
      "hide",
    ]);
    assertEquals(missing.code, 1);
    assertStringIncludes(
      missing.stderr,
      "refused: containerd: not installed on this machine",
    );
    assertStringIncludes(missing.stderr, "apt-get install containerd\n");
    const user = await script(lab, "containerd", "02-kubeadm", [], [
      "unshare",
      "--user",
      "--map-user=1000",
    ]);
    assertEquals(user.code, 1);
    assertStringIncludes(
      user.stderr,
      "refused: containers on a lab's nodes (runtime: containerd) want root",
    );
    const unknown = await script(lab, "docker", "02-kubeadm");
    assertEquals(unknown.code, 2);
    assertStringIncludes(
      unknown.stderr,
      'DENO_CNI_RUNTIME: "docker" is not one of none, containerd',
    );
  },
);
