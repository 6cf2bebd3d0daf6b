#!/usr/bin/env -S deno run -A
/** A shell, or one command, on a node or in a pod: `make shell NODE=worker-1 POD=shell`. */
import { type CommandLine, type FlagsOf, option } from "../lib/cli/flags.ts";
import { usualExits } from "../lib/cli/exit_code.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { type Cluster } from "../lib/cluster/cluster.ts";
import { cmd, type Command, succeeded } from "../lib/exec/command.ts";
import {
  containersQuestion,
  execIn,
  readRuntime,
} from "../lib/cni/containerd.ts";
import { question, readKubernetes } from "../lib/kubernetes/kubectl.ts";
import { insideOf, podName } from "../lib/verify/kubernetes_pods.ts";
import { routerName } from "../lib/cluster/segments.ts";
import { outsideName } from "../lib/lab/names.ts";
import { runScript } from "../lib/cli/script.ts";
import type { Node } from "../lib/node/node.ts";
import { podNames } from "../lib/verify/namespace_pods.ts";
import { nodeOf } from "../lib/cli/connect.ts";
import { noSuchNode, UsageError } from "../lib/cli/usage_error.ts";
import { makeLine } from "../lib/cluster/make_line.ts";
import { nearest } from "../lib/text/nearest.ts";
import { loadCluster } from "../lib/cluster/load.ts";

