// @ts-types="../std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
// @ts-types="../std/snapshot.d.ts"
import { assertSnapshot } from "@std/testing/snapshot";
import type { Cluster } from "../cluster/cluster.ts";
import { usualKubernetes } from "../cluster/schema_kubernetes.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import { cmd, type Outcome, paste, show } from "../exec/command.ts";
import { nodeSteps } from "./kubeadm_steps.ts";
import { keepSteps } from "./kubeconfig.ts";
import { forgetSteps } from "./reset.ts";
import { machineSteps } from "./prerequisites.ts";
import { type Answer, type Step, undoOf } from "../stage/stage.ts";
import { run } from "../exec/run.ts";

const machines: Cluster = {
  ...labCluster({ name: "machines", stateDir: "/state/machines" }),
  provider: "ssh",
  kubernetes: {
    ...usualKubernetes,
    version: "1.33",
    podsOnControlPlane: "yes",
  },
};
const [master, worker1, worker2] = machines.nodes;
assert(master && worker1 && worker2);

function lines(steps: readonly Step[]): string {
  return steps.map(({ why, run, input, ...step }) => {
    const back = undoOf(step, "PREVIOUS");
    return [
      `# ${why}`,
      ...(input
        ? [`# reads what ${input.from} gives: ${show(input.ask)}`]
        : []),
      "copy" in run ? `copy ${run.copy} ${run.to}` : paste(run),
      ...(back === undefined ? [] : [`# undo: ${show(back)}`]),
    ].join("\n");
  }).join("\n");
}

Deno.test("a machine is made ready by these commands", async (context) => {
  await assertSnapshot(context, lines(machineSteps(machines)));
});

Deno.test("the control plane is made by these commands", async (context) => {
  await assertSnapshot(context, lines(nodeSteps(machines, master)));
});

Deno.test("a worker joins by these commands", async (context) => {
  await assertSnapshot(context, lines(nodeSteps(machines, worker1)));
});

Deno.test("the operator keeps the kubeconfig and the podCIDRs", async (context) => {
  await assertSnapshot(context, lines(keepSteps(machines)));
});

Deno.test("the packages are those of the version that the cluster file names", () => {
  for (const version of ["1.24", "1.29", "1.40"]) {
    const steps = machineSteps({
      ...machines,
      kubernetes: { ...usualKubernetes, version },
    });
    assertStringIncludes(lines(steps), `/core:/stable:/v${version}/deb/`);
  }
  const { kubernetes: _, ...plain } = machines;
  assertStringIncludes(lines(machineSteps(plain)), "/v1.31/deb/");
});

Deno.test("the control plane takes pods only where the cluster file says so", () => {
  const { kubernetes: _, ...plain } = machines;
  assert(!lines(nodeSteps(plain, master)).includes("taint nodes"));
  assertStringIncludes(lines(nodeSteps(machines, master)), "taint nodes");
});

Deno.test("workers join one after the other, behind the control plane", () => {
  assertEquals(
    [worker1, worker2].map((node) =>
      nodeSteps(machines, node)[0]?.input?.after
    ),
    [[], ["worker-1"]],
  );
});

/** What the step whose command says this makes of an answer. */
function reads(
  steps: readonly Step[],
  gist: string,
  outcome: Partial<Outcome>,
  input?: string,
): Answer {
  const step = steps.find(({ run }) =>
    "label" in run && run.label?.includes(gist)
  );
  assert(step?.doneWhen, gist);
  const whole = { code: 0, stdout: "", stderr: "", ...outcome };
  return step.doneWhen.read(whole, input);
}

const worker = nodeSteps(machines, worker1);
const join = (outcome: Partial<Outcome>) =>
  reads(worker, "kubeadm join", outcome);

Deno.test("a machine that kubeadm has not seen, or has not done with, is to be joined", () => {
  assertEquals(join({ code: 44 }), { is: "absent" });
  const cutOff = "running\nhttps://10.0.1.10:6443\n";
  assertEquals(join({ stdout: cutOff }), { is: "absent" });
});

