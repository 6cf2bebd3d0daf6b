/** A whole cluster and its agents: hand it over to them, take it back, clean its nodes. */
import { cleanMachine } from "../agent/cleanup.ts";
import { handOverObstacle, manifestFor } from "../agent/hand_over.ts";
import {
  agentsLog,
  agentsOf,
  firstRuns,
  forgetAgent,
  startAgents,
  stopAgents,
} from "../agent/lab_agents.ts";
import { annotation } from "../agent/node_record.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { noteHandedOver, noteTakenBack } from "../cluster/handed_over.ts";
import { makeLine } from "../cluster/make_line.ts";
import {
  cmd,
  type Command,
  type Outcome,
  succeeded,
  withInput,
} from "../exec/command.ts";
import { projectRoot } from "../exec/project_root.ts";
import { controlPlaneOf, usesKubeadm } from "../kubernetes/kubeconfig.ts";
import { kubectl } from "../kubernetes/kubectl.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import { describe } from "../stage/result.ts";
import type { StageName } from "../stage/stage.ts";
import { reachOf } from "./connect.ts";
import { exitCode } from "./exit_code.ts";
import { listenForInterruption } from "./interruption.ts";
import { lock } from "./lock.ts";
import { endAllPods } from "./more_pods.ts";
import { printNote, printText } from "./print.ts";
import { openSession } from "./session.ts";
import { UsageError } from "./usage_error.ts";

const manifestPath = `${projectRoot}/config/kubernetes/deno-cni.yaml`;

/** What an agent's first run takes, on a machine that is busy with others. */
const firstRun_ms = 120_000;

/** Kubernetes fetches images, and starts a pod on each node. */
const rollout_s = 180;

/**
 * Hands a cluster over to agents: those of a lab are a process of this machine's, those of
 * kubeadm's clusters pods. What is half done is done to its end when it is asked for again.
 *
 * @returns the exit code
 * @throws {UsageError | StepError | UnreachableError}
 */
export async function handOver(cluster: Cluster): Promise<number> {
  const obstacle = handOverObstacle(cluster);
  if (obstacle !== undefined) {
    throw new UsageError(`${cluster.file}: ${obstacle}`);
  }
  if (cluster.provider !== "lab" && !usesKubeadm(cluster)) {
    throw new UsageError(
      `${cluster.file} (provider: ${cluster.provider}) has no Kubernetes that could run ` +
        "the agents: expected a lab, or machines of which 02-kubeadm makes a cluster",
    );
  }
  const unlock = await lock(cluster, "lock");
  const code = cluster.provider === "lab"
    ? await handOverLab(cluster)
    : await handOverKubernetes(cluster);
  unlock();
  if (code === exitCode.done) {
    const line = makeLine("agent", cluster, { ARGS: ["--take-back"] });
    printText(`"${cluster.name}" is handed over; to take it back: ${line}`);
  }
  return code;
}

async function handOverLab(cluster: Cluster): Promise<number> {
  const nodes = nodesOf(cluster);
  // A lab that does not run has nothing to hand over.
  await Promise.all(nodes.map((node) => node.run(cmd`true`)));
  await noteHandedOver(cluster);
  if (agentsOf(cluster) === undefined) {
    const file = await Deno.realPath(cluster.file);
    const program = `${projectRoot}/scripts/agent.ts`;
    const { argv } =
      cmd`${Deno.execPath()} run -A --no-check ${program} lab --cluster ${file}`;
    startAgents(cluster, argv, projectRoot);
    await started(cluster);
  }
  using interruption = listenForInterruption();
  const { stopping } = interruption;
  const seen = await firstRuns(cluster, nodes, firstRun_ms, stopping);
  if (stopping()) return exitCode.interrupted;
  let code: number = exitCode.done;
  for (const { name } of nodes) {
    const status = seen.get(name);
    if (status?.lastRun === undefined || status.problems.length > 0) {
      code = exitCode.failed;
      const why = status?.problems ??
        [`its agent had no run; its log: ${agentsLog(cluster)}`];
      for (const problem of why) printNote(`${name}: ${problem}`);
    } else {
      const isSame = status.lastRun.outcome === "clean" && status.runs === 1;
      printText(
        `${name}: kept by its agent, ${
          isSame
            ? "which found all that the stages make"
            : "which had to make or repair something"
        }`,
      );
    }
  }
  if (code !== exitCode.done) {
    printNote(
      "what to do: mend what is named; the agents try again by themselves. " +
        `Or take the lab back: ${
          makeLine("agent", cluster, { ARGS: ["--take-back"] })
        }`,
    );
  }
  return code;
}

/** The process has just been started, and is there soon. */
async function started(cluster: Cluster): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (agentsOf(cluster) !== undefined) return;
    await new Promise((go) => setTimeout(go, 50));
  }
}

