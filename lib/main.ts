/** How a script runs its stage: flags in, results out, exit code. */
import {
  exitCode,
  type Flags,
  flagsHelp,
  parseFlags,
  stageHelp,
  UsageError,
} from "./cli.ts";
import { splitClusterCIDR } from "./cidr.ts";
import { type Cluster, ClusterFileError } from "./cluster.ts";
import { CommandError } from "./command.ts";
import { JournalError } from "./journal.ts";
import { type Node, UnreachableError } from "./node.ts";
import {
  failure,
  recap,
  runReport,
  script,
  stageLine,
  stepLine,
} from "./report.ts";
import { BusyError, openSession, type Session } from "./session.ts";
import { StepError } from "./ask.ts";
import type { Manner } from "./book.ts";
import { plan, type Planned, planUndo } from "./plan.ts";
import { describe, type StepResult } from "./result.ts";
import { apply, operatorSteps, undo } from "./stage.ts";
import type { Plan, PluginFile, Stage, Step } from "./step.ts";
import { nodeOf, operatorNode } from "./transport.ts";

/** Runs a stage as the command line asks, and ends the process with the exit code. */
export async function main(stage: Stage): Promise<never> {
  return await runScript(stageHelp(stage), (flags) => runOne(stage, flags));
}

/**
 * Reads the flags, runs the body, and ends the process: with the body's exit
 * code, or with the one that its error stands for.
 */
export async function runScript(
  help: string,
  body: (flags: Flags) => Promise<number>,
): Promise<never> {
  try {
    const flags = parseFlags(Deno.args, Deno.env.toObject());
    if (flags === "help") {
      console.log(help);
      Deno.exit(exitCode.done);
    }
    if (flags.step && !flags.yes && !Deno.stdin.isTerminal()) {
      throw new UsageError(
        "--step waits for Enter and needs a terminal; give -y to go through without waiting",
      );
    }
    Deno.exit(await body(flags));
  } catch (error) {
    const [code, message] = explain(error);
    console.error(message);
    Deno.exit(code);
  }
}

/** What every script's help says of its flags. */
export { flagsHelp };

function explain(error: unknown): [code: number, message: string] {
  if (error instanceof UsageError || error instanceof ClusterFileError) {
    return [exitCode.usage, error.message];
  }
  if (error instanceof UnreachableError) {
    return [exitCode.unreachable, error.message];
  }
  if (error instanceof CommandError) {
    return [
      exitCode.failed,
      `${error.message}\n  run for: ${error.why}\n  ${
        describe(error.outcome).replaceAll("\n", "\n  ")
      }`,
    ];
  }
  if (
    error instanceof StepError || error instanceof JournalError ||
    error instanceof BusyError
  ) {
    return [exitCode.failed, error.message];
  }
  throw error;
}

async function runOne(stage: Stage, flags: Flags): Promise<number> {
  if (flags.dryRun) return await dryRun([stage], flags);
  const width = { value: 8 };
  const json = flags.output === "json";
  await using session = await openSession(flags, (result) => {
    const bad = result.problem !== undefined;
    if (bad) console.error(failure(result));
    if (json || (flags.quiet && !bad)) return;
    console.log(stepLine(result, width.value));
    if (!flags.verbose) return;
    console.log(`    ${result.why}`);
    if (result.output) console.log(`    ${result.output}`);
  });
  const cluster = await session.cluster();
  const order = cluster.nodes.map(({ name }) => name);
  width.value = Math.max(8, ...order.map((name) => name.length));
  await runStage(session, stage);
  const { results } = session;
  if (json) {
    console.log(
      JSON.stringify(runReport(cluster.name, order, results), null, 2),
    );
  } else if (!flags.quiet && results.length > 0) {
    console.log(`\n${stage.name}\n${recap(results, order)}`);
    if (!flags.undo && worstCode(results) === 0) {
      console.log(`Look at it: ${stage.afterwards}`);
    }
  }
  return session.interrupted() ? exitCode.interrupted : worstCode(results);
}

/**
 * Runs a stage, or takes it back, on the nodes that the flags name.
 *
 * @returns its results, which the session has been told of already
 */
export async function runStage(
  session: Session,
  stage: Stage,
): Promise<readonly StepResult[]> {
  const from = session.results.length;
  if (session.flags.undo) await undoStage(session, stage);
  else await applyStage(session, stage);
  return session.results.slice(from);
}

