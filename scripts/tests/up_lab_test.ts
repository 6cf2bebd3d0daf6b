/** The whole way and back, as a user goes it, and what it leaves on the machine: nothing. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { labId } from "../../lib/lab/lab.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { run } from "../../lib/exec/run.ts";

function labTest(name: string, body: () => Promise<void>): void {
  const ignore = Deno.uid() !== 0;
  Deno.test(ignore ? `${name} (needs root)` : name, { ignore }, body);
}

/** All of the machine that a lab might touch, as the machine itself tells it. */
async function machineState(): Promise<Record<string, string>> {
  const ask = async (script: string) =>
    (await run(cmd`sh -c ${script}`)).stdout;
  return {
    links: await ask("ip -o link | sort"),
    addresses: await ask("ip -o addr | sort"),
    routes: await ask("ip route show table all | sort; ip rule"),
    rules: await ask("iptables-save | grep -v '^#' | sed 's/\\[.*\\]//'"),
    rules6: await ask("ip6tables-save | grep -v '^#' | sed 's/\\[.*\\]//'"),
    sysctls: await ask(
      "sysctl net.ipv4 net.bridge net.ipv6.conf 2>/dev/null | grep -v 'lo\\.\\|random\\|_wmem\\|_mem'",
    ),
    mounts: await ask("grep -c . /proc/self/mounts"),
    folders: await ask(
      "ls -d /etc/cni /opt/cni /var/lib/deno-cni /run/netns/* 2>&1",
    ),
    hostname: await ask("hostname"),
  };
}

/** The processes of a lab that are left. */
async function left(lab: TestLab): Promise<string> {
  const mark = `DENO_CNI_LAB=${labId(lab.cluster)}`;
  const script = 'grep -lszxF "$1" /proc/[0-9]*/environ; true';
  return (await run(cmd`sh -c ${script} left ${mark}`)).stdout;
}

labTest(
  "up makes a lab on which every path is as Kubernetes wants it, again changes nothing, and leaves the machine as it was",
  async () => {
    const before = await machineState();
    {
      await using lab = await testLab("t-up");
      const first = await lab.script("up", "-o", "json");
      assertEquals(first.code, 0, first.stderr);
      const report = JSON.parse(first.stdout);
      assertEquals(report.version, 1);
      assertEquals(report.matrix.passed, true);
      const second = JSON.parse((await lab.script("up", "-o", "json")).stdout);
      for (const [node, counts] of Object.entries(second.recap)) {
        const { changed, failed } = counts as {
          changed: number;
          failed: number;
        };
        assertEquals([changed, failed], [0, 0], node);
      }
      const { stdout } = await lab.script("up");
      assertStringIncludes(stdout, "pod → pod, other node  yes, as the pod");
      assertStringIncludes(stdout, "All 18 paths are as expected");
      const back = await lab.script("up", "--undo");
      assertEquals(back.code, 0, back.stderr);
      assertEquals(await left(lab), "");
    }
    assertEquals(await machineState(), before);
  },
);

labTest(
  "up on a fresh machine can be planned without making anything",
  async () => {
    await using lab = await testLab("t-plan");
    const { code, stdout, stderr } = await lab.script("up", "--dry-run");
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "ip link add cni0");
    assertEquals(await left(lab), "");
    assertEquals((await run(cmd`sh -n -c ${stdout}`)).code, 0);
  },
);

labTest(
  "Ctrl-C in the middle of up leaves nothing that down does not take back",
  async () => {
    const before = await machineState();
    for (const wait_ms of [250, 600, 1200]) {
      await using lab = await testLab(`t-int-${wait_ms}`);
      const [program, ...args] = scriptCommand("up", lab.file).argv;
      const up = new Deno.Command(program, {
        args,
        env: { ...lab.env },
        stdout: "null",
        stderr: "null",
      }).spawn();
      const status = up.status;
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
      try {
        up.kill("SIGINT");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // It was done already.
      }
      const { code } = await status;
      assert([0, 130].includes(code), `exit code ${code} after ${wait_ms} ms`);
      assertEquals((await lab.script("down")).code, 0);
      assertEquals(await left(lab), "");
    }
    assertEquals(await machineState(), before);
  },
);

labTest("up that was killed goes on where it stopped", async () => {
  await using lab = await testLab("t-kill");
  const [program, ...args] = scriptCommand("up", lab.file).argv;
  const up = new Deno.Command(program, {
    args,
    env: { ...lab.env },
    stdout: "null",
    stderr: "null",
  }).spawn();
  await new Promise((resolve) => setTimeout(resolve, 900));
  try {
    up.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  await up.status;
  const again = await lab.script("up");
  assertEquals(again.code, 0, again.stderr);
  assertStringIncludes(again.stdout, "All 18 paths are as expected");
});

labTest(
  "a second run on the same cluster at the same time is told to wait",
  async () => {
    await using lab = await testLab("t-busy");
    await Deno.mkdir(lab.cluster.stateDir, { recursive: true });
    using file = await Deno.open(`${lab.cluster.stateDir}/lock`, {
      create: true,
      write: true,
    });
    await file.lock(true);
    const { code, stderr } = await lab.script("up");
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      'another run is at work on the cluster "t-busy"',
    );
  },
);

Deno.test("a cluster file that is wrong, or not there, is exit code 2 and touches nothing", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/c.yaml`;
  await Deno.writeTextFile(file, "name: x\nclusterCidr: 10.244.0.0/16\n");
  const wrong = await run(scriptCommand("up", file));
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, `${file}:2: clusterCidr: no such key`);
  const absent = await run(scriptCommand("up", `${folder}/none.yaml`));
  assertEquals(absent.code, 2);
  assertStringIncludes(absent.stderr, `${folder}/none.yaml`);
  const flag = await run(scriptCommand("up", file, "--fast"));
  assertEquals(flag.code, 2);
  assertStringIncludes(flag.stderr, "--fast: no such flag");
  await Deno.remove(folder, { recursive: true });
});
