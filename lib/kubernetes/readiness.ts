/** What stage 02 ends with: which nodes Kubernetes calls Ready, and why the others are not. */
import { makeLine } from "../cluster/make_line.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type RunOptions, show, succeeded } from "../exec/command.ts";
import { controlPlaneOf, kubeconfigPath } from "./kubeconfig.ts";
import { KubectlError, question, readKubernetes } from "./kubectl.ts";
import { lacksNetwork, nodeFault } from "./faults.ts";
import type { Node } from "../node/node.ts";
import { sshTarget } from "../ssh/node.ts";
import { sshArgs } from "../ssh/protocol.ts";

/**
 * A line on the nodes, or a few; "" where there is no Kubernetes to ask.
 *
 * @throws {UnreachableError}
 */
export async function readiness(
  cluster: Cluster,
  nodeOf: (name: string) => Node,
  options: RunOptions,
): Promise<string> {
  const { nodes } = cluster;
  const controlPlane = controlPlaneOf(cluster);
  const outcome = await nodeOf(controlPlane.name).run(question(), options);
  if (!succeeded(outcome)) return "";
  try {
    const names = nodes.map(({ name }) => name);
    return [
      readinessWords(names, outcome.stdout, controlPlane.name, cluster),
      kubeconfigWords(cluster),
    ].join("\n");
  } catch (error) {
    if (error instanceof KubectlError) return "";
    throw error;
  }
}

/** The same of what kubectl printed. Pure. */
export function readinessWords(
  names: readonly string[],
  printed: string,
  controlPlane: string,
  cluster: Pick<Cluster, "file">,
): string {
  const seen = readKubernetes(printed);
  const lacking = names.filter((name) => {
    const node = seen.nodes.get(name);
    return node !== undefined && lacksNetwork(node);
  });
  const others = names.filter((name) => !lacking.includes(name))
    .flatMap((name) => nodeFault(name, seen, controlPlane)?.what ?? []);
  const ready = names.length - lacking.length - others.length;
  return [
    `Ready: ${ready} of ${names.length} nodes`,
    ...(lacking.length === 0 ? [] : [
      `NotReady, for there is no pod network yet: ${lacking.join(", ")}. ` +
      `Next: ${makeLine("03-cni-config", cluster)}`,
    ]),
    ...others,
  ].join("\n");
}

/**
 * How the operator's own kubectl gets to the API server, whose certificate is
 * for the control plane's address on the segment: by itself where ssh gets
 * there by that address, else through ssh.
 */
export function kubeconfigWords(
  cluster: Pick<Cluster, "nodes" | "ssh" | "stateDir">,
): string {
  const controlPlane = controlPlaneOf(cluster);
  const target = sshTarget(cluster, controlPlane);
  const kubectl = `kubectl --kubeconfig ${kubeconfigPath(cluster)}`;
  if (target.host === controlPlane.address) {
    return `From here: ${kubectl} get nodes`;
  }
  const { address } = controlPlane;
  const host = address.includes(":") ? `[${address}]` : address;
  const tunnel = show({
    argv: ["ssh", "-N", "-L", `6443:${host}:6443`, ...sshArgs(target)],
  });
  return `From here, if ${address} cannot be reached: ${tunnel} &\n` +
    `  ${kubectl} --server https://127.0.0.1:6443 --tls-server-name ${address} get nodes`;
}
