/** Starting stage 09's pods in Kubernetes. */
import { containsAddress, parseCidr } from "../net/cidr.ts";
import type { ClusterNode } from "../cluster/cluster.ts";
import type { RunOptions } from "../exec/command.ts";
import {
  isUp,
  type KubernetesPod,
  type KubernetesState,
} from "../kubernetes/kubectl.ts";
import { nodeFault, startFault } from "../kubernetes/faults.ts";
import {
  applyStep,
  cacheKey,
  podName,
  type PodTemplate,
  remembered,
  removeAllSteps,
  removeStep,
} from "./kubernetes_pods.ts";
import { awaitAll } from "./kubernetes_wait.ts";
import { resultOf } from "./known_ends.ts";
import type { PodInside } from "../diagnosis/evidence.ts";
import {
  caller,
  type PodName,
  podNames,
  podOn,
  type PodStep,
  server,
} from "./namespace_pods.ts";
import type { PodOutcome, Prepared } from "./start_pods.ts";
import { interruptedError, type StepRunner } from "./step_runner.ts";
import type { AddResult } from "../cni/runtime.ts";
import { type Kubernetes, lookAgain } from "./kubernetes_state.ts";
import type { Site, Situation } from "./situation.ts";
import type { Cause } from "../diagnosis/cause.ts";
import type { RunContext } from "../stage/context.ts";

/** The steps that make the pods of these nodes as they should be; none where they are. */
export function missingSteps(
  { seen, template }: Kubernetes,
  nodes: readonly ClusterNode[],
): readonly PodStep[] {
  const wanted = nodes.flatMap((node) =>
    podNames.map((pod) => ({ node, name: podName(pod, node.name) }))
  );
  const bad = wanted.flatMap(({ name, node }) => {
    const pod = seen.pods.get(name);
    return pod !== undefined && ruin(pod, template, node) !== undefined
      ? [name]
      : [];
  });
  // A namespace on its way out takes along what is in it.
  const leaving = seen.namespace === "leaving";
  const missing = wanted.filter(({ name }) =>
    leaving || !seen.pods.has(name) || bad.includes(name)
  );
  return [
    // What is on its way out has to be gone before it can come again.
    ...(leaving ? removeAllSteps() : bad.length > 0 ? [removeStep(bad)] : []),
    ...(missing.length === 0 ? [] : [
      applyStep(template, [...new Set(missing.map(({ node }) => node.name))]),
    ]),
  ];
}

/** Why a pod cannot be used as it is; a pod that only does not run yet may. */
function ruin(
  pod: KubernetesPod,
  { image }: PodTemplate,
  { podCIDRs }: ClusterNode,
): string | undefined {
  if (pod.leaving) return "it was on its way out";
  if (pod.phase === "Failed" || pod.phase === "Succeeded") {
    return pod.waiting?.message || `it had ended (${pod.phase})`;
  }
  if (pod.image !== image) return `its image was ${pod.image}`;
  const stray = pod.addresses.find((address) =>
    !podCIDRs.some((cidr) => containsAddress(parseCidr(cidr), address))
  );
  return stray === undefined
    ? undefined
    : `its address, ${stray}, is not of the node's podCIDR ${
      podCIDRs.join(", ")
    }`;
}

/**
 * Starts what is missing of the pods, and waits until all run or will not.
 *
 * @param sites the workers whose pods are wanted
 * @param selected the nodes that are looked at
 * @returns what became of the pods, and Kubernetes as it was seen last
 * @throws {CommandError} when kubectl refuses
 * @throws {StepError} when Kubernetes does not answer, or the user wants no more
 */
export async function prepareInKubernetes(
  situation: Situation & { readonly kubernetes: Kubernetes },
  sites: readonly Site[],
  selected: readonly string[],
  runner: StepRunner,
  context: RunContext,
): Promise<{ prepared: readonly Prepared[]; kubernetes: Kubernetes }> {
  const { cluster, kubernetes, progress } = situation;
  const { controlPlane, template, seen: before } = kubernetes;
  const names = sites.map(({ node: { name } }) => name);
  const steps = missingSteps(kubernetes, sites.map(({ node }) => node));
  for (const step of steps) await runner.do(controlPlane, step);
  const ask = () => lookAgain(kubernetes, runner.options);
  const wanted = {
    pods: names.flatMap((node) => podNames.map((pod) => podName(pod, node))),
    nodes: selected.filter((name) =>
      progress.complete.get(name)?.includes("03-cni-config")
    ),
  };
  const seen = await awaitAll(
    wanted,
    steps.length === 0 ? before : undefined,
    {
      ask,
      progress: context.progress ?? (() => {}),
      stopping: context.stopping,
    },
  );
  if (context.stopping()) throw interruptedError(cluster);
  const prepared = sites.map((site): Prepared => {
    const node = site.node.name;
    const outcome = (pod: PodName): PodOutcome => {
      const name = podName(pod, node);
      const found = seen.pods.get(name);
      if (isUp(found)) return { is: "there", result: resultOf(found) };
      const cause = stuckNode(node, seen, controlPlane.name) ??
        startFault(found, name, node, cluster, controlPlane.name);
      return { is: "stuck", cause };
    };
    const remarks = podNames.flatMap((pod) => {
      const found = before.pods.get(podName(pod, node));
      const why = found && ruin(found, template, site.node);
      return why ? [`Pod ${pod} on ${node} was started anew: ${why}`] : [];
    });
    return {
      site,
      pods: { [caller]: outcome(caller), [server]: outcome(server) },
      remarks,
    };
  });
  return { prepared, kubernetes: { ...kubernetes, seen } };
}

/** What keeps pods that were taken away from being gone, a line each. */
export async function leavingPods(
  kubernetes: Kubernetes,
  options: RunOptions,
): Promise<string> {
  const { pods, nodes } = await lookAgain(kubernetes, options);
  return [...pods.values()].filter(({ leaving }) => leaving)
    .map(({ name, node, warnings }) => {
      const [last] = warnings.slice(-1);
      const kubelet = nodes.get(node)?.ready === "True"
        ? "its kubelet says no more"
        : `the kubelet of ${node} does not report`;
      const why = last === undefined
        ? kubelet
        : `${last.reason} ${last.message}`.trim();
      return `pod ${name} is still there: ${why}\n`;
    }).join("");
}

/** A node that is not Ready explains a pod that does not run. */
function stuckNode(
  node: string,
  seen: KubernetesState,
  controlPlane: string,
): Cause | undefined {
  return seen.nodes.get(node)?.ready === "True"
    ? undefined
    : nodeFault(node, seen, controlPlane);
}

/** The pods of a worker, with the network namespaces that its container runtime made for them. */
export async function podsInside(
  { runner, node: { name } }: Site,
  results: ReadonlyMap<PodName, AddResult>,
  options: RunOptions,
): Promise<readonly PodInside[]> {
  const cache = await remembered(runner, options);
  return [...results].flatMap(([pod, { address }]): PodInside[] => {
    const found = cache.get(cacheKey(podName(pod, name), address));
    if (found === undefined) return [];
    const { result, sandbox } = found;
    return [{
      pod,
      result: { ...result, address },
      inside: podOn(runner, pod, sandbox),
      sandbox,
    }];
  });
}
