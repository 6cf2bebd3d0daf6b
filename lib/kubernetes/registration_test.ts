// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Outcome } from "../exec/command.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import { registrationStep } from "./registration.ts";
import { run } from "../exec/run.ts";
import type { Answer } from "../stage/stage.ts";

const cluster = labCluster({ name: "machines", stateDir: "/state/machines" });
const node = cluster.nodes[1];
assert(node);

/**
 * A machine with stand-ins for its kubectl, which knows the Nodes that the file
 * `nodes` lists, and its systemctl, whose kubelet registers the file `own`.
 */
const programs = {
  kubectl: `if [ -e "$here/down" ]; then cat "$here/down" >&2; exit 1; fi
while [ "$1" != node ]; do shift; done
grep -qx "$2" "$here/nodes" && exit 0
echo "Error from server (NotFound): nodes \\"$2\\" not found" >&2
exit 1`,
  systemctl: `echo "$*" >>"$here/calls"; cat "$here/own" >>"$here/nodes"`,
  uname: `cat "$here/own"`,
  sleep: ":",
};

interface Machine {
  ask(): Promise<Answer>;
  register(): Promise<Outcome>;
  calls(): Promise<string>;
}

async function onMachine(
  files: Readonly<Record<string, string>>,
  body: (machine: Machine) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const step = registrationStep(cluster, node!, `${folder}/kubelet.conf`);
  const all = { own: "worker-1\n", nodes: "", "kubelet.conf": "", ...files };
  const env = { PATH: `${folder}/bin:/usr/bin:/bin` };
  const call = ({ argv }: { readonly argv: readonly string[] }) =>
    run(cmd`${argv}`, { env });
  try {
    await Deno.mkdir(`${folder}/bin`);
    for (const [name, script] of Object.entries(programs)) {
      const text = `#!/bin/sh\nhere=${folder}\n${script}\n`;
      await Deno.writeTextFile(`${folder}/bin/${name}`, text, { mode: 0o755 });
    }
    for (const [name, text] of Object.entries(all)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await body({
      ask: async () => step.doneWhen!.read(await call(step.doneWhen!.ask)),
      register: () => call(step.run as { argv: readonly string[] }),
      calls: () => Deno.readTextFile(`${folder}/calls`).catch(() => ""),
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a machine that Kubernetes has as a node is left alone", () =>
  onMachine({ nodes: "master\nworker-1\n" }, async ({ ask }) => {
    assertEquals(await ask(), { is: "present" });
  }));

Deno.test("a machine that kubeadm has still to make a node of needs no restart", async () => {
  const { doneWhen } = registrationStep(cluster, node, "/nowhere/kubelet.conf");
  assert(doneWhen);
  const answer = doneWhen.read(await run(doneWhen.ask));
  assertEquals(answer, { is: "unneeded" });
});

Deno.test("a node deleted from Kubernetes comes back by its kubelet's next start", () =>
  onMachine({ nodes: "master\n" }, async ({ ask, register, calls }) => {
    assertEquals(await ask(), { is: "absent" });
    const { code, stderr } = await register();
    assertEquals(code, 0, stderr);
    assertEquals(await calls(), "restart kubelet\n");
    assertEquals(await ask(), { is: "present" });
  }));

Deno.test("a kubelet that registers nothing is to join anew, and that is said", () =>
  onMachine({ own: "" }, async ({ register }) => {
    const { code, stderr } = await register();
    assertEquals(code, 1);
    assertStringIncludes(stderr, "Kubernetes has no node worker-1");
    assertStringIncludes(stderr, "(NotFound)");
    assertStringIncludes(stderr, "kubeadm reset -f");
  }));

Deno.test("a machine that is a node of another name is refused, with both names", () =>
  onMachine({ own: "Host7\n", nodes: "host7\nworker-1\n" }, async ({ ask }) => {
    const answer = await ask();
    assert(answer.is === "different");
    assertStringIncludes(answer.found, "is the node host7 of Kubernetes");
    assertStringIncludes(answer.remedy, `name it host7 in ${cluster.file}`);
  }));

Deno.test("a machine whose own name no node has is the node of the file", () =>
  onMachine({ own: "host7\n", nodes: "worker-1\n" }, async ({ ask }) => {
    assertEquals(await ask(), { is: "present" });
  }));

Deno.test("an API server that is down is told as that, and no kubelet is restarted for it", () =>
  onMachine({
    down: "The connection to the server 10.0.1.10:6443 was refused\n",
  }, async ({ ask }) => {
    const answer = await ask();
    assert(answer.is === "unknown");
    assertStringIncludes(answer.reason, "10.0.1.10:6443 was refused");
    assertStringIncludes(answer.reason, "is the API server up? On master:");
  }));

Deno.test("a kubelet of a cluster that is no more is told to join anew", () =>
  onMachine({
    down: "error: You must be logged in to the server (Unauthorized)\n",
  }, async ({ ask }) => {
    const answer = await ask();
    assert(answer.is === "different");
    assertStringIncludes(answer.remedy, "kubeadm reset -f");
  }));
