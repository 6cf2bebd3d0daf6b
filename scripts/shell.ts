#!/usr/bin/env -S deno run -A
/** A shell, or one command, on a node or in a pod: `make shell NODE=worker-1 POD=shell`. */
import { type Flags } from "../lib/cli/flags.ts";
import { type Cluster } from "../lib/cluster/cluster.ts";
import { cmd, type Command, succeeded } from "../lib/exec/command.ts";
import {
  containersQuestion,
  execIn,
  readRuntime,
} from "../lib/cni/containerd.ts";
import { question, readKubernetes } from "../lib/kubernetes/kubectl.ts";
import { insideOf, podName } from "../lib/verify/kubernetes_pods.ts";
import { outsideName } from "../lib/lab/names.ts";
import { runScript } from "../lib/cli/script.ts";
import type { Node } from "../lib/node/node.ts";
import { podNames } from "../lib/verify/namespace_pods.ts";
import { nodeOf } from "../lib/cli/connect.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { loadCluster } from "../lib/cluster/load.ts";

const help = `scripts/shell.ts: a shell on a node or in a pod

Usage: scripts/shell.ts --node NAME [--pod NAME] [--cluster FILE] [-- COMMAND…]
       make shell NODE=worker-1 [POD=shell]

Examples:
  make shell NODE=worker-1
  scripts/shell.ts --node worker-1 --pod shell -- ip addr
  scripts/shell.ts --node ${outsideName}        (lab: the host outside the cluster)

With a COMMAND the exit code is the command's.`;

async function shell(flags: Flags): Promise<number> {
  const cluster = await loadCluster(flags.cluster);
  const [name, ...more] = flags.nodes;
  if (name === undefined || more.length > 0) {
    throw new UsageError(
      `expected --node with one of ${namesOf(cluster).join(", ")}`,
    );
  }
  if (!namesOf(cluster).includes(name)) {
    throw new UsageError(
      `--node ${name}: no such node in ${cluster.file}; it has ${
        namesOf(cluster).join(", ")
      }`,
    );
  }
  const node = nodeOf(cluster, name);
  const terminal = Deno.stdin.isTerminal();
  if (flags.pod === undefined) {
    return await hold(node.enter(await innerCommand(node), terminal));
  }
  const entering = await inKubernetes(cluster, node.name, flags.pod);
  if (entering !== undefined) return await hold(entering);
  await checkPod(node, flags.pod);
  return await hold(
    node.enter(await commandInPod(node, flags.pod), terminal),
  );
}

/** How to get into a pod of Kubernetes, by the control plane; undefined where the cluster has none. */
async function inKubernetes(
  cluster: Cluster,
  node: string,
  pod: string,
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
    throw new UsageError(
      `--pod ${pod}: no such pod on ${node}; it has ${
        others.join(", ") || "none: make 09-verify starts some"
      }`,
    );
  }
  const terminal = Deno.stdin.isTerminal();
  const command = givenCommand() ?? shellCommand(`${node}/${pod}`, false);
  return there.enter(insideOf(name, node, command, terminal), terminal);
}

function namesOf({ nodes, provider }: Cluster): string[] {
  const names = nodes.map(({ name }) => name);
  return provider === "lab" ? [...names, outsideName] : names;
}

/** A pod's network namespace has a name on its node, under this folder. */
const sandboxes = "/run/netns";

async function checkPod(node: Node, pod: string): Promise<void> {
  const { stdout } = await node.run(cmd`ls ${sandboxes}`);
  const pods = stdout.split("\n").filter((line) => line !== "");
  if (pods.includes(pod)) return;
  throw new UsageError(
    `--pod ${pod}: no such pod on ${node.name}; it has ${
      pods.join(", ") || "none: make 09-verify starts some"
    }`,
  );
}

/** In a container there is all that it has; where a pod is a bare namespace, the node's programs and files. */
async function commandInPod(node: Node, pod: string): Promise<Command> {
  const { stdout } = await node.run(cmd`sh -c ${containersQuestion}`);
  if (readRuntime(stdout)?.running?.includes(pod)) {
    const exec = `shell-${crypto.randomUUID()}`;
    const command = givenCommand() ??
      shellCommand(`${node.name}/${pod}`, false);
    return execIn(pod, exec, command, Deno.stdin.isTerminal());
  }
  const command = await innerCommand(node, pod);
  return cmd`nsenter --net=${sandboxes}/${pod} ${command.argv}`;
}

/** The command after `--`, or a shell that names where one is. */
async function innerCommand(node: Node, pod?: string): Promise<Command> {
  // Also asks whether the node can be reached at all.
  const hasBash = succeeded(await node.run(cmd`bash --version`));
  const where = pod === undefined ? node.name : `${node.name}/${pod}`;
  return givenCommand() ?? shellCommand(where, hasBash);
}

function givenCommand(): Command | undefined {
  const at = Deno.args.indexOf("--");
  const [program, ...args] = at < 0 ? [] : Deno.args.slice(at + 1);
  return program === undefined ? undefined : { argv: [program, ...args] };
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

await runScript(help, shell);
