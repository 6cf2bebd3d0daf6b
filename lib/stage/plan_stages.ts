/** What a run of stages would do, asked of the nodes; changes nothing. */
import type { Others, StageRun } from "./context.ts";
import { splitClusterCIDR } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Node } from "../node/node.ts";
import { plan, type Planned, planUndo } from "./plan_node.ts";
import { hasWork, otherNodes, stepsFor } from "./run_stage.ts";
import { inOrder } from "./in_order.ts";
import { insteadFor } from "./instead.ts";
import { operatorSteps } from "./engine.ts";
import type { Stage, StageName, Step } from "./stage.ts";

/**
 * What a run of these stages would do, machine by machine, in the order in
 * which it would; changes nothing.
 *
 * @param noProbes plan without asking the nodes
 * @throws what plan() does
 */
export async function* plans(
  run: StageRun,
  stages: readonly Stage[],
  cluster: Cluster,
  noProbes = false,
): AsyncGenerator<StagePlan> {
  const names = run.selected(cluster);
  const { nodeOf } = run.reach(cluster);
  const fresh = new Set<string>();
  for (const stage of stages) {
    const last = stage.operator?.last?.(cluster) ?? false;
    // What the nodes make anew, the operator's machine may ask about.
    const anew = new Set<string>();
    const operate = () =>
      planOperator(run, stage, cluster, noProbes, { fresh, anew });
    if (!last) {
      const own = await operate();
      yield* own;
      if (stage.name === "01-provision" && !run.undo) {
        const about = own.flatMap(({ steps }) => steps)
          .flatMap(({ node = [] }) => node);
        about.forEach((name) => fresh.add(name));
      }
    }
    if (stage.steps === undefined) continue;
    if (run.undo && stage.operator?.endsNodes?.(cluster)) continue;
    const pluginFiles = run.undo ? undefined : await stage.build?.peek();
    const stepsOf = (name: string) =>
      stepsFor(stage, cluster, name, pluginFiles);
    const planNode = async (name: string, steps: readonly Step[]) => {
      const known = run.undo || !fresh.has(name);
      // A node's own things are no other's.
      const made = new Set<string>();
      const planned = await planOn(
        run,
        stage,
        nodeOf(name),
        steps,
        noProbes || !known,
        { instead: insteadFor(stage, cluster, name), anew: made },
      );
      made.forEach((thing) => anew.add(thing));
      return { stage: stage.name, ...planned };
    };
    if (noProbes) {
      for (const { name, steps } of inOrder(names, stepsOf)) {
        yield await planNode(name, steps);
      }
    } else {
      yield* await Promise.all(
        [...inOrder(names, stepsOf)].map(({ name, steps }) =>
          planNode(name, steps)
        ),
      );
    }
    if (run.undo) yield* await planAfterUndo(run, stage, cluster);
    if (last) yield* await operate();
  }
}

/** What the other nodes would have to do about those that are taken back. */
async function planAfterUndo(
  run: StageRun,
  stage: Stage,
  cluster: Cluster,
): Promise<StagePlan[]> {
  const { timeout_ms } = run.context;
  const { nodeOf } = run.reach(cluster);
  const names = run.selected(cluster);
  const planned = (stage.followUp?.afterUndo(cluster, names) ?? []).map(
    async (step) => {
      const node = nodeOf(step.on);
      return await hasWork(node, step, { timeout_ms })
        ? [{
          stage: stage.name,
          node,
          steps: [{ why: step.why, run: step.run }],
        }]
        : [];
    },
  );
  return (await Promise.all(planned)).flat();
}

/** What a stage would do on a machine. */
export interface StagePlan extends Planned {
  readonly stage: StageName;
}

/** What a stage would do on the operator's machine: its own steps, and the build. */
async function planOperator(
  run: StageRun,
  stage: Stage,
  cluster: Cluster,
  noProbes: boolean,
  { fresh, anew }: {
    readonly fresh: ReadonlySet<string>;
    readonly anew: Set<string>;
  },
): Promise<StagePlan[]> {
  const names = run.selected(cluster);
  const reach = run.reach(cluster);
  const node = reach.operator;
  const plans: StagePlan[] = [];
  if (stage.operator !== undefined) {
    const own = operatorSteps(stage, cluster, names);
    // Of machines that a cloud is still to make, it has nothing to tell.
    const unmade = cluster.provider !== "lab" &&
      names.every((name) => fresh.has(name));
    const known = !unmade &&
      own.every(({ input }) => input === undefined || !fresh.has(input.from));
    const more = { others: otherNodes(reach), fresh, anew };
    const planned = await planOn(
      run,
      stage,
      node,
      own,
      noProbes || !known,
      more,
    );
    plans.push({ stage: stage.name, ...planned });
  }
  if (stage.build !== undefined && !run.undo) {
    const { why, byHand } = stage.build;
    plans.push({
      stage: stage.name,
      node,
      steps: [{ why, run: byHand, builds: true }],
    });
  }
  return plans;
}

/** @param unasked whether the steps are planned without asking the node */
async function planOn(
  { undo, nodes, context: { timeout_ms } }: StageRun,
  stage: Stage,
  node: Node,
  steps: readonly Step[],
  unasked: boolean,
  more: {
    readonly others?: Others;
    readonly fresh?: ReadonlySet<string>;
    readonly instead?: readonly Step[];
    readonly anew?: Set<string>;
  } = {},
): Promise<Planned> {
  const named = node.name === "operator" && nodes.length > 0 ? { nodes } : {};
  if (undo) {
    return await planUndo(stage.name, node, steps, { timeout_ms, ...named });
  }
  const assume = unasked ? { assume: "absent" as const } : {};
  return await plan(stage.name, node, steps, {
    timeout_ms,
    ...named,
    ...assume,
    ...more,
  });
}

/** For a plan before 02 has run: the podCIDRs that it will most likely find. */
export function withExpectedPodCIDRs(cluster: Cluster): Cluster {
  const expected = splitClusterCIDR(cluster);
  return {
    ...cluster,
    nodes: cluster.nodes.map((node) =>
      node.podCIDRs.length > 0
        ? node
        : { ...node, podCIDRs: expected[node.name] ?? [] }
    ),
  };
}
