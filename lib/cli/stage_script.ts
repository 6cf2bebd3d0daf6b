/** A stage as a script of its own. */
import { printData, printNote, printText } from "./print.ts";
import { worst } from "../stage/result.ts";
import { runStage } from "../stage/run_stage.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { lookLine } from "../stage/make_command.ts";
import type { LookedAt } from "../stage/afterwards.ts";
import type { Stage } from "../stage/stage.ts";
import { dryRun } from "./dry_run.ts";
import { exitCode } from "./exit_code.ts";
import type { CommandLine, FlagsOf } from "./flags.ts";
import { failure, recap, runReport, stepLine } from "./report.ts";
import { runScript } from "./script.ts";
import { openSession, type Session } from "./session.ts";
import { buildFlags, stageFlags } from "./standard_flags.ts";

type StageFlags = FlagsOf<typeof stageFlags>;

/** The cluster that the help's lines are for: `make` takes it where none is named. */
const usual: LookedAt & Pick<Cluster, "file"> = {
  bridge: "cni0",
  clusterCIDRs: ["10.244.0.0/16"],
  routes: "host",
  stateDir: ".state/lab",
  file: "config/lab.yaml",
};

/** A stage as its user sees it; one that builds the plugin takes the plugin's forms. */
export function stageCommand(
  stage: Pick<Stage, "name" | "summary" | "afterwards" | "build">,
): CommandLine<typeof stageFlags> {
  const { name, summary, afterwards, build } = stage;
  const look = afterwards(usual);
  return {
    name,
    summary,
    text: look === undefined
      ? []
      : [`Afterwards:\n  ${lookLine(look, "worker-1", usual)}`],
    examples: [
      [`make ${name} ARGS="--dry-run"`, "shows what a run would do"],
      [`make ${name} ARGS="--node worker-1 --step"`, "one node, step by step"],
      [`make ${name} ARGS="--undo"`, "takes it back"],
    ],
    flags: build === undefined ? stageFlags : { ...stageFlags, ...buildFlags },
  };
}

/** Runs a stage as the command line asks, and ends the process with the exit code. */
export async function main(stage: Stage): Promise<never> {
  return await runScript(stageCommand(stage), (flags) => runOne(stage, flags));
}

async function runOne(stage: Stage, flags: StageFlags): Promise<number> {
  if (flags.dryRun) return await dryRun([stage], flags);
  const json = flags.output === "json";
  let width = 8;
  await using session = await openSession(flags, (result) => {
    const bad = result.problem !== undefined;
    if (bad) printNote(failure(result));
    if (json || (flags.quiet && !bad)) return;
    printText(stepLine(result, width));
    if (!flags.verbose) return;
    printText(`    ${result.why}`);
    if (result.output) printText(`    ${result.output}`);
  });
  const { name, nodes } = await session.cluster();
  const order = nodes.map(({ name }) => name);
  width = Math.max(width, ...order.map((name) => name.length));
  await runStage(session, stage);
  const { results } = session;
  if (json) {
    printData(runReport(name, order, results));
  } else if (!flags.quiet && flags.undo && results.length === 0) {
    printText(`${stage.name}: nothing of it is there to take back`);
  } else if (!flags.quiet && results.length > 0) {
    printText(`\n${stage.name}\n${recap(results, order)}`);
    if (!flags.undo && worst(results) === "done") {
      await conclude(session, stage);
    }
  }
  return session.interrupted()
    ? exitCode.interrupted
    : exitCode[worst(results)];
}

/** What there is to say, and to look at, once all went well. */
async function conclude(session: Session, stage: Stage): Promise<void> {
  const { timeout_ms, signal } = session.context;
  const cluster = await session.cluster();
  const { nodeOf } = session.reach(cluster);
  const names = session.selected(cluster);
  const options = { timeout_ms, signal };
  const said = await stage.followUp?.report(cluster, nodeOf, options, names);
  if (said) printText(said);
  const look = stage.afterwards(cluster);
  if (look === undefined) return;
  const node =
    cluster.nodes.find(({ name, role }) =>
      role === "worker" && names.includes(name)
    )?.name ?? names[0];
  if (node === undefined) return;
  printText(`Look at it: ${lookLine(look, node, cluster)}`);
}
