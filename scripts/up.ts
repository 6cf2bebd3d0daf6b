#!/usr/bin/env -S deno run -A
/** All nine stages in their order: `make up`. */
import { printData, printNote, printText } from "../lib/cli/print.ts";
import type { CommandLine, FlagsOf } from "../lib/cli/flags.ts";
import {
  buildFlags,
  stageFlags,
  verifyFlags,
} from "../lib/cli/standard_flags.ts";
import { dryRun } from "../lib/cli/dry_run.ts";
import { runScript } from "../lib/cli/script.ts";
import { worst } from "../lib/stage/result.ts";
import { runStage } from "../lib/stage/run_stage.ts";
import { agreeToUndo } from "../lib/stage/undo_consent.ts";
import { failure, recap, runReport, stageLine } from "../lib/cli/report.ts";
import { openSession } from "../lib/cli/session.ts";
import { verification } from "./09-verify.ts";
import { endAllPods, startMorePods } from "../lib/cli/more_pods.ts";
import { verifyAsAsked, verifyExitCode } from "../lib/cli/verify_script.ts";
import { kubeconfigWords } from "../lib/kubernetes/readiness.ts";
import { usesKubeadm } from "../lib/kubernetes/kubeconfig.ts";
import { stages } from "./stages.ts";
import { keptPodCIDRs, loadCluster } from "../lib/cluster/load.ts";
import { makeLine } from "../lib/cluster/make_line.ts";
import { exitCode } from "../lib/cli/exit_code.ts";

const command = {
  name: "up",
  summary:
    "run all nine stages in their order, and stop at the first that fails",
  text: ["With --undo: take all of them back, in reverse."],
  flags: { ...stageFlags, ...buildFlags, ...verifyFlags },
} satisfies CommandLine;

async function up(flags: FlagsOf<typeof command.flags>): Promise<number> {
  if (flags.dryRun) {
    const code = await dryRun(
      flags.undo ? stages.toReversed() : stages,
      flags,
    );
    if (flags.output === "table") {
      const cluster = await loadCluster(flags.cluster, { ignoreFound: true });
      const line = makeLine("09-verify", cluster, { ARGS: ["--dry-run"] });
      printText(`# 09-verify: see ${line}`);
    }
    return code;
  }
  const json = flags.output === "json";
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) printNote(failure(result));
  });
  const cluster = await session.cluster();
  const order = cluster.nodes.map(({ name }) => name);
  const finish = (code: number, matrix?: unknown): number => {
    const { results } = session;
    if (json) {
      const report = runReport(cluster.name, order, results);
      printData({ ...report, matrix });
    } else if (!flags.quiet && results.length > 0) {
      printText(`\n${recap(results, order)}`);
    }
    return session.interrupted() ? exitCode.interrupted : code;
  };
  if (flags.undo) {
    await agreeToUndo(session, stages);
    if (!await endAllPods(session, true)) return finish(exitCode.failed);
  }
  for (const stage of flags.undo ? stages.toReversed() : stages) {
    const results = await runStage(session, stage);
    if (!json && !flags.quiet) {
      printText(stageLine(stage.name, stage.summary, results));
    }
    const code = exitCode[worst(results)];
    if (code !== exitCode.done || session.interrupted()) return finish(code);
  }
  if (flags.undo) return finish(exitCode.done);
  const { status, report, text } = await verifyAsAsked(
    session,
    verification,
    flags,
  );
  if (!json && !flags.quiet) {
    printText(`09-verify\n\n${text}`);
    if (usesKubeadm(cluster)) printText(kubeconfigWords(cluster));
    const kept = await keptPodCIDRs(await session.cluster());
    if (kept !== undefined) printText(kept);
  }
  const more = status === "interrupted" ||
    await startMorePods(session, verification.probed);
  return finish(more ? verifyExitCode[status] : exitCode.failed, report);
}

await runScript(command, up);
