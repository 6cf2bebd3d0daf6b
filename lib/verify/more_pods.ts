/**
 * Pods of a lab beside the two of stage 09: to be looked at and traced. They
 * are made, remembered and taken away as those are.
 */
import { cmd, CommandError, succeeded } from "../exec/command.ts";
import {
  type AddResult,
  type NetworkList,
  parseAddResult,
  parseList,
  unlessWrong,
} from "../cni/runtime.ts";
import {
  endPod,
  folder,
  paths,
  podNames,
  type PodState,
  type PodStep,
  startPod,
} from "./namespace_pods.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { StepError } from "../stage/errors.ts";
import type { Site } from "./situation.ts";
import type { StepRunner } from "./step_runner.ts";

/** The pods that a worker is to have beside the two of stage 09. */
export function morePodNames(
  { podsPerNode = podNames.length }: Pick<Cluster, "podsPerNode">,
): readonly string[] {
  return Array.from(
    { length: Math.max(0, podsPerNode - podNames.length) },
    (_, at) => `pod-${podNames.length + at + 1}`,
  );
}

/** The pods that were started on a node beside the two of stage 09. */
export async function morePodsOn(
  { runner }: Site,
  { options }: StepRunner,
): Promise<readonly string[]> {
  const { stdout } = await runner.run(cmd`ls ${folder}`, options);
  return stdout.split("\n").flatMap((line) => {
    const [, name] = /^(.+)\.conflist$/.exec(line) ?? [];
    const isTest = podNames.some((one) => one === name);
    return name === undefined || isTest ? [] : [name];
  });
}

/**
 * Starts a pod. What fails half-way is taken away again; where DEL fails as ADD
 * did, say because the plugin is gone, the rest of the pod still goes.
 *
 * @returns what ADD gave it
 * @throws {CommandError} when it cannot be started
 * @throws {StepError} when the node has no network configuration
 */
export async function startOnePod(
  site: Site,
  name: string,
  stepRunner: StepRunner,
): Promise<AddResult> {
  const { runner, survey: { list, runtime } } = site;
  if (list === undefined) {
    throw new StepError(
      `${site.node.name} has no network configuration, so no pod can start ` +
        "there\nwhat to do: run the stages up to 05-plugin first",
    );
  }
  try {
    for (const step of startPod(name, list, runtime)) {
      await stepRunner.do(runner, step);
    }
    const path = paths.result(name);
    const { stdout } = await runner.run(cmd`cat ${path}`, stepRunner.options);
    return parseAddResult(stdout, `${runner.name}:${path}`);
  } catch (error) {
    for (const step of await endingOf(site, name, stepRunner)) {
      await stepRunner.do(runner, step).catch(unlessCommand);
    }
    throw error;
  }
}

/**
 * Takes a pod away, as far as there is one: DEL, then its namespace.
 *
 * @throws {CommandError}
 */
export async function endOnePod(
  site: Site,
  name: string,
  stepRunner: StepRunner,
): Promise<void> {
  for (const step of await endingOf(site, name, stepRunner)) {
    await stepRunner.do(site.runner, step);
  }
}

/** What takes away as much of a pod as is there. */
async function endingOf(
  { runner, survey: { runtime } }: Site,
  name: string,
  { options }: StepRunner,
): Promise<readonly PodStep[]> {
  const read = async (path: string) => {
    const outcome = await runner.run(cmd`cat ${path}`, options);
    return succeeded(outcome) ? outcome.stdout : undefined;
  };
  const [list, result, sandbox] = await Promise.all([
    read(paths.list(name)).then((text) => listIn(text, name)),
    read(paths.result(name)).then((text) => resultIn(text, name)),
    runner.run(cmd`test -e ${paths.sandbox(name)}`, options).then(succeeded),
  ]);
  const state: PodState = {
    is: "ruin",
    why: "it is to go",
    sandbox,
    ...(list === undefined ? {} : { list }),
    ...(result === undefined ? {} : { result }),
  };
  return endPod(name, state, runtime);
}

function unlessCommand(error: unknown): void {
  if (!(error instanceof CommandError)) throw error;
}

function listIn(
  text: string | undefined,
  name: string,
): NetworkList | undefined {
  return text === undefined
    ? undefined
    : unlessWrong(() => parseList(text, paths.list(name)));
}

function resultIn(
  text: string | undefined,
  name: string,
): AddResult | undefined {
  return text === undefined
    ? undefined
    : unlessWrong(() => parseAddResult(text, paths.result(name)));
}