const command = {
  name: "shell",
  summary: "a shell on a node or in a pod",
  usage: [
    "scripts/shell.ts --node NAME [--pod NAME] [flags] [-- COMMAND…]",
    'make shell NODE=worker-1 [POD=shell] [ARGS="-- COMMAND…"]',
  ],
  text: ["With a COMMAND the exit code is the command's."],
  examples: [
    ["make shell NODE=worker-1", "on a node"],
    ["make shell NODE=worker-1 POD=shell", "in a pod of it"],
    [`make shell NODE=${outsideName}`, "lab: the host outside the cluster"],
    ['make shell NODE=worker-1 ARGS="-- ip addr"', "one command"],
  ],
  flags: {
    node: option({
      name: "node",
      value: "NAME",
      does: "the node to go to",
      // DENO_CNI_NODE is the mark of a lab node's processes.
      variable: "DENO_CNI_SHELL_NODE",
      read: String,
    }),
    pod: option({
      name: "pod",
      value: "NAME",
      does: "the pod of it to go into",
      read: String,
    }),
    ...standard("cluster"),
  },
  takes: "command",
  exits: {
    done: "done",
    usage: "wrong flags or cluster file, no such node or pod",
    unreachable: usualExits.unreachable,
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

async function shell(
  flags: Flags,
  [program, ...args]: readonly string[],
): Promise<number> {
  const given: Command | undefined = program === undefined
    ? undefined
    : { argv: [program, ...args] };
  const cluster = await loadCluster(flags.cluster);
  const { node: name } = flags;
  if (name === undefined) {
    throw new UsageError(
      `expected --node with one of ${namesOf(cluster).join(", ")}`,
    );
  }
  if (!namesOf(cluster).includes(name)) {
    throw noSuchNode(name, namesOf(cluster), cluster);
  }
  const node = nodeOf(cluster, name);
  const terminal = Deno.stdin.isTerminal();
  if (flags.pod === undefined) {
    return await hold(node.enter(await innerCommand(node, given), terminal));
  }
  const entering = await inKubernetes(cluster, node.name, flags.pod, given);
  if (entering !== undefined) return await hold(entering);
  await checkPod(node, flags.pod, cluster);
  return await hold(
    node.enter(await commandInPod(node, flags.pod, given), terminal),
  );
}

/**
 * The way into a pod of Kubernetes, by the control plane; undefined where the
 * cluster has none.
 */
async function inKubernetes(
  cluster: Cluster,
  node: string,
  pod: string,
  given: Command | undefined,
): Promise<Command | undefined> {
  if (cluster.provider === "lab" || cluster.provider === "local") {
    return undefined;
  }
  const controlPlane = cluster.nodes.find(({ role }) =>
    role === "control-plane"
  );
  if (controlPlane === undefined) return undefined;
  const there = nodeOf(cluster, controlPlane.name);
  const outcome = await there.run(question());
  if (!succeeded(outcome)) return undefined;
  const { pods } = readKubernetes(outcome.stdout);
  const name = podNames.find((name) => name === pod);
  if (name === undefined || !pods.has(podName(name, node))) {
    const others = podNames.filter((name) => pods.has(podName(name, node)));
    throw noSuchPod(pod, node, others, cluster);
  }
  const terminal = Deno.stdin.isTerminal();
  const command = given ?? shellCommand(`${node}/${pod}`, false);
  return there.enter(insideOf(name, node, command, terminal), terminal);
}

function namesOf({ nodes, provider, segments }: Cluster): string[] {
  const names = nodes.map(({ name }) => name);
  if (provider !== "lab") return names;
  return [
    ...names,
    outsideName,
    ...(segments === undefined ? [] : [routerName]),
  ];
}

/** A pod's network namespace has a name on its node, under this folder. */
const sandboxes = "/run/netns";

async function checkPod(
  node: Node,
  pod: string,
  cluster: Cluster,
): Promise<void> {
  const { stdout } = await node.run(cmd`ls ${sandboxes}`);
  const pods = stdout.split("\n").filter((line) => line !== "");
  if (pods.includes(pod)) return;
  throw noSuchPod(pod, node.name, pods, cluster);
}

function noSuchPod(
  pod: string,
  node: string,
  pods: readonly string[],
  cluster: Cluster,
): UsageError {
  const close = nearest(pod, pods);
  const has = pods.length > 0
    ? pods.join(", ")
    : `none: ${makeLine("09-verify", cluster)} starts some`;
  return new UsageError(
    `--pod ${pod}: no such pod on ${node}; ` +
      (close === undefined ? "" : `did you mean ${close}? `) + `it has ${has}`,
  );
}

/**
 * The way into a pod of a container runtime, where there is what the container
 * has, or into a bare namespace, where there are the node's programs and files.
 */
async function commandInPod(
  node: Node,
  pod: string,
  given: Command | undefined,
): Promise<Command> {
  const { stdout } = await node.run(cmd`sh -c ${containersQuestion}`);
  if (readRuntime(stdout)?.running?.includes(pod)) {
    const exec = `shell-${crypto.randomUUID()}`;
    const command = given ??
      shellCommand(`${node.name}/${pod}`, false);
    return execIn(pod, exec, command, Deno.stdin.isTerminal());
  }
  const command = await innerCommand(node, given, pod);
  return cmd`nsenter --net=${sandboxes}/${pod} ${command.argv}`;
}

/** The command after `--`, or a shell that names where one is. */
async function innerCommand(
  node: Node,
  given: Command | undefined,
  pod?: string,
): Promise<Command> {
  // Also asks whether the node can be reached at all.
  const hasBash = succeeded(await node.run(cmd`bash --version`));
  const where = pod === undefined ? node.name : `${node.name}/${pod}`;
  return given ?? shellCommand(where, hasBash);
}

function shellCommand(where: string, hasBash: boolean): Command {
  const interactive = Deno.stdin.isTerminal() ? ["-i"] : [];
  const bash = hasBash ? ["bash", "--noprofile", "--norc"] : ["sh"];
  const environment = [
    `PS1=${where}${hasBash ? ":\\w" : ""}# `,
    `TERM=${Deno.env.get("TERM") ?? "dumb"}`,
  ];
  return cmd`env ${environment} ${bash} ${interactive}`;
}

/** Runs a command on this terminal; Ctrl-C is the command's. */
async function hold(command: Command): Promise<number> {
  const [program, ...args] = command.argv;
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    Deno.addSignalListener(signal, () => {});
  }
  const child = new Deno.Command(program, {
    args,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  return (await child.status).code;
}

await runScript(command, shell);
