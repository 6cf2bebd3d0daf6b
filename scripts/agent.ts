#!/usr/bin/env -S deno run -A
/**
 * The agent: stages 03 to 08 on this very machine, again and again, as Kubernetes'
 * nodes and the kernel change. In a pod of each node, or to be watched in the lab.
 */
import type { CommandLine, FlagsOf } from "../lib/cli/flags.ts";
import { agentFlags } from "../lib/cli/agent_flags.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import { printNote, printText } from "../lib/cli/print.ts";
import { runScript } from "../lib/cli/script.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import {
  AccessError,
  type ApiAccess,
  kubeconfigAccess,
  podAccess,
} from "../lib/apiserver/access.ts";
import { apiClient } from "../lib/apiserver/client.ts";
import { type Agent, startAgent } from "../lib/agent/agent.ts";
import { cleanMachine } from "../lib/agent/cleanup.ts";
import { hostNode } from "../lib/agent/host.ts";
import { installLoopback, installPlugin } from "../lib/agent/install.ts";
import { serveHealth, serveMetrics } from "../lib/agent/listeners.ts";
import { manifestFor, recordsOfCluster } from "../lib/agent/hand_over.ts";
import { lock } from "../lib/cli/lock.ts";
import { reachOf } from "../lib/cli/connect.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { loadCluster } from "../lib/cluster/load.ts";
import { succeeded, withInput } from "../lib/exec/command.ts";
import { projectRoot } from "../lib/exec/project_root.ts";
import { controlPlaneOf, usesKubeadm } from "../lib/kubernetes/kubeconfig.ts";
import { kubectl } from "../lib/kubernetes/kubectl.ts";
import type { Node } from "../lib/node/node.ts";
import { describe } from "../lib/stage/result.ts";
import {
  type NetworkPart,
  parseNetworkPart,
} from "../lib/cluster/network_part.ts";
import { projectVersion } from "../lib/exec/project_version.ts";
import type { PluginFile } from "../lib/stage/stage.ts";
import { stages } from "./stages.ts";

const command = {
  name: "agent",
  summary: "apply stages 03 to 08 to this machine whenever its cluster changes",
  usage: [
    'make agent [ARGS="--install|--cleanup"]',
    "scripts/agent.ts run [flags]",
    "scripts/agent.ts install-plugin --to FOLDER",
    "scripts/agent.ts cleanup [--host-root FOLDER]",
  ],
  text: [
    "Without a word: agents of all nodes of a lab, to be watched, until Ctrl-C.",
    "run: until SIGTERM. In a pod it takes the service account, elsewhere --kubeconfig.",
    "install-plugin: the plugin and the reference plugin loopback, each by a rename.",
    "cleanup: takes stages 08 to 03 back on this machine, and all that bears the mark.",
  ],
  flags: agentFlags,
  takes: "words",
  exits: {
    done: "done, or ended by SIGTERM or SIGINT",
    failed: usualExits.failed,
    usage: "wrong flags, network file or kubeconfig",
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

/** A log's line: when, and what. */
function log(line: string): void {
  printNote(`${new Date().toISOString()} ${line}`);
}

/** Waits until the process is to end. */
async function untilSignalled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => resolve());
  }
  await promise;
}

/** The stages that the agent applies. */
const applied = stages.filter(({ name }) => name >= "03");

/** What stage 05 installs. An image has it built already, and no place to build it in. */
async function pluginFiles(isBuilt: boolean): Promise<readonly PluginFile[]> {
  const build = applied.find(({ build }) => build !== undefined)?.build;
  if (build === undefined) return [];
  return isBuilt ? await build.peek() : (await build.make(undefined)).files;
}

/** @throws {UsageError | ClusterFileError} */
async function networkPart(file: string): Promise<NetworkPart> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(
      `--config ${file}: no such file; expected the network as a cluster file ` +
        "has it, at least clusterCIDR: 10.244.0.0/16",
    );
  }
  return parseNetworkPart(text, file);
}

/** @throws {UsageError} */
async function apiAccess(kubeconfig: string | undefined): Promise<ApiAccess> {
  try {
    return kubeconfig === undefined
      ? await podAccess(Deno.env.toObject())
      : await kubeconfigAccess(kubeconfig);
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    throw new UsageError(error.message);
  }
}

async function run(flags: Flags): Promise<number> {
  const { node: name, config, kubeconfig, hostRoot } = flags;
  if (name === undefined) {
    throw new UsageError(
      "expected the name of this machine's Node in $NODE_NAME (in a pod: " +
        "fieldRef spec.nodeName), or --node NAME",
    );
  }
  const inContainer = hostRoot !== "/";
  const part = await networkPart(config);
  const access = await apiAccess(kubeconfig);
  using client = apiClient(access);
  const agent = startAgent({
    node: hostNode(name, hostRoot),
    part,
    client,
    stages: applied,
    pluginFiles: await pluginFiles(inContainer),
    version: projectVersion(),
    log,
    // The container shares the machine's network namespace, and has the tools.
    ...(inContainer
      ? { enterNetwork: (command) => command, loopback: flags.loopback }
      : {}),
  });
  log(`agent ${projectVersion()} of node ${name}, API server ${access.server}`);
  const servers = serve(agent, flags);
  await untilSignalled();
  await agent.stop();
  log("ended");
  for (const server of servers) void server[Symbol.asyncDispose]();
  return exitCode.done;
}

