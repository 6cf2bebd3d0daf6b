/**
 * No secret of stage 02 is to be seen by anybody: neither the token with which
 * a worker joins nor the administrator's key, be it in what is told, in a
 * journal, in the operator's folder or in a list of processes. kubeadm and
 * kubectl are stand-ins that hand out secrets and take their time; the stage's
 * steps, the engine and the nodes are real.
 */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import { nodeSteps } from "./kubeadm_steps.ts";
import { keepSteps, kubeconfigPath } from "./kubeconfig.ts";
import { labNode } from "../lab/lab.ts";
import { make, must, on, rooted, withCluster } from "../lab/lab_testing.ts";
import { journalPath, localNode, type Node } from "../node/node.ts";
import { failure, recap, runReport, stepLine } from "../cli/report.ts";
import type { StepResult } from "../stage/result.ts";
import { apply } from "../stage/engine.ts";
import type { Step } from "../stage/stage.ts";
import type { RunContext } from "../stage/context.ts";
import { run } from "../exec/run.ts";

/** Secrets by what they look like; the token is one that the real kubeadm could make. */
const token = "k3yf1x.9d8s7a6f5g4h3j2k";
const key = "U0VDUkVUQURNSU5LRVk=";
const workerKey = "U0VDUkVUV09SS0VSS0VZ";
const secrets = [token, key, workerKey];

const kubeadm = `#!/bin/sh
config=/etc/kubernetes
case $1 in
init)
  sleep 0.3
  mkdir -p $config
  echo "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://10.0.1.10:6443
users:
- user:
    client-key-data: ${key}" >$config/admin.conf
  echo "Your Kubernetes control-plane has initialized successfully!"
  ;;
token)
  sleep 0.3
  echo ${token}
  ;;
join)
  sleep 0.3
  while [ "$1" != --discovery-file ]; do shift; done
  case $(cat "$2") in *'token: "${token}"'*) ;; *) echo "no token in $2" >&2; exit 1 ;; esac
  [ ! -e /run/refuse ] || { echo "could not join with ${token}"; cat "$2" >&2; exit 1; }
  mkdir -p $config
  echo "    server: https://10.0.1.10:6443
    client-key-data: ${workerKey}" >$config/kubelet.conf
  ;;
reset) rm -rf $config ;;
esac
`;

const kubectl = `#!/bin/sh
sleep 0.1
case "$*" in
*go-template*) echo '{ "master": ["10.244.0.0/24"] }' ;;
*podCIDR*) echo 10.244.0.0/24 ;;
*taints*) ;;
*) echo "not found" >&2; exit 1 ;;
esac
`;

/** Puts the stand-ins on a lab's node, and a home of its own for root. */
async function equip(node: Node): Promise<void> {
  await on(
    node,
    "mkdir -p /run/stand-in; mount -t tmpfs tmpfs /root; rm -rf /etc/kubernetes",
  );
  for (const [name, text] of Object.entries({ kubeadm, kubectl })) {
    const put =
      cmd`sh -c ${'cat >"$1"; chmod 755 "$1"'} put ${`/run/stand-in/${name}`}`;
    assertEquals((await node.run({ ...put, stdin: text })).code, 0);
  }
}

/** The node, on which the stand-ins are found first. */
function withStandIns(node: Node): Node {
  const path = "/run/stand-in:/usr/local/sbin:/usr/local/bin:" +
    "/usr/sbin:/usr/bin:/sbin:/bin";
  return {
    ...node,
    run: (command, options) =>
      node.run(
        { ...command, argv: ["env", `PATH=${path}`, ...command.argv] },
        options,
      ),
  };
}

