/** For tests: clusters in a cloud as their files have them, and the answers of their steps' probes. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert } from "@std/assert";
import { splitClusterCIDR } from "../../lib/net/cidr.ts";
import { type Cluster } from "../../lib/cluster/cluster.ts";
import type { Outcome } from "../../lib/exec/command.ts";
import type { Answer, Step } from "../../lib/stage/stage.ts";
import { provision } from "../01-provision.ts";
import { routes } from "../08-routes.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { parseCluster } from "../../lib/cluster/load.ts";

/** A cloud's cluster as its file has it, with what 01 and 02 would find out. */
export async function plannedCluster(cloud: "aws" | "gcp"): Promise<Cluster> {
  const file = `config/${cloud}.yaml`;
  const text = await Deno.readTextFile(`${projectRoot}/${file}`);
  const cluster = parseCluster(text, file, "/state");
  const podCIDRs = splitClusterCIDR(cluster);
  return {
    ...cluster,
    nodes: cluster.nodes.map((node, at) => ({
      ...node,
      podCIDRs: podCIDRs[node.name] ?? [],
      machine: { id: `i-${at}`, interfaceId: `eni-${at}` },
    })),
    routeTableId: "rtb-1",
  };
}

/** All that stages 01 and 08 do on the operator's machine. */
export function operatorSteps(cluster: Cluster): Step[] {
  return [provision, routes].flatMap((stage) =>
    stage.operator?.steps(cluster) ?? []
  );
}

/** The answer of the step whose reason has this in it. */
export function answer(
  cluster: Cluster,
  why: string,
  outcome: Partial<Outcome>,
): Answer {
  const step = operatorSteps(cluster).find((step) => step.why.includes(why));
  assert(step?.doneWhen, `no step for: ${why}`);
  return step.doneWhen.read({ code: 0, stdout: "", stderr: "", ...outcome });
}

/** What an answer that nobody can give has for a reason. */
export function reason(given: Answer): string {
  assert(given.is === "unknown", given.is);
  return given.reason;
}

/** A command that is not installed. */
export const notThere: Partial<Outcome> = {
  code: undefined,
  ended: "no such command",
};