Deno.test("a node of this cluster stays as it is, whoever joined it", () => {
  const server = "https://10.0.1.10:6443\n";
  assertEquals(join({ stdout: `done\n${server}` }), {
    is: "present",
    ours: true,
  });
  assertEquals(join({ stdout: `theirs\n${server}` }), { is: "present" });
  const byName = "theirs\nhttps://k8s.example.org:6443\n";
  assertEquals(join({ stdout: byName }), { is: "present" });
});

Deno.test("a node of another cluster is refused", () => {
  const answer = join({ stdout: "theirs\nhttps://192.0.2.1:6443\n" });
  assertEquals(answer.is, "different");
  assert(answer.is === "different");
  assertStringIncludes(answer.found, "https://192.0.2.1:6443");
});

Deno.test("what cannot be asked is not taken for absent, and tells no secret", () => {
  const answer = reads(keepSteps(machines), "kubeconfig", {
    code: 1,
    stdout: "client-key-data: SECRET",
    stderr: "cat: Permission denied",
  });
  assert(answer.is === "unknown");
  assertStringIncludes(answer.reason, "Permission denied");
  assert(!answer.reason.includes("SECRET"));
});

Deno.test("the kubeconfig is kept as the control plane has it, for its owner alone", () => {
  const kept = (stdout: string) =>
    reads(keepSteps(machines), "kubeconfig", { stdout }, "clusters: []\n").is;
  assertEquals(kept("600\nclusters: []\n"), "present");
  assertEquals(kept("644\nclusters: []\n"), "absent");
  assertEquals(kept("600\nclusters: [old]\n"), "absent");
});

Deno.test("both names of the control plane's taint are known, and others are left alone", () => {
  const taints = (stdout: string) =>
    reads(nodeSteps(machines, master), "taint nodes", { stdout }).is;
  assertEquals(taints("node-role.kubernetes.io/control-plane"), "absent");
  assertEquals(taints("node-role.kubernetes.io/master"), "absent");
  assertEquals(taints("node.kubernetes.io/not-ready"), "present");
  assertEquals(taints(""), "present");
});

const ready = machineSteps(machines);

Deno.test("programs that are there are used; without apt-get a clear line says what is missing", () => {
  const packages = (outcome: Partial<Outcome>) =>
    reads(ready, "apt-mark hold", outcome);
  assertEquals(packages({}), { is: "present" });
  assertEquals(packages({ code: 44 }), { is: "absent" });
  const fedora = packages({ code: 45, stdout: "Fedora Linux 40\n" });
  assert(fedora.is === "different");
  assertStringIncludes(fedora.found, "kubeadm, kubelet, kubectl");
  assertStringIncludes(fedora.found, "Fedora Linux 40 has no apt-get");
  assertEquals(packages({ code: 2 }).is, "unknown");
});

Deno.test("a containerd configuration that is there is respected, unless no kubelet can work with it", () => {
  const config = (stdout: string) => reads(ready, "config.toml", { stdout });
  assertEquals(reads(ready, "config.toml", { code: 44 }).is, "absent");
  assertEquals(config('bin_dir = "/opt/cni/bin"\n'), { is: "present" });
  assertEquals(config("# deno-cni: written by stage 02\n"), {
    is: "present",
    ours: true,
  });
  const debian = config('version = 2\n  bin_dir = "/usr/lib/cni"\n');
  assert(debian.is === "different");
  assertStringIncludes(debian.found, '"/usr/lib/cni"');
  const docker = config('disabled_plugins = ["cri"]\n');
  assert(docker.is === "different");
  assertStringIncludes(docker.found, "disables the plugin cri");
  const whole = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]';
  assertEquals(config(whole).is, "different");
  const aufs = 'disabled_plugins = ["io.containerd.snapshotter.v1.aufs"]';
  assertEquals(config(aufs).is, "present");
});

Deno.test("swap is asked of the kernel", () => {
  assertEquals(reads(ready, "swapoff", {}).is, "present");
  const line = "/swapfile file 2097148 0 -2";
  assertEquals(reads(ready, "swapoff", { code: 44, stdout: line }), {
    is: "absent",
    previous: "on",
  });
});

