/** Status: the nodes, and how each stage stands on them, by what the nodes say now. */
import type { Others } from "../stage/context.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type RunOptions, show } from "../exec/command.ts";
import { withExpectedPodCIDRs } from "../stage/plan_stages.ts";
import { inventory } from "../inventory/inventory.ts";
import { type Journal, readJournal } from "../stage/journal.ts";
import { type Node, type Reach, UnreachableError } from "../node/node.ts";
import { noLonger } from "../stage/plan_node.ts";
import { otherNodes, stepsFor } from "../stage/run_stage.ts";
import { operatorSteps } from "../stage/engine.ts";
import {
  answered,
  byMachine,
  lookAt,
  type StageOn,
  type StagePart,
  unreachableStage,
} from "./stage_state.ts";
import type { PluginFile, Stage, StageName, Step } from "../stage/stage.ts";
import { askAll } from "../node/batch.ts";
import { JournalError } from "../stage/errors.ts";
import { kubernetesLines } from "../kubernetes/remarks.ts";
import { makeLine } from "../cluster/make_line.ts";
import { type NodeStatus, nodeStatus } from "./node_status.ts";

/** The cluster at one moment; the data of `-o json`. */
export interface StatusReport {
  readonly version: 1;
  readonly cluster: string;
  /** When it was read, as ISO 8601 has it. */
  readonly at: string;
  readonly nodes: readonly NodeStatus[];
  readonly stages: readonly StageStatus[];
  /** What Kubernetes has and the file has not, or otherwise: a sentence each. */
  readonly strangers?: readonly string[];
}

/** A stage, and how it stands on each machine that it has something to do with. */
export interface StageStatus {
  readonly name: StageName;
  readonly summary: string;
  readonly on: readonly StageOn[];
}

/**
 * Asks every machine; changes nothing.
 *
 * @param stages all but 09, in their order
 * @throws {CommandError}
 */
export async function clusterStatus(
  found: Cluster,
  reach: Reach,
  stages: readonly Stage[],
  options: RunOptions,
): Promise<StatusReport> {
  const cluster = withExpectedPodCIDRs(found);
  const files = await filesOf(stages);
  const { nodeOf } = reach;
  const [{ at, nodes }, strangers, operator, ...onNodes] = await Promise.all([
    inventory(cluster, { ...reach, outside: undefined }, options),
    kubernetesLines(found, nodeOf, options),
    lookAtOperator(cluster, stages, reach, options),
    ...cluster.nodes.map(({ name }) =>
      lookAtNode(nodeOf(name), cluster, stages, files, reach, options)
    ),
  ]);
  return {
    version: 1,
    cluster: cluster.name,
    at,
    nodes: nodes.map((node, at) => nodeStatus(node, found, found.nodes[at])),
    ...(strangers.length === 0 ? {} : { strangers }),
    stages: stages.map(({ name, summary }) => ({
      name,
      summary,
      on: byMachine(
        [operator, ...onNodes].flat().filter(({ stage }) => stage === name)
          .map(({ stage: _, ...on }): StageOn => on),
      ),
    })),
  };
}

/** A stage on a machine, with the stage's name. */
interface OnStage extends StageOn {
  readonly stage: StageName;
}

type Files = ReadonlyMap<StageName, readonly PluginFile[]>;

/** What the stages that build something would install. */
async function filesOf(stages: readonly Stage[]): Promise<Files> {
  const files = new Map<StageName, readonly PluginFile[]>();
  for (const { name, build } of stages) {
    if (build !== undefined) files.set(name, await build.peek());
  }
  return files;
}

async function lookAtNode(
  node: Node,
  cluster: Cluster,
  stages: readonly Stage[],
  files: Files,
  reach: Reach,
  options: RunOptions,
): Promise<readonly OnStage[]> {
  const all = stages.map((stage) => ({
    stage: stage.name,
    steps: stepsFor(stage, cluster, node.name, files.get(stage.name)),
  }));
  return await lookAtAll(node, all, otherNodes(reach), options);
}

/** A stage's steps on a machine. */
interface StageSteps {
  readonly stage: StageName;
  readonly steps: readonly Step[];
}

/**
 * Where a machine does not answer, or its journal is damaged, it is unknown
 * how a stage stands.
 */
async function lookAtAll(
  node: Node,
  all: readonly StageSteps[],
  others: Others,
  options: RunOptions,
): Promise<readonly OnStage[]> {
  try {
    return await askAtOnce(node, all, others, options);
  } catch (error) {
    const why = error instanceof UnreachableError
      ? error.reason
      : error instanceof JournalError
      ? error.message
      : undefined;
    if (why === undefined) throw error;
    return all.filter(({ steps }) => steps.length > 0).map(({ stage }) => (
      { stage, ...unreachableStage(node.name, why) }
    ));
  }
}

/** All probes of a machine are asked in one go. */
async function askAtOnce(
  node: Node,
  all: readonly StageSteps[],
  others: Others,
  options: RunOptions,
): Promise<readonly OnStage[]> {
  const asks = all.flatMap(({ steps }) => steps)
    .flatMap(({ doneWhen }) => doneWhen?.ask ?? []);
  // Several steps ask the same.
  const once = new Map(asks.map((ask) => [show(ask), ask]));
  const questions = [...once.values()]
    .map((command) => ({ where: node.name, command }));
  const [journal, asked] = await Promise.all([
    readJournal(node, options),
    askAll(node, questions, options),
  ]);
  const known = answered(node, asked);
  const parts = all.flatMap((one) => partsOf(node.name, one, journal));
  const found = await Promise.all(parts.map(async (part) => ({
    stage: part.stage,
    ...await lookAt(known, part, journal, others, options),
  })));
  return found.filter(({ is }) => is !== "none");
}

/** What the operator's machine does about a node counts as that node's. */
function partsOf(
  name: string,
  { stage, steps }: StageSteps,
  journal: Journal,
): readonly StagePart[] {
  const names = new Set([name, ...steps.flatMap(({ node }) => node ?? [])]);
  return [...names].map((where): StagePart => ({
    stage,
    where,
    steps: steps.filter(({ node = name }) => node === where),
    noLonger: where === name ? noLonger(stage, journal, steps) : [],
  })).filter(({ steps, noLonger }) => steps.length + noLonger.length > 0);
}

/**
 * What the stages do on the operator's own machine. In a cloud it takes an
 * account and seconds to ask for that: there the dry run is for it.
 */
async function lookAtOperator(
  cluster: Cluster,
  stages: readonly Stage[],
  reach: Reach,
  options: RunOptions,
): Promise<readonly OnStage[]> {
  const names = cluster.nodes.map(({ name }) => name);
  // Where nothing is to be done today, what an earlier run did may have to go.
  const all = stages.filter(({ operator }) => operator !== undefined)
    .map((stage) => ({
      stage: stage.name,
      steps: operatorSteps(stage, cluster, names),
    }));
  const { provider } = cluster;
  if (provider === "aws" || provider === "gcp") {
    return all.filter(({ steps }) => steps.length > 0).map(({ stage }) => ({
      stage,
      ...unreachableStage(
        "operator",
        `the cloud can:\n${makeLine(stage, cluster, { ARGS: ["--dry-run"] })}`,
      ),
    }));
  }
  return await lookAtAll(reach.operator, all, otherNodes(reach), options);
}
