/** `--dry-run`: the commands of stages, as a script or as data. */
import { printableJSON } from "../text/printable.ts";
import { printLines, printText } from "./print.ts";
import { exitCode } from "./exit_code.ts";
import type { Reach } from "../node/node.ts";
import { script } from "../stage/plan_script.ts";
import {
  plans,
  type StagePlan,
  withExpectedPodCIDRs,
} from "../stage/plan_stages.ts";
import type { Stage } from "../stage/stage.ts";
import { openSession, type RunFlags } from "./session.ts";

/** What a dry run takes of the flags. */
type DryRunFlags = RunFlags & {
  readonly noProbes: boolean;
  readonly output: "table" | "json";
};

/**
 * Prints the commands of these stages.
 *
 * A node that an earlier stage of the same dry run would make cannot be asked
 * yet; its steps are planned as on a new machine. Where no node is asked, each
 * node's commands are printed as they are planned: a thousand nodes have a
 * million routes.
 *
 * @throws what plans() and openSession() do
 */
export async function dryRun(
  stages: readonly Stage[],
  flags: DryRunFlags,
): Promise<number> {
  await using session = await openSession(flags, () => {});
  const cluster = withExpectedPodCIDRs(await session.cluster());
  const show = shower(stages, session.reach(cluster), flags);
  const withheld: StagePlan[] = [];
  for await (
    const planned of plans(
      session,
      stages,
      cluster,
      flags.noProbes,
    )
  ) {
    // A run that would refuse something has no half of a script to show.
    if (flags.noProbes) show.one(planned);
    else withheld.push(planned);
  }
  withheld.forEach(show.one);
  show.end();
  return exitCode.done;
}

/** Prints plans one by one: as a script, or as the elements of a list in JSON. */
function shower(
  stages: readonly Stage[],
  { nodeOf }: Reach,
  flags: DryRunFlags,
): { one: (planned: StagePlan) => void; end: () => void } {
  const json = flags.output === "json";
  let first = true;
  return {
    one({ stage, ...rest }) {
      if (rest.steps.length === 0 && stages.length > 1) return;
      if (json) {
        const text = printableJSON(asData({ stage, ...rest }));
        printText(`${first ? "[\n" : ",\n"}${text}`);
      } else {
        const pieces = script(stage, rest, nodeOf);
        printLines(first ? pieces : ["\n"].concat(pieces));
      }
      first = false;
    },
    end() {
      if (json) printText(first ? "[]" : "]");
    },
  };
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
