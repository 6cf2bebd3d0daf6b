/** The pods of a lab's workers beside the two of stage 09, as podsPerNode asks for them. */
import { CommandError } from "../exec/command.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { isRunning } from "../lab/lab.ts";
import { undoVerify } from "../verify/run_verify.ts";
import { describe } from "../stage/result.ts";
import {
  endOnePod,
  morePodNames,
  morePodsOn,
  startOnePod,
} from "../verify/more_pods.ts";
import { look, type Site } from "../verify/situation.ts";
import { podSites } from "../verify/start_pods.ts";
import { type StepRunner, stepRunnerFor } from "../verify/step_runner.ts";
import type { Stage } from "../stage/stage.ts";
import { adopting } from "../verify/adopting.ts";
import type { Session } from "./session.ts";

/**
 * Starts those that are missing on the workers of this run, as far as these can
 * be reached.
 *
 * @param probed the stages whose probes tell what is there without a journal
 * @returns whether all of them are there; what failed has been told
 */
export async function startMorePods(
  session: Session,
  probed: readonly Stage[],
): Promise<boolean> {
  const cluster = await session.cluster();
  const wanted = morePodNames(cluster);
  if (wanted.length === 0) return true;
  const { context } = session;
  const found = await look(
    cluster,
    session.reach(cluster),
    context,
    undefined,
    { mayLack: true },
  );
  const situation = await adopting(found, probed, context);
  const sites = podSites(situation, session.selected(cluster));
  return await onEach(session, cluster, sites, async (site, stepRunner) => {
    const there = await morePodsOn(site, stepRunner);
    for (const name of wanted.filter((name) => !there.includes(name))) {
      await startOnePod(site, name, stepRunner);
    }
  });
}

/**
 * Takes away all that stage 09 and `make pod` started.
 *
 * @param withCluster as undoVerify() has it
 * @returns whether all of it went; what failed has been told
 */
export async function endAllPods(
  session: Session,
  withCluster = false,
): Promise<boolean> {
  const cluster = await session.cluster();
  // With its machines, all that ran in a lab is gone.
  if (cluster.provider === "lab" && !isRunning(cluster)) return true;
  return await endMorePods(session, cluster) &&
    await undoVerify(session, withCluster);
}

async function endMorePods(
  session: Session,
  cluster: Cluster,
): Promise<boolean> {
  if (cluster.provider !== "lab") return true;
  const selected = session.selected(cluster);
  const { sites } = await look(
    cluster,
    session.reach(cluster),
    session.context,
    selected,
    { mayLack: true },
  );
  return await onEach(
    session,
    cluster,
    [...sites.values()],
    async (site, stepRunner) => {
      for (const name of await morePodsOn(site, stepRunner)) {
        await endOnePod(site, name, stepRunner);
      }
    },
  );
}

async function onEach(
  { context }: Session,
  cluster: Cluster,
  sites: readonly Site[],
  work: (site: Site, stepRunner: StepRunner) => Promise<void>,
): Promise<boolean> {
  const stepRunner = stepRunnerFor(context, cluster);
  const went = await stepRunner.each(sites, async (site) => {
    try {
      await work(site, stepRunner);
      return true;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      context.tell({
        stage: "09-verify",
        node: site.node.name,
        status: "failed",
        why: error.why,
        command: "",
        problem: describe(error.outcome),
      });
      return false;
    }
  });
  return went.every((all) => all);
}
