/** Taking away what stage 09 started. */
import { CommandError } from "../exec/command.ts";
import { deletionSteps as kubernetesEndings } from "./kubernetes_pods.ts";
import { endPod, podNames } from "./namespace_pods.ts";
import { endServer } from "./node_server.ts";
import type { Placed } from "./start_pods.ts";
import { about, type StepRunner } from "./step_runner.ts";
import { describe } from "../stage/result.ts";
import type { Situation } from "./situation.ts";
import type { Runner } from "../node/node.ts";
import type { RunContext } from "../stage/context.ts";

/**
 * What takes everything of stage 09 away on these nodes.
 *
 * @param withOutside whether the outside host's server goes too: nothing at all is to stay
 */
export function cleanupSteps(
  { sites, outside, kubernetes }: Situation,
  selected: readonly string[],
  withOutside: boolean,
): Placed[] {
  const ofKubernetes: Placed[] = kubernetes === undefined ? [] : [{
    runner: kubernetes.controlPlane,
    steps: kubernetesEndings(kubernetes.seen, selected, withOutside),
  }];
  const ofNodes: Placed[] = [...sites.values()]
    .filter(({ node }) => selected.includes(node.name))
    .map(({ runner, survey }) => ({
      runner,
      steps: [
        ...podNames.flatMap((pod) =>
          endPod(pod, survey.pods[pod], survey.runtime)
        ),
        ...(survey.serving ? [endServer()] : []),
      ],
    }));
  const placed = [...ofKubernetes, ...ofNodes];
  if (withOutside && outside.is === "there" && outside.serving) {
    placed.push({ runner: outside.runner, steps: [endServer()] });
  }
  return placed;
}

/**
 * Takes everything away, on each machine up to the first command that fails.
 *
 * @param explain what else there is to say of a machine on which one failed, in whole lines
 * @returns whether all of it went
 * @throws {StepError} when the user wants no more
 */
export async function cleanUp(
  placed: readonly Placed[],
  stepRunner: StepRunner,
  tell: RunContext["tell"],
  explain: (runner: Runner) => Promise<string> = () => Promise.resolve(""),
): Promise<boolean> {
  const went = await stepRunner.each(placed, async ({ runner, steps }) => {
    for (const step of steps) {
      try {
        await stepRunner.do(runner, step);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        tell({
          ...about(runner, step),
          status: "failed",
          problem: `${describe(error.outcome)}\n${await explain(runner)}` +
            "what to do: mend the cause, then run 09-verify --undo again",
        });
        return false;
      }
    }
    return true;
  });
  return went.every((all) => all);
}
