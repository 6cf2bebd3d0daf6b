/** Kubernetes as stage 09 finds it: whether there is one, and what it says. */
import { saysAbsent } from "../exec/shell_file.ts";
import type { Cluster } from "../cluster/cluster.ts";
import {
  ending,
  type Outcome,
  type RunOptions,
  succeeded,
} from "../exec/command.ts";
import {
  dnsQuestion,
  type DnsState,
  KubectlError,
  type KubernetesState,
  question,
  readDns,
  readKubernetes,
} from "../kubernetes/kubectl.ts";
import { type PodTemplate, templateOf } from "./kubernetes_pods.ts";
import type { Node } from "../node/node.ts";
import { StepError } from "../stage/errors.ts";

/** Kubernetes, where its control plane was made: then the pods are its own. */
export interface Kubernetes {
  /** The control plane, where kubectl is. */
  readonly controlPlane: Node;
  readonly template: PodTemplate;
  readonly seen: KubernetesState;
  readonly dns: DnsState;
}

/**
 * Asks Kubernetes; undefined where its control plane was not made.
 *
 * @throws {StepError} when it does not answer, or a namespace of our name is not ours
 */
export async function lookKubernetes(
  cluster: Cluster,
  controlPlane: Node,
  options: RunOptions,
): Promise<Kubernetes | undefined> {
  const [outcome, dns, template] = await Promise.all([
    controlPlane.run(question(), options),
    controlPlane.run(dnsQuestion(), options),
    templateOf(cluster),
  ]);
  if (saysAbsent(outcome)) return undefined;
  const seen = seenIn(outcome, controlPlane);
  if (seen.namespace === "foreign") {
    throw new StepError(
      'refused: Kubernetes has a namespace "deno-cni-verify" that stage 09 did not make\n' +
        `what to do: on ${controlPlane.name}, kubectl delete namespace deno-cni-verify, ` +
        "if nothing needs it",
    );
  }
  return { controlPlane, template, seen, dns: readDns(dns) };
}

function seenIn(outcome: Outcome, { name }: Node): KubernetesState {
  const problem = (what: string) =>
    new StepError(
      `Kubernetes does not answer kubectl on ${name}: ${what}\n` +
        `what to do: see whether its API server runs (on ${name}: crictl ps, ` +
        "journalctl -u kubelet), then run this stage again",
    );
  if (!succeeded(outcome)) {
    // kubectl says the same at each of its tries.
    const said = new Set(outcome.stderr.trim().split("\n"));
    throw problem([...said].join("\n") || ending(outcome));
  }
  try {
    return readKubernetes(outcome.stdout);
  } catch (error) {
    if (error instanceof KubectlError) throw problem(error.message);
    throw error;
  }
}

/**
 * Asks Kubernetes again.
 *
 * @throws {StepError} when it does not answer
 */
export async function lookAgain(
  { controlPlane }: Kubernetes,
  options: RunOptions,
): Promise<KubernetesState> {
  return seenIn(await controlPlane.run(question(), options), controlPlane);
}
