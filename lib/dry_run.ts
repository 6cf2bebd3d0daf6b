/** `--dry-run`: the commands of stages, as a script or as data. */
import { splitClusterCIDR } from "./cidr.ts";
import { exitCode, type Flags } from "./cli.ts";
import type { Cluster } from "./cluster.ts";
import type { Node } from "./node.ts";
import { plan, type Planned, planUndo } from "./plan.ts";
import { script } from "./report.ts";
import { stepsFor } from "./run_stage.ts";
import { openSession } from "./session.ts";
import { operatorSteps } from "./stage.ts";
import type { Stage, Step } from "./step.ts";
import { nodeOf, operatorNode } from "./transport.ts";

/**
 * Prints the commands of these stages as a script.
 *
 * A node that an earlier stage of the same dry run would make cannot be asked
 * yet; its steps are planned as on a new machine.
 */
export async function dryRun(
  stages: readonly Stage[],
  flags: Flags,
): Promise<number> {
  await using session = await openSession(flags, () => {});
  const known = await session.cluster();
  const cluster = withExpectedPodCIDRs(known);
  const printed: { stage: string; planned: Planned }[] = [];
  const about = flags.nodes.length === 0 ? {} : { about: flags.nodes };
  const fresh = new Set<string>();
  const planOne = async (stage: Stage, node: Node, steps: readonly Step[]) => {
    const options = {
      timeout_ms: flags.timeout_ms,
      ...(node.name === "operator" ? about : {}),
    };
    if (flags.undo) return await planUndo(stage.name, node, steps, options);
    const assume = flags.noProbes || fresh.has(node.name)
      ? { assume: "absent" as const }
      : {};
    return await plan(stage.name, node, steps, { ...options, ...assume });
  };
  const names = session.selected(cluster);
  for (const stage of stages) {
    const own = operatorSteps(stage, cluster, names);
    if (own.length > 0 || stage.operatorSteps !== undefined) {
      const planned = await planOne(stage, operatorNode(cluster), own);
      if (planned.steps.length > 0 || stages.length === 1) {
        printed.push({ stage: stage.name, planned });
      }
      if (stage.name === "01-provision") {
        const made = new Set(planned.steps);
        for (const step of own) {
          if (made.has(step) && step.about !== undefined) fresh.add(step.about);
        }
      }
    }
    if (stage.steps === undefined) continue;
    const pluginFiles = flags.undo ? undefined : await stage.build?.peek();
    const plannedNodes = await Promise.all(names.map((name) =>
      planOne(
        stage,
        nodeOf(cluster, name),
        stepsFor(stage, cluster, name, pluginFiles),
      )
    ));
    if (stage.build !== undefined && !flags.undo) {
      console.log(
        `# ${stage.name}: ${stage.build.why}\n${
          stage.build.byHand.argv.join(" ")
        }\n`,
      );
    }
    for (const planned of plannedNodes) {
      printed.push({ stage: stage.name, planned });
    }
  }
  if (flags.output === "json") {
    console.log(JSON.stringify(
      printed.map(({ stage, planned }) => ({
        stage,
        node: planned.node.name,
        steps: planned.steps.map(({ why, run }) => ({ why, run })),
      })),
      null,
      2,
    ));
  } else {
    for (const { stage, planned } of printed) {
      console.log(script(stage, planned));
    }
  }
  return exitCode.done;
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