const token = "abcdef.0123456789abcdef";

/** Programs of a control plane that write down how they were called. */
async function withPrograms(
  programs: Readonly<Record<string, string>>,
  body: (folder: string, env: Record<string, string>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, script] of Object.entries(programs)) {
      const text = `#!/bin/sh\necho "${name} $*" >>${folder}/log\n${script}\n`;
      await Deno.writeTextFile(`${folder}/${name}`, text, { mode: 0o755 });
    }
    await Deno.writeTextFile(
      `${folder}/admin.conf`,
      "clusters:\n- cluster:\n    certificate-authority-data: Q0E=\n    server: https://10.0.1.10:6443\n",
    );
    await body(folder, { PATH: `${folder}:/usr/bin:/bin` });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function giveToken(
  folder: string,
  env: Record<string, string>,
): Promise<Outcome> {
  const [step] = worker;
  assert(step?.input);
  const [program, ...args] = step.input.ask.argv.map((argument) =>
    argument === "/etc/kubernetes/admin.conf"
      ? `${folder}/admin.conf`
      : argument
  );
  return await run(cmd`${program ?? ""} ${args}`, { env });
}

Deno.test("the token is printed as a kubeconfig to join with, and stands in no argument", () =>
  withPrograms(
    { kubeadm: `echo ${token}`, kubectl: "exit 1" },
    async (folder, env) => {
      const { code, stdout, stderr } = await giveToken(folder, env);
      assertEquals(code, 0, stderr);
      assertStringIncludes(stdout, `token: "${token}"`);
      assertStringIncludes(stdout, 'server: "https://10.0.1.10:6443"');
      assertStringIncludes(stdout, "certificate-authority-data: Q0E=}");
      const log = await Deno.readTextFile(`${folder}/log`);
      assertMatch(log, /^kubeadm token create --ttl 15m/m);
      assert(!log.includes(token));
      assert(!log.includes("delete node"));
      const secret = worker[0]?.input?.secret;
      assert(secret);
      assertEquals(stdout.match(secret), [token]);
    },
  ));

Deno.test("a Ready node that the same machine left behind goes; one of another machine stays", async () => {
  const statuses = {
    "True 10.0.1.11": true,
    "True 10.0.1.99": false,
    "Unknown 10.0.1.11": false,
  };
  for (const [status, goes] of Object.entries(statuses)) {
    await withPrograms(
      { kubeadm: `echo ${token}`, kubectl: `echo "${status}"` },
      async (folder, env) => {
        assertEquals((await giveToken(folder, env)).code, 0);
        const log = await Deno.readTextFile(`${folder}/log`);
        assertEquals(
          log.includes("kubectl delete node worker-1"),
          goes,
          status,
        );
      },
    );
  }
});

Deno.test("a kubeadm that makes no token is a failure, not an empty file", () =>
  withPrograms(
    { kubeadm: "echo 'timed out' >&2; exit 1", kubectl: "exit 1" },
    async (folder, env) => {
      const { code, stdout, stderr } = await giveToken(folder, env);
      assertEquals(code, 1);
      assertEquals(stdout, "");
      assertStringIncludes(stderr, "kubeadm made no token");
    },
  ));

Deno.test("the control plane forgets workers that were taken out, where it knows them and stays itself", () => {
  assertEquals(forgetSteps(machines, ["master", "worker-1"]), []);
  const [first, ...more] = forgetSteps(machines, ["worker-1"]);
  assertEquals(more, []);
  assertEquals(first?.on, "master");
  assert(first);
  const { run, doneWhen } = first;
  assertEquals(
    show(run),
    "kubectl --kubeconfig /etc/kubernetes/admin.conf delete node worker-1 --ignore-not-found",
  );
  const read = (code: number, stdout = "") =>
    doneWhen.read({ code, stdout, stderr: "" }).is;
  assertEquals(read(0, "node/worker-1\n"), "absent");
  assertEquals(read(0), "present");
  // No control plane, or one that does not answer.
  assertEquals(read(44), "present");
  assertEquals(read(1), "present");
});
