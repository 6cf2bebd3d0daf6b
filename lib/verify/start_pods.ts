/** Starting what stage 09 needs, and taking it away again. */
import { CommandError } from "../exec/command.ts";
import { podsWaitFor } from "./expected.ts";
import { type Node, readNodeFile, type Runner } from "../node/node.ts";
import {
  caller,
  endPod,
  paths,
  type PodName,
  podNames,
  type PodState,
  type PodStep,
  serveNode,
  servePod,
  server,
  startPod,
} from "./namespace_pods.ts";
import {
  type AddResult,
  parseAddResult,
  parseList,
  RuntimeError,
} from "../cni/runtime.ts";
import { endServer, hasLoggedServers, startServer } from "./node_server.ts";
import type { Site, Situation } from "./situation.ts";
import type { StepRunner } from "./step_runner.ts";
import type { Cause } from "../diagnosis/cause.ts";

/** A pod that was started or found: what ADD gave it, or why it is not there. */
export type PodOutcome =
  | { readonly is: "there"; readonly result: AddResult }
  | { readonly is: "failed"; readonly error: CommandError | RuntimeError }
  /** Kubernetes did not get it to run. */
  | { readonly is: "stuck"; readonly cause: Cause };

/** What became of a worker's pods. */
export interface Prepared {
  readonly site: Site;
  readonly pods: Readonly<Record<PodName, PodOutcome>>;
  /** What one should know, a sentence each. */
  readonly remarks: readonly string[];
}

/** Commands for a machine, to run or to print. */
export interface Placed {
  readonly runner: Node;
  readonly steps: readonly PodStep[];
}

/** The workers that can have pods, and shall. */
export function podSites(
  { sites, progress }: Situation,
  selected: readonly string[],
): readonly Site[] {
  return [...sites.values()].filter(({ node }) =>
    node.role === "worker" && selected.includes(node.name) &&
    podsWaitFor(progress, node.name) === undefined
  );
}

/** What starts the servers that end with the check. */
export function checkServers({ cluster, sites }: Situation): Placed[] {
  if (!hasLoggedServers(cluster)) return [];
  return [...sites.values()].map(({ node, runner, survey }) => ({
    runner,
    // One that listens already may be of a check that was cut off.
    steps: [
      ...(survey.serving ? [endServer()] : []),
      startServer(node, cluster),
    ],
  }));
}

/** What starts the missing servers on a lab's nodes and outside. */
export function missingServers(
  { cluster, sites, outside }: Situation,
): Placed[] {
  if (hasLoggedServers(cluster)) return [];
  const idle = [...sites.values()].filter(({ survey }) => !survey.serving);
  const runners = idle.map(({ runner }) => runner);
  if (outside.is === "there" && !outside.serving) runners.push(outside.runner);
  return runners.map((runner) => ({ runner, steps: [serveNode()] }));
}

/**
 * What makes a pod as it should be: nothing where it is already.
 *
 * @throws {RuntimeError} when the node's configuration is none
 */
export function missingOfPod(site: Site, pod: PodName): {
  readonly clear: readonly PodStep[];
  readonly start: readonly PodStep[];
} {
  const { pods, list, runtime } = site.survey;
  const state = pods[pod];
  if (state.is === "running") {
    return { clear: [], start: state.serving ? [] : [servePod(runtime)] };
  }
  if (list === undefined) {
    throw new RuntimeError(
      `${site.node.name} has no network configuration, so no pod can start there; ` +
        "03-cni-config writes it",
    );
  }
  const start = startPod(pod, list, runtime);
  return {
    clear: endPod(pod, state, runtime),
    start: pod === server ? [...start, servePod(runtime)] : start,
  };
}

/** Starts what is missing of a worker's pods. A pod that cannot start is a result, not an error. */
export async function preparePods(
  site: Site,
  stepRunner: StepRunner,
): Promise<Prepared> {
  const remarks: string[] = [];
  const [shell, web] = await stepRunner.each(podNames, async (pod) => {
    const state = site.survey.pods[pod];
    if (state.is === "ruin") {
      remarks.push(
        `Pod ${pod} on ${site.node.name} was started anew: ${state.why}`,
      );
    }
    return await preparePod(site, pod, stepRunner);
  });
  if (shell === undefined || web === undefined) {
    throw new TypeError("expected a result of each of the two pods");
  }
  return { site, pods: { [caller]: shell, [server]: web }, remarks };
}

async function preparePod(
  site: Site,
  pod: PodName,
  stepRunner: StepRunner,
): Promise<PodOutcome> {
  const { runner, survey } = site;
  const state = survey.pods[pod];
  try {
    const { clear, start } = missingOfPod(site, pod);
    await clearAway(clear, runner, stepRunner);
    await stepRunner.doAll(runner, start);
    if (state.is === "running") return { is: "there", result: state.result };
    const path = paths.result(pod);
    const text = await readNodeFile(runner, path, stepRunner.options);
    const result = parseAddResult(text ?? "", `${runner.name}:${path}`);
    return { is: "there", result };
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof RuntimeError)) {
      throw error;
    }
    if (state.is !== "running") await clearFailed(site, pod, stepRunner);
    return { is: "failed", error };
  }
}

/** What failed half-way goes, as a runtime does it: DEL, then the sandbox. */
async function clearFailed(
  { runner, survey }: Site,
  pod: PodName,
  stepRunner: StepRunner,
): Promise<void> {
  const { list } = survey;
  if (list === undefined) return;
  const ruin: PodState = {
    is: "ruin",
    why: "its start failed",
    sandbox: true,
    ...listOrNothing(list),
  };
  await clearAway(endPod(pod, ruin, survey.runtime), runner, stepRunner);
}

function listOrNothing(
  list: { readonly text: string; readonly path: string },
): Pick<PodState & { is: "ruin" }, "list"> {
  try {
    return { list: parseList(list.text, list.path) };
  } catch (error) {
    if (error instanceof RuntimeError) return {};
    throw error;
  }
}

/**
 * Takes away what may be half there already: a command that fails does not keep
 * the next from running.
 */
async function clearAway(
  steps: readonly PodStep[],
  runner: Runner,
  stepRunner: StepRunner,
): Promise<void> {
  for (const step of steps) {
    try {
      await stepRunner.do(runner, step);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
    }
  }
}