async function applyStage(session: Session, stage: Stage): Promise<void> {
  const { manner } = session;
  const before = await session.cluster();
  const own = operatorSteps(stage, before, session.selected(before));
  if (own.length > 0) {
    const done = await apply(
      stage.name,
      operatorNode(before),
      own,
      onOperator(session),
    );
    if (worstCode(done) !== 0) return;
  }
  if (manner.stopping() || stage.steps === undefined) return;
  const pluginFiles = await build(session, stage);
  if (pluginFiles === "failed") return;
  const cluster = await session.cluster();
  const lacking = lacksPodCIDRs(stage, cluster);
  if (lacking !== undefined) {
    manner.tell({
      stage: stage.name,
      node: "operator",
      status: "failed",
      why: "know every node's podCIDR",
      command: "",
      problem: lacking,
    });
    return;
  }
  await eachNode(session, cluster, (node, name) =>
    apply(
      stage.name,
      node,
      stepsFor(stage, cluster, name, pluginFiles),
      manner,
    ));
}

async function undoStage(session: Session, stage: Stage): Promise<void> {
  const { manner } = session;
  const cluster = await session.cluster();
  if (stage.steps !== undefined) {
    const taken = await eachNode(
      session,
      cluster,
      (node, name) =>
        undo(stage.name, node, probesFor(stage, cluster, name), manner),
    );
    if (worstCode(taken.flat()) !== 0 || manner.stopping()) return;
  }
  if (stage.operatorSteps === undefined) return;
  const own = operatorSteps(stage, cluster, session.selected(cluster));
  await undo(stage.name, operatorNode(cluster), own, onOperator(session));
}

/** With `--node`, what the operator's machine did about other nodes stays. */
function onOperator({ manner, flags: { nodes } }: Session): Manner {
  return nodes.length === 0 ? manner : { ...manner, about: nodes };
}

/** Nodes side by side, or in turn where the user is asked at each step. */
async function eachNode<T>(
  session: Session,
  cluster: Cluster,
  work: (node: Node, name: string) => Promise<T>,
): Promise<T[]> {
  const names = session.selected(cluster);
  const one = (name: string) => work(nodeOf(cluster, name), name);
  if (session.manner.ask === undefined) {
    return await Promise.all(names.map(one));
  }
  const results: T[] = [];
  for (const name of names) {
    if (session.manner.stopping()) break;
    results.push(await one(name));
  }
  return results;
}

async function build(
  session: Session,
  stage: Stage,
): Promise<readonly PluginFile[] | undefined | "failed"> {
  if (stage.build === undefined) return undefined;
  const { why, byHand, make } = stage.build;
  const common = {
    stage: stage.name,
    node: "operator",
    why,
    command: byHand.argv.join(" "),
  };
  try {
    const { files, changed, line } = await make(session.flags.form);
    session.manner.tell({
      ...common,
      status: changed ? "changed" : "ok",
      output: line,
    });
    return files;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "BuildError") throw error;
    session.manner.tell({
      ...common,
      status: "failed",
      problem: error.message,
    });
    return "failed";
  }
}

function lacksPodCIDRs(stage: Stage, cluster: Cluster): string | undefined {
  if (!stage.needsPodCIDRs) return undefined;
  const names = cluster.nodes.filter(({ podCIDRs }) => podCIDRs.length === 0)
    .map(({ name }) => name);
  return names.length === 0
    ? undefined
    : `no podCIDR is known yet for ${
      names.join(", ")
    }\nwhat to do: run 02-kubeadm, which finds them out`;
}

function stepsFor(
  stage: Stage,
  cluster: Cluster,
  name: string,
  pluginFiles: readonly PluginFile[] | undefined,
): readonly Step[] {
  const node = cluster.nodes.find((node) => node.name === name);
  if (node === undefined) return [];
  const plan: Plan = {
    cluster,
    node,
    ...(pluginFiles === undefined ? {} : { pluginFiles }),
  };
  return stage.steps?.(plan) ?? [];
}

/** Today's steps for their probes; none where they cannot be planned. */
function probesFor(
  stage: Stage,
  cluster: Cluster,
  name: string,
): readonly Step[] {
  if (lacksPodCIDRs(stage, cluster) !== undefined) return [];
  return stepsFor(stage, cluster, name, undefined);
}

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

/** The exit code that the results stand for. */
export function worstCode(results: readonly StepResult[]): number {
  if (results.some(({ status }) => status === "failed")) return exitCode.failed;
  if (results.some(({ status }) => status === "unreachable")) {
    return exitCode.unreachable;
  }
  return exitCode.done;
}

export { stageLine };