/** Looks at what every process of the machine was started with, again and again, until told to end. */
function watchProcesses(): { end(): Promise<string[]> } {
  const found = new Set<string>();
  let going = true;
  const text = new TextDecoder();
  const looking = (async () => {
    while (going) {
      for (const { name } of Deno.readDirSync("/proc")) {
        if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
        for (const file of ["cmdline", "environ"]) {
          const line = readIfThere(`/proc/${name}/${file}`, text);
          if (secrets.some((secret) => line.includes(secret))) found.add(line);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    async end() {
      going = false;
      await looking;
      return [...found];
    },
  };
}

function readIfThere(path: string, text: TextDecoder): string {
  try {
    return text.decode(Deno.readFileSync(path));
  } catch {
    return ""; // It has ended.
  }
}

/** All that somebody could come to see of these results. */
function shown(results: readonly StepResult[], names: string[]): string {
  return [
    ...results.map((result) => stepLine(result, 8) + (result.output ?? "")),
    ...results.filter(({ problem }) => problem).map(failure),
    recap(results, names),
    JSON.stringify(runReport("secrets", names, results)),
  ].join("\n");
}

async function everyFileIn(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { name, isFile, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isFile) found.set(path, await Deno.readTextFile(path));
    if (!isDirectory) continue;
    for (const [path, text] of await everyFileIn(`${folder}/${name}`)) {
      found.set(path, text);
    }
  }
  return found;
}

function assertNone(text: string, where: string): void {
  for (const secret of secrets) {
    assert(!text.includes(secret), `${secret} is in ${where}:\n${text}`);
  }
}

rooted(
  "no secret of stage 02 is told, written down, or in a list of processes",
  () =>
    withCluster(async (lab) => {
      await make(lab);
      const cluster: Cluster = { ...lab, provider: "ssh" };
      const nodeOf = (name: string) => withStandIns(labNode(lab, name));
      const names = cluster.nodes.map(({ name }) => name);
      for (const name of names) await equip(labNode(lab, name));
      const results: StepResult[] = [];
      const lines: string[] = [];
      const context: RunContext = {
        timeout_ms: 30_000,
        signal: new AbortController().signal,
        stopping: () => false,
        tell: (result) => results.push(result),
        progress: (line) => lines.push(line),
        others: { node: nodeOf, ended: () => Promise.resolve(true) },
      };
      const watch = watchProcesses();
      const stage = "02-kubeadm";
      // A join that fails, and says more than it should, is told without the token.
      await on(labNode(lab, "worker-2"), ": >/run/refuse");
      for (const node of cluster.nodes) {
        await apply(
          stage,
          nodeOf(node.name),
          nodeSteps(cluster, node),
          context,
        );
      }
      const operator = localNode("operator", `${cluster.stateDir}/journal`);
      await apply(stage, operator, keepSteps(cluster), context);
      const processes = await watch.end();

      assertEquals(
        results.filter(({ status }) => status === "failed")
          .map(({ node, command }) => [node, command]),
        [[
          "worker-2",
          "kubeadm join --discovery-file FILE --node-name=worker-2",
        ]],
        JSON.stringify(results, null, 2),
      );
      assertStringIncludes(
        shown(results, names),
        "could not join with (hidden)",
      );
      assertNone(shown(results, names), "what is told");
      assertNone(lines.join("\n"), "what is told meanwhile");
      assertEquals(processes, []);
      for (const name of names) {
        const node = labNode(lab, name);
        assertNone(await on(node, `cat ${journalPath}`), `${name}'s journal`);
        assertEquals(await on(node, "ls /run | grep join || :"), "");
      }
      const kubeconfig = kubeconfigPath(cluster);
      const files = await everyFileIn(cluster.stateDir);
      assertStringIncludes(files.get(kubeconfig) ?? "", key);
      assertEquals(((await Deno.stat(kubeconfig)).mode ?? 0) & 0o777, 0o600);
      files.delete(kubeconfig);
      assert(files.has(`${cluster.stateDir}/journal`));
      for (const [path, text] of files) assertNone(text, path);
      assertEquals(
        await on(
          labNode(lab, "master"),
          "stat -c %a /root/.kube/config",
        ),
        "600",
      );
    }),
);

rooted("a secret that a process was started with would be found", async () => {
  const watch = watchProcesses();
  await must(cmd`sh -c ${"sleep 0.3"} ${token}`);
  const found = await watch.end();
  assert(found.length > 0);
  assert((await run(cmd`true`)).code === 0);
});

const kubeadmPath = (await run(cmd`sh -c ${"command -v kubeadm"}`)).stdout
  .trim();

Deno.test({
  name: `the real kubeadm takes the flags of stage 02${
    kubeadmPath === "" ? " (needs kubeadm)" : ""
  }${Deno.uid() === 0 ? "" : " (needs root)"}`,
  ignore: kubeadmPath === "" || Deno.uid() !== 0,
  fn: () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const [controlPlane, worker] = cluster.nodes;
      assert(controlPlane && worker);
      const node = labNode(cluster, "master");
      await on(node, "mount -t tmpfs tmpfs /root; rm -rf /etc/kubernetes");
      const [, ...flags] = labelOf(nodeSteps(cluster, controlPlane)[0]).split(
        " ",
      );
      const version = await on(node, `${kubeadmPath} version -o short`);
      const init = await node.run(
        // Told its own version, it does not ask the internet for the newest.
        cmd`${kubeadmPath} ${flags} --kubernetes-version=${version} --dry-run --ignore-preflight-errors=all`,
        { timeout_ms: 120_000 },
      );
      assertEquals(init.code, 0, init.stdout + init.stderr);
      assertStringIncludes(
        init.stdout,
        "--cluster-cidr=10.244.0.0/16",
      );
      assertStringIncludes(
        init.stdout,
        "--advertise-address=10.0.1.10",
      );
      // No token is printed, and the flag for that is known.
      assert(!/[a-z0-9]{6}\.[a-z0-9]{16}/.test(init.stdout), init.stdout);

      // The same check refuses what no kubeadm knows.
      const wrong = await node.run(
        cmd`${kubeadmPath} ${flags} --dry-run --no-such-flag`,
      );
      assert(wrong.code !== 0);

      const [, ...join] = labelOf(nodeSteps(cluster, worker)[0]).split(" ");
      const joining = await node.run(
        cmd`${kubeadmPath} ${
          join.map((flag) => flag === "FILE" ? "/nowhere" : flag)
        } --ignore-preflight-errors=all`,
        { timeout_ms: 60_000 },
      );
      assert(joining.code !== 0);
      assertStringIncludes(joining.stderr, "/nowhere");
    }),
});

function labelOf(step: Step | undefined): string {
  assert(step && !("copy" in step.run));
  return step.run.label ?? "";
}