async function handOverKubernetes(cluster: Cluster): Promise<number> {
  await noteHandedOver(cluster);
  const applied = await onControlPlane(
    cluster,
    await manifest(cluster, "apply"),
  );
  if (!applied) return exitCode.failed;
  const wait = ["rollout", "status", "daemonset/deno-cni"];
  const rolled = await onControlPlane(
    cluster,
    kubectl("-n", "deno-cni", ...wait, `--timeout=${rollout_s}s`),
  );
  if (rolled) return exitCode.done;
  printNote(
    "what to do: look at what the pods wait for (kubectl -n deno-cni get pods -o wide; " +
      "kubectl -n deno-cni describe pods). Every node needs the image: make image, and " +
      "there ctr -n k8s.io images import FILE. Then run this again",
  );
  return exitCode.failed;
}

/**
 * Takes a cluster back from its agents: the network stays as it is, and the stages keep it
 * again. Nothing to take back is no error.
 *
 * @throws {StepError | UnreachableError}
 */
export async function takeBackCluster(cluster: Cluster): Promise<number> {
  const unlock = await lock(cluster, "lock");
  const code = await endAgents(cluster);
  unlock();
  if (code === exitCode.done) {
    printText(
      `"${cluster.name}" is the stages' again; its network is as it was`,
    );
  }
  return code;
}

/** Takes everything of ours off the nodes of a cluster: the agents first, then a lab's pods. */
export async function cleanCluster(
  cluster: Cluster,
  stages: readonly StageName[],
): Promise<number> {
  const flags = { cluster: cluster.file, undo: true };
  await using session = await openSession(flags, ({ problem }) => {
    if (problem !== undefined) printNote(problem);
  });
  const ended = await endAgents(cluster);
  // Without their plugin, nothing could end them.
  if (cluster.provider === "lab" && !await endAllPods(session, true)) {
    return exitCode.failed;
  }
  const codes = await Promise.all(
    nodesOf(cluster).map((node) => cleanNode(node, stages)),
  );
  return Math.max(ended, ...codes);
}

/** Takes everything of ours off a machine, and says what was done. */
export async function cleanNode(
  node: Node,
  stages: readonly StageName[],
): Promise<number> {
  const { results, removed, left } = await cleanMachine(node, stages);
  for (const { status, command, problem = "" } of results) {
    if (status === "failed") {
      printNote(`${node.name}: failed: ${command}: ${problem}`);
    } else printText(`${node.name}: ${command}`);
  }
  for (const what of removed) printText(`${node.name}: removed ${what}`);
  for (const what of left) printText(`${node.name}: left ${what}`);
  const failed = results.some(({ status }) => status === "failed");
  if (!failed) printText(`${node.name}: nothing of deno-cni is left`);
  return failed ? exitCode.failed : exitCode.done;
}

/** Ends the agents, and removes what they kept for themselves. */
async function endAgents(cluster: Cluster): Promise<number> {
  if (cluster.provider === "lab") {
    printText(
      await stopAgents(cluster) ? "the agents have ended" : "no agents run",
    );
  } else if (usesKubeadm(cluster)) {
    const commands = [
      await manifest(cluster, "delete", "--ignore-not-found"),
      kubectl(
        ...["annotate", "nodes", "--all"],
        ...Object.values(annotation).map((key) => `${key}-`),
      ),
    ];
    for (const command of commands) {
      if (!await onControlPlane(cluster, command)) return exitCode.failed;
    }
  }
  await Promise.all(
    nodesOf(cluster).map((node) => forgetAgent(node).catch(unlessNoMore)),
  );
  await noteTakenBack(cluster);
  return exitCode.done;
}

/** A lab's node that does not run has nothing of an agent's. */
function unlessNoMore(error: unknown): void {
  if (!(error instanceof UnreachableError && error.isNoMore)) throw error;
}

function nodesOf(cluster: Cluster): Node[] {
  const { nodeOf } = reachOf(cluster);
  return cluster.nodes.map(({ name }) => nodeOf(name));
}

/** The command of kubectl's that is given the manifest with the cluster's network. */
async function manifest(
  cluster: Cluster,
  ...args: readonly string[]
): Promise<Command> {
  const text = manifestFor(cluster, await Deno.readTextFile(manifestPath));
  if (text === undefined) {
    throw new UsageError(
      `${manifestPath}: nowhere to put the cluster's network: expected a ConfigMap with ` +
        'the line "  cluster.yaml: |", as the project has it',
    );
  }
  return withInput(kubectl(...args, "-f", "-"), text);
}

async function onControlPlane(
  cluster: Cluster,
  command: Command,
): Promise<boolean> {
  const { name } = controlPlaneOf(cluster);
  const outcome: Outcome = await reachOf(cluster).nodeOf(name).run(command, {
    timeout_ms: (rollout_s + 30) * 1000,
  });
  if (outcome.stdout !== "") printText(outcome.stdout.trimEnd());
  if (!succeeded(outcome)) printNote(describe(outcome));
  return succeeded(outcome);
}
