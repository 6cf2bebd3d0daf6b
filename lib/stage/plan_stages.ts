/** `--dry-run`: the commands of stages, as a script or as data. */
import type { Others } from "./node_run.ts";
import { splitClusterCIDR } from "../net/cidr.ts";
import { exitCode, type Flags } from "../cli/flags.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Node } from "../node/node.ts";
import { plan, type Planned, planUndo } from "./plan_node.ts";
import { script } from "../cli/report.ts";
import { hasWork, inOrder, otherNodes, stepsFor } from "./run_stage.ts";
import { openSession, type Session } from "../cli/session.ts";
import { operatorSteps } from "./engine.ts";
import type { Stage, StageName, Step } from "./stage.ts";
import { nodeOf, operatorNode } from "../cli/connect.ts";

/**
 * Prints the commands of these stages.
 *
 * A node that an earlier stage of the same dry run would make cannot be asked
 * yet; its steps are planned as on a new machine. Where nobody is asked, each
 * node's commands are printed as they are planned: a thousand nodes have a
 * million routes.
 *
 * @throws what plan() and openSession() do
 */
export async function dryRun(
  stages: readonly Stage[],
  flags: Flags,
): Promise<number> {
  await using session = await openSession(flags, () => {});
  const cluster = withExpectedPodCIDRs(await session.cluster());
  const show = shower(cluster, stages, flags);
  const withheld: StagePlan[] = [];
  for await (const planned of plans(stages, cluster, session, flags)) {
    // A run that would refuse something has no half of a script to show.
    if (flags.noProbes) show.one(planned);
    else withheld.push(planned);
  }
  withheld.forEach(show.one);
  show.end();
  return exitCode.done;
}

/**
 * What a run of these stages would do, machine by machine, in the order in
 * which it would; changes nothing.
 *
 * @throws what plan() does
 */
export async function* plans(
  stages: readonly Stage[],
  cluster: Cluster,
  session: Session,
  flags: Flags,
): AsyncGenerator<StagePlan> {
  const names = session.selected(cluster);
  const fresh = new Set<string>();
  for (const stage of stages) {
    const last = stage.operatorLast?.(cluster) ?? false;
    const own = await planOperator(stage, cluster, names, flags, fresh);
    if (!last) yield* own;
    if (stage.name === "01-provision" && !flags.undo) {
      const about = own.flatMap(({ steps }) => steps)
        .flatMap((step) => "node" in step ? [step.node] : []);
      about.forEach((name) => fresh.add(String(name)));
    }
    if (stage.steps === undefined) continue;
    if (flags.undo && stage.endsNodes?.(cluster)) continue;
    const pluginFiles = flags.undo ? undefined : await stage.build?.peek();
    const stepsOf = (name: string) =>
      stepsFor(stage, cluster, name, pluginFiles);
    const planNode = async (name: string, steps: readonly Step[]) => {
      const known = flags.undo || !fresh.has(name);
      const planned = await planOn(
        stage,
        nodeOf(cluster, name),
        steps,
        flags,
        known,
      );
      return { stage: stage.name, ...planned };
    };
    if (flags.noProbes) {
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
    if (flags.undo) yield* await planAfterUndo(stage, cluster, names, flags);
    if (last) yield* own;
  }
}

/** What the other nodes would have to do about those that are taken back. */
async function planAfterUndo(
  stage: Stage,
  cluster: Cluster,
  names: readonly string[],
  { timeout_ms }: Flags,
): Promise<StagePlan[]> {
  const planned = (stage.afterUndo?.(cluster, names) ?? []).map(
    async ({ on, step }) => {
      const node = nodeOf(cluster, on);
      return await hasWork(node, step, { timeout_ms })
        ? [{ stage: stage.name, node, steps: [step] }]
        : [];
    },
  );
  return (await Promise.all(planned)).flat();
}

/** Prints plans one by one: as a script, or as the elements of a list in JSON. */
function shower(
  cluster: Cluster,
  stages: readonly Stage[],
  flags: Flags,
): { one: (planned: StagePlan) => void; end: () => void } {
  const json = flags.output === "json";
  let first = true;
  const say = (text: string) => {
    if (json) console.log(`${first ? "[\n" : ",\n"}${text}`);
    else console.log(`${first ? "" : "\n"}${text}`);
    first = false;
  };
  return {
    one({ stage, ...rest }) {
      if (rest.steps.length === 0 && stages.length > 1) return;
      say(
        json
          ? JSON.stringify(asData({ stage, ...rest }), null, 2)
          : script(stage, rest, (name) => nodeOf(cluster, name)).trimEnd(),
      );
    },
    end() {
      if (json) console.log(first ? "[]" : "]");
    },
  };
}

/** What a stage would do on a machine. */
export interface StagePlan extends Planned {
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
    // Of machines that a cloud is still to make, it has nothing to tell.
    const unmade = cluster.provider !== "lab" &&
      names.every((name) => fresh.has(name));
    const known = !unmade &&
      own.every(({ input }) => input === undefined || !fresh.has(input.from));
    const more = { others: otherNodes(cluster), fresh };
    const planned = await planOn(stage, node, own, flags, known, more);
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
  more: {
    readonly others?: Others;
    readonly fresh?: ReadonlySet<string>;
  } = {},
): Promise<Planned> {
  const mind = node.name === "operator" && nodes.length > 0 ? { nodes } : {};
  if (undo) {
    return await planUndo(stage.name, node, steps, { timeout_ms, ...mind });
  }
  const assume = noProbes || !known ? { assume: "absent" as const } : {};
  return await plan(stage.name, node, steps, {
    timeout_ms,
    ...mind,
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
