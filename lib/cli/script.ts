/** How a script runs its stage: flags in, results out, exit code. */
import { EndError } from "../trace/endpoints.ts";
import { type Flags, parseFlags, stageHelp } from "./flags.ts";
import { ClusterFileError } from "../cluster/yaml.ts";
import { CommandError } from "../exec/command.ts";
import { dryRun } from "./dry_run.ts";
import { UnreachableError } from "../node/node.ts";
import { failure, recap, runReport, stepLine } from "./report.ts";
import { describe } from "../stage/result.ts";
import { runStage, worst } from "../stage/run_stage.ts";
import { BusyError, openSession } from "./session.ts";
import type { Stage } from "../stage/stage.ts";
import { exitCode } from "./exit_code.ts";
import { UsageError } from "./usage_error.ts";
import { JournalError, StepError } from "../stage/errors.ts";

/** Runs a stage as the command line asks, and ends the process with the exit code. */
export async function main(stage: Stage): Promise<never> {
  return await runScript(stageHelp(stage), (flags) => runOne(stage, flags));
}

/**
 * Reads the flags, runs the body, and ends the process: with the body's exit
 * code, or with the one that its error stands for.
 *
 * @param takesWords whether there may be more than flags
 */
export async function runScript(
  help: string,
  body: (flags: Flags) => Promise<number>,
  takesWords = false,
): Promise<never> {
  try {
    const flags = parseFlags(Deno.args, Deno.env.toObject(), takesWords);
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

function explain(error: unknown): [code: number, message: string] {
  if (
    error instanceof UsageError || error instanceof ClusterFileError ||
    error instanceof EndError
  ) {
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
    if (!flags.undo && worst(results) === "done") {
      const { context } = session;
      const said = await stage.followUp?.report(
        await session.cluster(),
        session.reach(cluster).nodeOf,
        { timeout_ms: context.timeout_ms, signal: context.signal },
      );
      if (said) console.log(said);
      console.log(`Look at it: ${stage.afterwards}`);
    }
  }
  return session.interrupted()
    ? exitCode.interrupted
    : exitCode[worst(results)];
}
