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
import { type ApiClient, apiClient } from "../lib/apiserver/client.ts";
import { type Agent, startAgent } from "../lib/agent/agent.ts";
import { hostNode } from "../lib/agent/host.ts";
import { installLoopback, installPlugin } from "../lib/agent/install.ts";
import { serveHealth, serveMetrics } from "../lib/agent/listeners.ts";
import { networkText, recordsOfCluster } from "../lib/agent/hand_over.ts";
import { agentsLog, forgetAgent } from "../lib/agent/lab_agents.ts";
import {
  cleanCluster,
  cleanNode,
  handOver,
  takeBackCluster,
} from "../lib/cli/agents_of_cluster.ts";
import { isHandedOver } from "../lib/cluster/handed_over.ts";
import { lock } from "../lib/cli/lock.ts";
import { reachOf } from "../lib/cli/connect.ts";
import { nodeReporter } from "../lib/agent/node_report.ts";
import { tellMisconfigured } from "../lib/agent/own_node.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { ClusterFileError } from "../lib/cluster/yaml.ts";
import { loadCluster } from "../lib/cluster/load.ts";
import {
  type NetworkPart,
  parseNetworkPart,
} from "../lib/cluster/network_part.ts";
import { projectVersion } from "../lib/exec/project_version.ts";
import type { PluginFile } from "../lib/stage/stage.ts";
import { isKeptByAgent } from "../lib/stage/left_to_agent.ts";
import { stages } from "./stages.ts";

const command = {
  name: "agent",
  summary: "apply stages 03 to 08 to this machine whenever its cluster changes",
  usage: [
    'make agent [ARGS="--install|--take-back|--cleanup"]',
    "scripts/agent.ts run [flags]",
    "scripts/agent.ts install-plugin --to FOLDER",
    "scripts/agent.ts cleanup [--host-root FOLDER]",
    "scripts/agent.ts lab",
  ],
  text: [
    "Without a word: agents of all nodes of a lab, to be watched, until Ctrl-C.",
    "run: until SIGTERM. In a pod it takes the service account, elsewhere --kubeconfig.",
    "install-plugin: the plugin and the reference plugin loopback, each by a rename.",
    "cleanup: takes stages 08 to 03 back on this machine, and all that bears the mark.",
    "lab: what --install starts for a lab: agents of all its nodes, until SIGTERM.",
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
const applied = stages.filter(({ name }) => isKeptByAgent(name));
const appliedNames = applied.map(({ name }) => name);

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

/** As networkPart(); where it cannot be used, the Node has an Event of that. */
async function toldPart(
  client: ApiClient,
  node: string,
  config: string,
): Promise<NetworkPart> {
  try {
    return await networkPart(config);
  } catch (error) {
    if (error instanceof ClusterFileError || error instanceof UsageError) {
      const why = await tellMisconfigured(nodeReporter(client, node), error);
      if (why !== undefined) log(`cannot tell Kubernetes: ${why}`);
    }
    throw error;
  }
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
  const access = await apiAccess(kubeconfig);
  using client = apiClient(access);
  const part = await toldPart(client, name, config);
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

/** Agents of all nodes of a lab, with the nodes of its cluster file. */
async function keepLab(cluster: Cluster): Promise<number> {
  const { nodeOf, operator } = reachOf(cluster);
  const files = await pluginFiles(false);
  const part = parseNetworkPart(networkText(cluster), cluster.file);
  const agents = cluster.nodes.map(({ name }) =>
    startAgent({
      node: nodeOf(name),
      part,
      nodes: recordsOfCluster(cluster),
      stages: applied,
      operator,
      pluginFiles: files,
      version: projectVersion(),
      log: (line) => log(`${name}: ${line}`),
    })
  );
  await untilSignalled();
  await Promise.all(agents.map((agent) => agent.stop()));
  return exitCode.done;
}

/** Agents of a lab to be watched, for as long as that goes on. */
async function show(cluster: Cluster): Promise<number> {
  if (cluster.provider !== "lab") {
    throw new UsageError(
      `${cluster.file} is no lab: --install hands it over to agents of its own`,
    );
  }
  if (await isHandedOver(cluster)) {
    throw new UsageError(
      `"${cluster.name}" is handed over already, and its agents are at work; what they do ` +
        `is in ${agentsLog(cluster)}`,
    );
  }
  const unlock = await lock(cluster, "lock");
  log(
    "break something on a node (make shell), and see it come back; Ctrl-C ends",
  );
  const code = await keepLab(cluster);
  const { nodeOf } = reachOf(cluster);
  await Promise.all(
    cluster.nodes.map(({ name }) => forgetAgent(nodeOf(name))),
  );
  unlock();
  return code;
}

/** What is done on a whole cluster. */
async function onCluster(flags: Flags): Promise<number> {
  const cluster = await loadCluster(flags.cluster);
  if (flags.cleanup) return await cleanCluster(cluster, appliedNames);
  if (flags.takeBack) return await takeBackCluster(cluster);
  return flags.install ? await handOver(cluster) : await show(cluster);
}

const doors: Readonly<Record<string, (flags: Flags) => Promise<number>>> = {
  run,
  "install-plugin": install,
  cleanup: ({ node = "this node", hostRoot }) =>
    cleanNode(hostNode(node, hostRoot), appliedNames),
  lab: async ({ cluster }) => await keepLab(await loadCluster(cluster)),
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
