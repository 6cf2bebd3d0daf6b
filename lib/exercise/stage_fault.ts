/** A stage as it was run wrongly: its steps planned for another cluster than the true one. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { type Plan, type Stage, type Step, undoOf } from "../stage/stage.ts";
import { workersOf } from "../verify/matrix.ts";
import type { StageFault } from "./exercise.ts";
import { unlessGone, withWrongMasquerade } from "./wrong_masquerade.ts";

/** The stage as a fault has it. */
export function wrongStage(
  { wrongly }: StageFault,
  stage: Stage,
  cluster: Cluster,
): Stage {
  switch (wrongly) {
    case "for the segment":
      return forTheSegment(stage);
    case "through the gateway":
      return throughTheGateway(stage, workersOf(cluster)[0]?.name ?? "");
    case "without the exemption":
      return withWrongMasquerade(stage);
  }
}

function misread(stage: Stage, change: (plan: Plan) => Plan): Stage {
  const { steps } = stage;
  if (steps === undefined) return stage;
  return { ...stage, steps: (plan) => steps(change(plan)).map(tolerant) };
}

/** A step whose undo passes where a repair by hand has taken its rule back already. */
function tolerant(step: Step): Step {
  const undo = undoOf(step);
  if (undo === undefined) return step;
  const isRule = /^ip6?tables$/.test(undo.argv[0]) && undo.argv.includes("-D");
  return isRule ? { ...step, undo: unlessGone(undo) } : step;
}

function forTheSegment(stage: Stage): Stage {
  return misread(stage, (plan) => {
    const { cluster } = plan;
    const clusterCIDRs = cluster.segmentCIDRs;
    return { ...plan, cluster: { ...cluster, clusterCIDRs } };
  });
}

function throughTheGateway(stage: Stage, name: string): Stage {
  return misread(stage, (plan) => {
    const { cluster } = plan;
    const { gateway, gateways } = cluster.outside;
    const nodes = cluster.nodes.map((node) =>
      node.name === name
        ? { ...node, address: gateway, addresses: gateways }
        : node
    );
    return { ...plan, cluster: { ...cluster, nodes } };
  });
}
