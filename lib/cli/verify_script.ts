/** How stage 09 is run as a script: flags in, the matrix out, exit code. */
import {
  endIn,
  planIn,
  type Verification,
  verifyIn,
} from "../verify/in_session.ts";
import { exitCode } from "./exit_code.ts";
import type { FlagsOf } from "./flags.ts";
import { failure, recap, runReport, stepLine } from "./report.ts";
import { runScript } from "./script.ts";
import { openSession, type Session } from "./session.ts";
import { stageCommand } from "./stage_script.ts";
import type { stageFlags } from "./standard_flags.ts";
import { terminalWidth } from "../text/terminal.ts";

/** The exit code of each verdict. */
export const verdictCode = {
  passed: exitCode.done,
  failed: exitCode.failed,
  interrupted: exitCode.interrupted,
} as const;

type StageFlags = FlagsOf<typeof stageFlags>;

/** Runs stage 09 as the command line asks, and ends the process with the exit code. */
export async function verifyMain(verification: Verification): Promise<never> {
  return await runScript(
    stageCommand(verification.stage),
    (flags) => runVerify(verification, flags),
  );
}

async function runVerify(
  verification: Verification,
  flags: StageFlags,
): Promise<number> {
  const json = flags.output === "json";
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) console.error(failure(result));
    else if (flags.verbose && !json) console.log(stepLine(result, 8));
  });
  if (flags.dryRun) {
    const { text, data } = await planIn(session, verification, flags.noProbes);
    console.log(json ? JSON.stringify(data(), null, 2) : text());
    return exitCode.done;
  }
  if (flags.undo) return await endPods(session, flags);
  const { is, report, text } = await verifyIn(
    session,
    verification,
    terminalWidth(),
  );
  const code = verdictCode[is];
  if (json) console.log(JSON.stringify(report, null, 2));
  else if (!flags.quiet || code !== exitCode.done) console.log(text);
  return code;
}

async function endPods(
  session: Session,
  flags: StageFlags,
): Promise<number> {
  const { results } = session;
  const went = await endIn(session);
  const { name, nodes } = await session.cluster();
  const order = nodes.map(({ name }) => name);
  if (flags.output === "json") {
    console.log(JSON.stringify(runReport(name, order, results), null, 2));
  } else if (!flags.quiet) {
    console.log(
      results.length === 0
        ? "No test pods and no servers: nothing to take away"
        : recap(results, order),
    );
  }
  return went ? exitCode.done : exitCode.failed;
}
