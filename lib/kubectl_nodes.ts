/** What stage 02 ends with: which nodes Kubernetes calls Ready, and why the others are not. */
import type { Cluster } from "./cluster.ts";
import { type RunOptions, succeeded } from "./command.ts";
import { KubectlError, question, readKubernetes } from "./kubectl.ts";
import { lacksNetwork, nodeFault } from "./kubectl_faults.ts";
import type { Node } from "./node.ts";

/**
 * A line on the nodes, or a few; "" where there is no Kubernetes to ask.
 *
 * @throws {UnreachableError}
 */
export async function readiness(
  { nodes }: Cluster,
  nodeOf: (name: string) => Node,
  options: RunOptions,
): Promise<string> {
  const leader = nodes.find(({ role }) => role === "control-plane");
  if (leader === undefined) return "";
  const outcome = await nodeOf(leader.name).run(question(), options);
  if (!succeeded(outcome)) return "";
  try {
    return readinessWords(
      nodes.map(({ name }) => name),
      outcome.stdout,
      leader.name,
    );
  } catch (error) {
    if (error instanceof KubectlError) return "";
    throw error;
  }
}

/** The same of what kubectl printed. Pure. */
export function readinessWords(
  names: readonly string[],
  printed: string,
  leader: string,
): string {
  const seen = readKubernetes(printed);
  const lacking = names.filter((name) => {
    const node = seen.nodes.get(name);
    return node !== undefined && lacksNetwork(node);
  });
  const others = names.filter((name) => !lacking.includes(name))
    .flatMap((name) => nodeFault(name, seen, leader)?.what ?? []);
  const ready = names.length - lacking.length - others.length;
  return [
    `Ready: ${ready} of ${names.length} nodes`,
    ...(lacking.length === 0 ? [] : [
      `NotReady, for there is no pod network yet: ${lacking.join(", ")}. ` +
      "Next: make 03-cni-config",
    ]),
    ...others,
  ].join("\n");
}