function serve(agent: Agent, { health, metrics }: Flags): AsyncDisposable[] {
  return [
    ...(health === undefined ? [] : [serveHealth(agent, health)]),
    ...(metrics === undefined ? [] : [serveMetrics(agent, metrics)]),
  ];
}

async function install({ to, loopback }: Flags): Promise<number> {
  if (to === undefined) {
    throw new UsageError(
      "expected --to FOLDER, the runtime's folder of plugins, e.g. /host/opt/cni/bin",
    );
  }
  const written = await installPlugin(await pluginFiles(true), to);
  const lo = await installLoopback(loopback, to);
  for (const path of [...written, ...(lo === undefined ? [] : [lo])]) {
    printText(`installed ${path}`);
  }
  return exitCode.done;
}

async function cleanNode(node: Node): Promise<number> {
  const names = applied.map(({ name }) => name);
  const results = await cleanMachine(node, names);
  for (const { status, command, problem = "" } of results) {
    if (status === "failed") {
      printNote(`${node.name}: failed: ${command}: ${problem}`);
    } else printText(`${node.name}: ${command}`);
  }
  const failed = results.some(({ status }) => status === "failed");
  if (!failed) printText(`${node.name}: nothing of deno-cni is left`);
  return failed ? exitCode.failed : exitCode.done;
}

/** Agents of all nodes of a lab, with the nodes of its cluster file. */
async function show(cluster: Cluster): Promise<number> {
  if (cluster.provider !== "lab") {
    throw new UsageError(
      `${cluster.file} is no lab: --install hands it over to agents of its own`,
    );
  }
  const unlock = await lock(cluster, "lock");
  const { nodeOf } = reachOf(cluster);
  const files = await pluginFiles(false);
  const agents = cluster.nodes.map(({ name }) =>
    startAgent({
      node: nodeOf(name),
      part: { cluster: { ...cluster, nodes: [] }, auto: false },
      nodes: recordsOfCluster(cluster),
      stages: applied,
      pluginFiles: files,
      version: projectVersion(),
      log: (line) => log(`${name}: ${line}`),
    })
  );
  log(
    "break something on a node (make shell), and see it come back; Ctrl-C ends",
  );
  await untilSignalled();
  await Promise.all(agents.map((agent) => agent.stop()));
  unlock();
  return exitCode.done;
}

const manifestPath = `${projectRoot}/config/kubernetes/deno-cni.yaml`;

/** Runs kubectl on the control plane. */
async function kubectlOn(cluster: Cluster, ...args: string[]): Promise<number> {
  const { name } = controlPlaneOf(cluster);
  const text = manifestFor(cluster, await Deno.readTextFile(manifestPath));
  if (text === undefined) {
    throw new UsageError(
      `${manifestPath}: expected a ConfigMap with cluster.yaml`,
    );
  }
  const command = withInput(kubectl(...args, "-f", "-"), text);
  const outcome = await reachOf(cluster).nodeOf(name).run(command, {
    timeout_ms: 120_000,
  });
  printText(outcome.stdout.trimEnd());
  if (!succeeded(outcome)) printNote(describe(outcome));
  return succeeded(outcome) ? exitCode.done : exitCode.failed;
}

/** Takes everything of ours off the nodes of a cluster, the agents first. */
async function cleanCluster(cluster: Cluster): Promise<number> {
  const unlock = await lock(cluster, "lock");
  const deleted = usesKubeadm(cluster)
    ? await kubectlOn(cluster, "delete", "--ignore-not-found")
    : exitCode.done;
  const { nodeOf } = reachOf(cluster);
  const codes = await Promise.all(
    cluster.nodes.map(({ name }) => cleanNode(nodeOf(name))),
  );
  unlock();
  return Math.max(deleted, ...codes);
}

/** What is done on a whole cluster. */
async function onCluster(flags: Flags): Promise<number> {
  const cluster = await loadCluster(flags.cluster);
  if (flags.cleanup) return await cleanCluster(cluster);
  if (!flags.install) return await show(cluster);
  if (usesKubeadm(cluster)) return await kubectlOn(cluster, "apply");
  throw new UsageError(
    `${cluster.file} has no Kubernetes that could run the agents`,
  );
}

const doors: Readonly<Record<string, (flags: Flags) => Promise<number>>> = {
  run,
  "install-plugin": install,
  cleanup: ({ node = "this node", hostRoot }) =>
    cleanNode(hostNode(node, hostRoot)),
};

await runScript(command, async (flags, [word = "", ...rest]) => {
  if (word === "") return await onCluster(flags);
  const door = Object.hasOwn(doors, word) ? doors[word] : undefined;
  if (door !== undefined && rest.length === 0) return await door(flags);
  throw new UsageError(
    `${[word, ...rest].join(" ") || "no word was given"}: ` +
      `expected one of ${Object.keys(doors).join(", ")}`,
  );
});
