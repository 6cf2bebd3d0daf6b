/** One run of the agent: stages 03 to 08 on its own machine, by the engine that the scripts use. */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { birdPackage } from "../bgp/bird_package.ts";
import { CommandError } from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import { UnreachableError } from "../node/node.ts";
import { apply } from "../stage/engine.ts";
import type { RunContext } from "../stage/context.ts";
import { insteadFor } from "../stage/instead.ts";
import { JournalError } from "../stage/errors.ts";
import { type Journal, readJournal } from "../stage/journal.ts";
import { stepKey } from "../stage/node_run.ts";
import { label, type StepResult } from "../stage/result.ts";
import { stepsFor } from "../stage/run_stage.ts";
import { thereAlready } from "./there_already.ts";
import type { PluginFile, Stage, StageName, Step } from "../stage/stage.ts";

/** What a run is given. */
interface RunInput {
  readonly node: Node;
  readonly cluster: Cluster;
  readonly own: ClusterNode;
  readonly stages: readonly Stage[];
  readonly pluginFiles: readonly PluginFile[];
  readonly timeout_ms: number;
  readonly signal: AbortSignal;
  readonly stopping: () => boolean;
  /** Gives what the stages take from the operator's machine; left out, the node itself. */
  readonly operator?: Node;
}

/** What a run did. */
export interface AgentRun {
  /** What it had to do for the first time. */
  readonly made: readonly StepResult[];
  /** What had been done before, and was missing. */
  readonly repaired: readonly StepResult[];
  /** What went wrong or was refused. */
  readonly failed: readonly StepResult[];
}

/**
 * The stages in the agent's order: the runtime calls a node ready when it finds
 * the configuration of stage 03, so that comes last.
 */
const lastStage: StageName = "03-cni-config";

/** Without these, what stage 03 writes would lead nowhere. */
const neededStages: readonly StageName[] = ["04-bridge", "05-plugin"];

/** Applies all stages; a failure keeps those from running that need the stage alone. */
export async function reconcile(input: RunInput): Promise<AgentRun> {
  const { node, cluster, own, stages, pluginFiles, stopping } = input;
  const made: StepResult[] = [];
  const repaired: StepResult[] = [];
  const failed: StepResult[] = [];
  const options = { timeout_ms: input.timeout_ms, signal: input.signal };
  const before = await journalOf(node, options);
  const ordered = [
    ...stages.filter(({ name }) => name !== lastStage),
    ...stages.filter(({ name }) => name === lastStage),
  ];
  for (const stage of ordered) {
    if (stopping()) break;
    const lacks = failed.some((result) => neededStages.includes(result.stage));
    if (stage.name === lastStage && lacks) break;
    const steps = stepsFor(stage, cluster, own.name, pluginFiles)
      .map(withoutInstalling);
    const known = stage.name === "08-routes"
      ? { known: await thereAlready(node, cluster, options) }
      : {};
    const context: RunContext = {
      ...options,
      ...known,
      stopping,
      keepGoing: true,
      // The files that the stages read there lie on each node, at the same place.
      others: {
        node: () => input.operator ?? node,
        ended: () => Promise.resolve(true),
      },
      tell: () => {},
      consent: () => Promise.resolve(true),
    };
    const instead = insteadFor(stage, cluster, own.name);
    const results = await apply(stage.name, node, steps, context, instead);
    const wasThere = doneBefore(before, stage.name, steps);
    for (const result of results) {
      if (result.status === "changed") {
        (wasThere.has(result.command) ? repaired : made).push(result);
      } else if (result.status !== "ok") failed.push(result);
    }
  }
  return { made, repaired, failed };
}

/**
 * Packages are for the owner of a machine to install; the agent's container has no
 * right to, either.
 */
function withoutInstalling(step: Step): Step {
  const { key, doneWhen } = step;
  if (key !== birdPackage || doneWhen === undefined) return step;
  return {
    ...step,
    doneWhen: {
      ...doneWhen,
      read(outcome, input) {
        const answer = doneWhen.read(outcome, input);
        return answer.is !== "absent" ? answer : {
          is: "different",
          found:
            "bird is not installed on this machine, and routes: bgp needs it",
          remedy: "apt-get install bird2; the agent then goes on by itself",
        };
      },
    },
  };
}

async function journalOf(
  node: Node,
  options: { timeout_ms: number; signal: AbortSignal },
): Promise<Journal | undefined> {
  try {
    return await readJournal(node, options);
  } catch (error) {
    // The engine tells of it.
    const isTold = error instanceof JournalError ||
      error instanceof UnreachableError || error instanceof CommandError;
    if (isTold) return undefined;
    throw error;
  }
}

/** The commands, as a result names them, of what the journal calls done. */
function doneBefore(
  journal: Journal | undefined,
  stage: StageName,
  steps: readonly Step[],
): ReadonlySet<string> {
  const done = new Set(
    (journal?.records ?? []).flatMap((record) =>
      record.stage === stage && record.state === "done" ? [record.step] : []
    ),
  );
  return new Set(
    steps.filter((step) => done.has(stepKey(step)))
      .map(({ run }) => label(run)),
  );
}
