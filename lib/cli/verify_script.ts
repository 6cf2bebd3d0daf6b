/** How stage 09 is run as a script: flags in, the matrix out, exit code. */
import {
  printData,
  printLines,
  printList,
  printNote,
  printText,
} from "./print.ts";
import { tellingIfSlow } from "../node/heartbeat.ts";
import {
  dryRunVerify,
  runVerify,
  type Verification,
} from "../verify/run_verify.ts";
import { exitCode } from "./exit_code.ts";
import type { FlagsOf } from "./flags.ts";
import { failure, recap, runReport, stepLine } from "./report.ts";
import { runScript } from "./script.ts";
import { endAllPods, startMorePods } from "./more_pods.ts";
import { openSession, type Session } from "./session.ts";
import { stageCommand } from "./stage_script.ts";
import { type stageFlags, verifyFlags } from "./standard_flags.ts";
import type { Stage } from "../stage/stage.ts";
import { terminalWidth } from "../text/terminal.ts";

/** The exit code of what stage 09 came to. */
export const verifyExitCode = {
  passed: exitCode.done,
  failed: exitCode.failed,
  unreachable: exitCode.unreachable,
  interrupted: exitCode.interrupted,
} as const;

type StageFlags = FlagsOf<typeof stageFlags & typeof verifyFlags>;

/** Runs stage 09 as the command line asks, and ends the process with the exit code. */
export async function verifyMain(verification: Verification): Promise<never> {
  return await runScript(
    verifyCommand(verification.stage),
    (flags) => runWith(flags, verification),
  );
}

/** What stage 09 takes beside what every stage takes. */
function verifyCommand(stage: Stage) {
  const command = stageCommand(stage);
  return { ...command, flags: { ...command.flags, ...verifyFlags } };
}

async function runWith(
  flags: StageFlags,
  verification: Verification,
): Promise<number> {
  const json = flags.output === "json";
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) printNote(failure(result));
    else if (flags.verbose && !json) printText(stepLine(result, 8));
  });
  if (flags.dryRun) {
    const plan = await dryRunVerify(session, verification, flags.noProbes);
    if (json) printList(plan.data());
    else printLines(withNewline(plan.script()));
    return exitCode.done;
  }
  if (flags.undo) return await undo(session, flags);
  const { status, report, text } = await verifyAsAsked(
    session,
    verification,
    flags,
  );
  if (json) printData(report);
  else if (!flags.quiet || status !== "passed") printText(text);
  const more = status === "interrupted" ||
    await startMorePods(session, verification.probed);
  return more ? verifyExitCode[status] : exitCode.failed;
}

function* withNewline(pieces: Iterable<string>): Generator<string> {
  yield* pieces;
  yield "\n";
}

/** Stage 09 on a session, with a word while it takes long. */
export async function verifyAsAsked(
  session: Session,
  verification: Verification,
  { step, keep, all }: Pick<StageFlags, "step" | "keep" | "all">,
): Promise<Awaited<ReturnType<typeof runVerify>>> {
  const from = session.results.length;
  return await tellingIfSlow(
    `09-verify: ${verification.stage.summary}`,
    step ? undefined : session.context.announce,
    runVerify(session, verification, {
      width: terminalWidth(),
      whole: all,
      keep,
    }),
    { soFar: () => `${session.results.length - from} steps so far` },
  );
}

async function undo(session: Session, flags: StageFlags): Promise<number> {
  const { results } = session;
  const went = await endAllPods(session);
  const { name, nodes } = await session.cluster();
  const order = nodes.map(({ name }) => name);
  if (flags.output === "json") {
    printData(runReport(name, order, results));
  } else if (!flags.quiet) {
    printText(
      results.length === 0
        ? "No test pods and no servers: nothing to take away"
        : recap(results, order),
    );
  }
  return went ? exitCode.done : exitCode.failed;
}
