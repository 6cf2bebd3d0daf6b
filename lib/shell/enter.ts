/** The way onto a node or into a pod: the command that leads there from the operator's machine. */
import type { Cluster } from "../cluster/cluster.ts";
import { makeLine } from "../cluster/make_line.ts";
import { routerName } from "../cluster/segments.ts";
import { nodeOf } from "../cli/connect.ts";
import { noSuchNode, UsageError } from "../cli/usage_error.ts";
import { containersQuestion, execIn, readRuntime } from "../cni/containerd.ts";
import { cmd, type Command, succeeded } from "../exec/command.ts";
import { question, readKubernetes } from "../kubernetes/kubectl.ts";
import { outsideName } from "../lab/names.ts";
import type { Node } from "../node/node.ts";
import { nearest } from "../text/nearest.ts";
import { insideOf, podName } from "../verify/kubernetes_pods.ts";
import { podNames } from "../verify/namespace_pods.ts";

/** Where to go, and what to run there. */
interface Entrance {
  /** A node of the cluster, or "outside" in a lab. */
  readonly node: string;
  /** The name of a pod there; none for the node itself. */
  readonly pod?: string | undefined;
  /** None for a shell. */
  readonly given?: Command | undefined;
  /** Whether it is for a person at a terminal. */
  readonly terminal: boolean;
}

type InPod = Omit<Entrance, "node" | "pod"> & { readonly pod: string };

/**
 * The command that runs a shell, or a command, on a node or in a pod.
 *
 * @throws {UsageError} where there is no such node or pod
 * @throws {UnreachableError}
 */
export async function enteringCommand(
  cluster: Cluster,
  { node: name, pod, given, terminal }: Entrance,
): Promise<Command> {
  if (!nodeNames(cluster).includes(name)) {
    throw noSuchNode(name, nodeNames(cluster), cluster);
  }
  const node = nodeOf(cluster, name);
  if (pod === undefined) {
    return node.enter(await innerCommand(node, { given, terminal }), terminal);
  }
  const inPod = { pod, given, terminal };
  const entering = await inKubernetes(cluster, node.name, inPod);
  if (entering !== undefined) return entering;
  await checkPod(node, pod, cluster);
  return node.enter(await commandInPod(node, inPod), terminal);
}

/**
 * The way into a pod of Kubernetes, by the control plane; undefined where the
 * cluster has none.
 */
async function inKubernetes(
  cluster: Cluster,
  node: string,
  { pod, given, terminal }: InPod,
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
  const command = given ?? shellCommand(`${node}/${pod}`, false, terminal);
  return there.enter(insideOf(name, node, command, terminal), terminal);
}

/** The machines of a cluster on which there can be a shell. */
export function nodeNames({ nodes, provider, segments }: Cluster): string[] {
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
  { pod, given, terminal }: InPod,
): Promise<Command> {
  const { stdout } = await node.run(cmd`sh -c ${containersQuestion}`);
  if (readRuntime(stdout)?.running?.includes(pod)) {
    const exec = `shell-${crypto.randomUUID()}`;
    const command = given ??
      shellCommand(`${node.name}/${pod}`, false, terminal);
    return execIn(pod, exec, command, terminal);
  }
  const command = await innerCommand(node, { pod, given, terminal });
  return cmd`nsenter --net=${sandboxes}/${pod} ${command.argv}`;
}

/** The command after `--`, or a shell that names where one is. */
async function innerCommand(
  node: Node,
  { pod, given, terminal }: Omit<InPod, "pod"> & { readonly pod?: string },
): Promise<Command> {
  // Also asks whether the node can be reached at all.
  const hasBash = succeeded(await node.run(cmd`bash --version`));
  const where = pod === undefined ? node.name : `${node.name}/${pod}`;
  return given ?? shellCommand(where, hasBash, terminal);
}

function shellCommand(
  where: string,
  hasBash: boolean,
  terminal: boolean,
): Command {
  const interactive = terminal ? ["-i"] : [];
  const bash = hasBash ? ["bash", "--noprofile", "--norc"] : ["sh"];
  const environment = [
    `PS1=${where}${hasBash ? ":\\w" : ""}# `,
    `TERM=${Deno.env.get("TERM") ?? "dumb"}`,
  ];
  return cmd`env ${environment} ${bash} ${interactive}`;
}
