/**
 * Stage 09's pods in Kubernetes: the commands that make them, take them away,
 * and run something in them.
 */
import { type Cluster } from "../cluster/cluster.ts";
import { usualKubernetes } from "../cluster/schema_kubernetes.ts";
import {
  cmd,
  type Command,
  type RunOptions,
  succeeded,
} from "../exec/command.ts";
import {
  kubectl,
  type KubernetesState,
  namespace,
} from "../kubernetes/kubectl.ts";
import type { Node, Runner } from "../node/node.ts";
import { mac } from "../net/mac.ts";
import {
  type PodName,
  podNames,
  type PodStep,
  server,
} from "./namespace_pods.ts";
import { type AddResult, ifname, parseAddResult } from "../cni/runtime.ts";
import { projectRoot } from "../exec/project_root.ts";

/** Milliseconds that a pod may take to be gone: a node whose kubelet is busy takes its time. */
const leave_ms = 120_000;

/** What stage 09's pods are made of. */
export interface PodTemplate {
  /** The text of config/pods.yaml. */
  readonly template: string;
  readonly image: string;
}

/** What the pods of a cluster are made of. */
export async function templateOf(
  { kubernetes = usualKubernetes }: Cluster,
): Promise<PodTemplate> {
  const path = `${projectRoot}/config/pods.yaml`;
  const template = await Deno.readTextFile(path);
  return { template, image: kubernetes.testImage };
}

/** The name of a node's pod. */
export function podName(pod: PodName, node: string): string {
  return `${pod}-${node}`;
}

/**
 * The name of the service by which a node's pod calls itself: a label of RFC 1035, which has no
 * dots and 63 characters at most.
 */
export function serviceName(node: string): string {
  const usual = podName(server, node);
  return /^[a-z][-a-z0-9]{0,62}$/.test(usual)
    ? usual
    : `${server}-${mac(node).replaceAll(":", "")}`;
}

