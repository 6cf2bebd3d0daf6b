/** `--dry-run`: the commands of stages, as a script or as data. */
import type { Others } from "./book.ts";
import { splitClusterCIDR } from "./cidr.ts";
import { exitCode, type Flags } from "./cli.ts";
import type { Cluster } from "./cluster.ts";
import type { Node } from "./node.ts";
import { plan, type Planned, planUndo } from "./plan.ts";
import { script } from "./report.ts";
import { inOrder, reach, stepsFor } from "./run_stage.ts";
import { openSession } from "./session.ts";
import { operatorSteps } from "./stage.ts";
import type { Stage, StageName, Step } from "./step.ts";
import { nodeOf, operatorNode } from "./transport.ts";

/**
 * Prints the commands of these stages.
 *
 * A node that an earlier stage of the same dry run would make cannot be asked
 * yet; its steps are planned as on a new machine.
 *
 * @throws what plan() and openSession() do
 */
export async function dryRun(
  stages: readonly Stage[],
  flags: Flags,
): Promise<number> {
  await using session = await openSession(flags, () => {});
  const cluster = withExpectedPodCIDRs(await session.cluster());
  const names = session.selected(cluster);
  const fresh = new Set<string>();
  const planned: StagePlan[] = [];
  for (const stage of stages) {
    const last = stage.operatorLast?.(cluster) ?? false;
    const own = await planOperator(stage, cluster, names, flags, fresh);
    if (!last) planned.push(...own);
    if (stage.name === "01-provision" && !flags.undo) {
      const about = own.flatMap(({ steps }) => steps)
        .flatMap((step) => "about" in step ? [step.about] : []);
      about.forEach((name) => fresh.add(String(name)));
    }
    if (stage.steps === undefined) continue;
    const pluginFiles = flags.undo ? undefined : await stage.build?.peek();
    const stepsOf = (name: string) =>
      stepsFor(stage, cluster, name, pluginFiles);
    planned.push(
      ...await Promise.all(
        inOrder(names, stepsOf).map(async (name) => {
          const node = nodeOf(cluster, name);
          const known = flags.undo || !fresh.has(name);
          return {
            stage: stage.name,
            ...await planOn(stage, node, stepsOf(name), flags, known),
          };
        }),
      ),
    );
    if (last) planned.push(...own);
  }
  const worthALine = planned.filter(({ steps }) =>
    steps.length > 0 || stages.length === 1
  );
  console.log(
    flags.output === "json"
      ? JSON.stringify(worthALine.map(asData), null, 2)
      : worthALine.map(({ stage, ...rest }) =>
        script(stage, rest, (name) => nodeOf(cluster, name))
      ).join("\n"),
  );
  return exitCode.done;
}

interface StagePlan extends Planned {
  readonly stage: StageName;
}

function asData({ stage, node, steps }: StagePlan) {
  return {
    stage,
    node: node.name,
    steps: steps.map(({ why, run, input }) => ({
      why,
      run,
      ...(input === undefined
        ? {}
        : { input: { from: input.from, ask: input.ask } }),
    })),
  };
}

/** What a stage would do on the operator's machine: its own steps, and the build. */
async function planOperator(
  stage: Stage,
  cluster: Cluster,
  names: readonly string[],
  flags: Flags,
  fresh: ReadonlySet<string>,
): Promise<StagePlan[]> {
  const node = operatorNode(cluster);
  const plans: StagePlan[] = [];
  if (stage.operatorSteps !== undefined) {
    const own = operatorSteps(stage, cluster, names);
    const known = own.every(({ input }) =>
      input === undefined || !fresh.has(input.from)
    );
    const others = reach(cluster);
    const planned = await planOn(stage, node, own, flags, known, others);
    plans.push({ stage: stage.name, ...planned });
  }
  if (stage.build !== undefined && !flags.undo) {
    const { why, byHand } = stage.build;
    plans.push({ stage: stage.name, node, steps: [{ why, run: byHand }] });
  }
  return plans;
}

/** @param known whether the node is there to be asked */
async function planOn(
  stage: Stage,
  node: Node,
  steps: readonly Step[],
  { undo, noProbes, nodes, timeout_ms }: Flags,
  known: boolean,
  others?: Others,
): Promise<Planned> {
  const mind = node.name === "operator" && nodes.length > 0
    ? { about: nodes }
    : {};
  if (undo) {
    return await planUndo(stage.name, node, steps, { timeout_ms, ...mind });
  }
  const assume = noProbes || !known ? { assume: "absent" as const } : {};
  return await plan(stage.name, node, steps, {
    timeout_ms,
    ...mind,
    ...assume,
    ...(others === undefined ? {} : { others }),
  });
}

/** For a plan before 02 has run: the podCIDRs that it will most likely find. */
function withExpectedPodCIDRs(cluster: Cluster): Cluster {
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
