#!/usr/bin/env -S deno run -A
/** All nine stages in their order: `make up`. */
import type { CommandLine, FlagsOf } from "../lib/cli/flags.ts";
import { buildFlags, stageFlags } from "../lib/cli/standard_flags.ts";
import { dryRun } from "../lib/cli/dry_run.ts";
import { runScript } from "../lib/cli/script.ts";
import { runStage, worst } from "../lib/stage/run_stage.ts";
import { failure, recap, runReport, stageLine } from "../lib/cli/report.ts";
import { openSession } from "../lib/cli/session.ts";
import { verification } from "./09-verify.ts";
import { verdictCode } from "../lib/cli/verify_script.ts";
import { endIn, verifyIn } from "../lib/verify/in_session.ts";
import { terminalWidth } from "../lib/text/terminal.ts";
import { stages } from "./stages.ts";
import { exitCode } from "../lib/cli/exit_code.ts";

const command = {
  name: "up",
  summary:
    "run all nine stages in their order, and stop at the first that fails",
  text: ["With --undo: take all of them back, in reverse."],
  flags: { ...stageFlags, ...buildFlags },
} satisfies CommandLine;

async function up(flags: FlagsOf<typeof command.flags>): Promise<number> {
  if (flags.dryRun) {
    const code = await dryRun(
      flags.undo ? stages.toReversed() : stages,
      flags,
    );
    if (flags.output === "table") {
      console.log('# 09-verify: see make 09-verify ARGS="--dry-run"');
    }
    return code;
  }
  const json = flags.output === "json";
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) console.error(failure(result));
  });
  const cluster = await session.cluster();
  const order = cluster.nodes.map(({ name }) => name);
  const finish = (code: number, matrix?: unknown): number => {
    const { results } = session;
    if (json) {
      const report = runReport(cluster.name, order, results);
      console.log(JSON.stringify({ ...report, matrix }, null, 2));
    } else if (!flags.quiet && results.length > 0) {
      console.log(`\n${recap(results, order)}`);
    }
    return session.interrupted() ? exitCode.interrupted : code;
  };
  if (flags.undo) {
    if (!await endIn(session, true)) return finish(exitCode.failed);
  }
  for (const stage of flags.undo ? stages.toReversed() : stages) {
    const results = await runStage(session, stage);
    if (!json && !flags.quiet) {
      console.log(stageLine(stage.name, stage.summary, results));
    }
    const code = exitCode[worst(results)];
    if (code !== exitCode.done || session.interrupted()) return finish(code);
  }
  if (flags.undo) return finish(exitCode.done);
  const { is, report, text } = await verifyIn(
    session,
    verification,
    terminalWidth(),
  );
  if (!json && !flags.quiet) console.log(`09-verify\n\n${text}`);
  return finish(verdictCode[is], report);
}

await runScript(command, up);