/** The pods of these nodes, as `kubectl apply -f -` takes them. */
export function manifest(
  { template, image }: PodTemplate,
  nodes: readonly string[],
): string {
  const documents = template.replace(/^(#.*\n)+/, "").split("---\n");
  const ofNode = (text: string) => text.includes("${NODE}");
  return [
    ...documents.filter((text) => !ofNode(text)),
    ...nodes.flatMap((node) =>
      documents.filter(ofNode).map((text) =>
        text.replace('name: "web-${NODE}"', `name: "${serviceName(node)}"`)
          .replaceAll("${NODE}", node)
      )
    ),
  ].join("---\n").replaceAll("${IMAGE}", image);
}

/** What makes the pods of these nodes. */
export function applyStep(
  template: PodTemplate,
  nodes: readonly string[],
): PodStep {
  return {
    why: "Two pods on each node, where Kubernetes starts them: its kubelet " +
      "has the container runtime call the plugin for each",
    run: { ...kubectl("apply", "-f", "-"), stdin: manifest(template, nodes) },
    timeout_ms: 60_000,
  };
}

/** What waits until they run, in a script that is run by hand. */
export function waitStep(): PodStep {
  return {
    why: "Wait until they run",
    run: kubectl(
      ...["-n", namespace, "wait", "pod", "--all"],
      ...["--for=condition=Ready", "--timeout=120s"],
    ),
    timeout_ms: leave_ms,
  };
}

/**
 * What takes pods away, and waits until they are gone.
 *
 * @param names theirs, or kubectl's word for all
 */
export function removeStep(names: readonly string[]): PodStep {
  return {
    why: "Take the test pods away, and wait until they are gone",
    run: kubectl(
      ...["-n", namespace, "delete", "pod", ...names],
      ...["--ignore-not-found", `--timeout=${leave_ms / 1000}s`],
    ),
    timeout_ms: leave_ms + 10_000,
  };
}

/** What takes all of them away with their namespace, and waits until they are gone. */
export function removeAllSteps(): PodStep[] {
  // A namespace that still has pods is looked at again only after a while.
  return [removeStep(["--all"]), {
    why: "Take their namespace away, and wait until it is gone",
    run: kubectl(
      ...["delete", "namespace", namespace],
      ...["--ignore-not-found", `--timeout=${leave_ms / 1000}s`],
    ),
    timeout_ms: leave_ms + 10_000,
  }];
}

/** What `--undo` does, on these nodes or on all. */
export function deletionSteps(
  { namespace, pods }: KubernetesState,
  nodes: readonly string[],
  all: boolean,
): PodStep[] {
  if (namespace === "none" || namespace === "foreign") return [];
  if (all) return removeAllSteps();
  const names = nodes.flatMap((node) =>
    podNames.map((pod) => podName(pod, node))
  ).filter((name) => pods.has(name));
  return names.length === 0 ? [] : [removeStep(names)];
}

/** A pod of Kubernetes to run commands in, from the control plane. */
export function execOn(
  controlPlane: Runner,
  pod: PodName,
  node: string,
): Runner {
  return {
    name: `${pod} on ${node}`,
    enter: (command) => controlPlane.enter(insideOf(pod, node, command)),
    run: (command, options) =>
      controlPlane.run(insideOf(pod, node, command), options),
  };
}

/**
 * The command that, run on the control plane, runs the given one in a pod.
 *
 * @param terminal whether it is for a person at a terminal
 */
export function insideOf(
  pod: PodName,
  node: string,
  command: Command,
  terminal = false,
): Command {
  const input = command.stdin === undefined ? [] : ["-i"];
  const { argv } = kubectl(
    ...["-n", namespace, "exec", podName(pod, node)],
    ...(terminal ? ["-it"] : input),
    ...["--", ...command.argv],
  );
  return { ...command, argv };
}

/** Prints the addresses of a pod, one a family, on a line. */
export function addressesOf(pod: PodName, node: string): Command {
  return kubectl(
    ...["-n", namespace, "get", "pod", podName(pod, node)],
    ...["-o", "jsonpath={.status.podIPs[*].ip}"],
  );
}

/** What a node's container runtime remembers of a pod's ADD. */
interface Remembered {
  readonly result: AddResult;
  /** The path of its network namespace on the node. */
  readonly sandbox: string;
}

/**
 * Asks a node what its container runtime remembers of our pods (libcni,
 * CacheDir): containerd and CRI-O keep it there.
 *
 * @returns by pod and address, since an earlier life of a pod may be in it, too
 */
export async function remembered(
  node: Node,
  options: RunOptions,
): Promise<ReadonlyMap<string, Remembered>> {
  const script = 'grep -hsF -e "$1" /var/lib/cni/results/*-"$2" || :';
  const ours = `"K8S_POD_NAMESPACE","${namespace}"`;
  const outcome = await node.run(
    cmd`sh -c ${script} ask ${ours} ${ifname}`,
    options,
  );
  return succeeded(outcome) ? readCache(outcome.stdout) : new Map();
}

/** The key of remembered(). */
export function cacheKey(pod: string, address: string): string {
  return `${pod} ${address}`;
}

/** Reads entries of libcni's cache, a line each; what is none of ours is passed over. */
export function readCache(text: string): ReadonlyMap<string, Remembered> {
  const found = new Map<string, Remembered>();
  for (const line of text.split("\n")) {
    const entry = parseEntry(line);
    if (entry === undefined) continue;
    const { cniArgs = [], result } = entry;
    const name = cniArgs.find(([key]) => key === "K8S_POD_NAME")?.[1];
    const sandbox = result?.interfaces
      ?.find(({ sandbox }) => sandbox !== undefined && sandbox !== "")?.sandbox;
    const addresses = result?.ips ?? [];
    if (name === undefined || sandbox === undefined) continue;
    for (const { address } of addresses) {
      if (typeof address !== "string") continue;
      const whole = parseAddResult(JSON.stringify(result), "libcni's cache");
      const [bare = ""] = address.split("/");
      found.set(cacheKey(name, bare), { result: whole, sandbox });
    }
  }
  return found;
}

interface CacheEntry {
  readonly cniArgs?: readonly (readonly [string, string])[];
  readonly result?: {
    readonly interfaces?: readonly { readonly sandbox?: string }[];
    readonly ips?: readonly { readonly address?: unknown }[];
  };
}

function parseEntry(line: string): CacheEntry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
