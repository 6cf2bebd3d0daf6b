/**
 * One run of a script on a cluster: the cluster as it is known, a lock against
 * a second run, Ctrl-C, and where results go.
 */
import { printNote } from "./print.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { loadCluster } from "../cluster/load.ts";
import { paste } from "../exec/command.ts";
import type { RunContext, StageRun, StepChoice } from "../stage/context.ts";
import type { ConsentRequest } from "../stage/consent.ts";
import type { Step } from "../stage/stage.ts";
import { StepError } from "../stage/errors.ts";
import type { StepResult } from "../stage/result.ts";
import { otherFile, rememberFile } from "./made_with.ts";
import { reachOf } from "./connect.ts";
import { type Interruption, listenForInterruption } from "./interruption.ts";
import { lock, type LockName } from "./lock.ts";
import { formOf } from "./standard_flags.ts";
import { noSuchNode, UsageError } from "./usage_error.ts";

/** What a run takes of a command's flags; a flag that the command does not declare is off. */
export interface RunFlags {
  readonly cluster: string;
  readonly timeout_ms?: number;
  readonly nodes?: readonly string[];
  readonly dryRun?: boolean;
  readonly step?: boolean;
  readonly undo?: boolean;
  readonly yes?: boolean;
  readonly quiet?: boolean;
  readonly portable?: boolean;
  readonly compiled?: boolean;
}

/** A run under way. */
export interface Session extends StageRun, AsyncDisposable {
  readonly flags: RunFlags;
  /** Whether the user asked to end. */
  interrupted(): boolean;
  readonly answer: Interruption["answer"];
}

/** What a run does to a cluster. A trace listens on the nodes while it lasts. */
type Access = "changes" | "traces" | "reads";

const lockOf: Readonly<Record<Access, LockName | undefined>> = {
  changes: "lock",
  traces: "trace.lock",
  reads: undefined,
};

/**
 * Begins a run.
 *
 * @param tell told of each result at once
 * @param access what it does to the cluster: one that only reads takes no lock
 * @throws {ClusterFileError | UsageError | StepError}
 */
export async function openSession(
  flags: RunFlags,
  tell: (result: StepResult) => void,
  access: Access = flags.dryRun ? "reads" : "changes",
): Promise<Session> {
  const { nodes = [], undo = false } = flags;
  if (flags.step && !flags.yes && !Deno.stdin.isTerminal()) {
    throw new UsageError(
      "--step waits for Enter and needs a terminal; give -y to go through " +
        "without waiting",
    );
  }
  // What was found out earlier is read where it is needed: `down` must not stop at it.
  const first = await loadCluster(flags.cluster, { ignoreFound: true });
  checkNames(first, nodes);
  const which = lockOf[access];
  const unlock = which === undefined ? undefined : await lock(first, which);
  const note = await otherFile(first);
  if (note !== undefined && !flags.quiet) printNote(note);
  if (access === "changes" && !undo) await rememberFile(first);
  const results: StepResult[] = [];
  const interruption = listenForInterruption();
  return {
    flags,
    undo,
    nodes,
    form: formOf(flags),
    reach: reachOf,
    results,
    context: contextOf(flags, interruption, (result) => {
      results.push(result);
      tell(result);
    }),
    // What is taken back was made by the journals, whatever the file says now.
    cluster: () => loadCluster(flags.cluster, { dropUnfit: undo }),
    selected: (cluster) =>
      cluster.nodes.map(({ name }) => name)
        .filter((name) => nodes.length === 0 || nodes.includes(name)),
    interrupted: interruption.stopping,
    answer: interruption.answer,
    [Symbol.asyncDispose]() {
      interruption[Symbol.dispose]();
      unlock?.();
      return Promise.resolve();
    },
  };
}

function contextOf(
  flags: RunFlags,
  interruption: Interruption,
  tell: RunContext["tell"],
): RunContext {
  const { timeout_ms = 30_000, yes = false, quiet = false } = flags;
  const { signal, stopping, stop, answer } = interruption;
  const progress = (line: string) => printNote(line);
  let all = yes;
  const ask = async (node: string, step: Step): Promise<StepChoice> => {
    const said = await askStep(node, step, all, answer);
    if (said === "all") all = true;
    if (said === "stop") stop();
    return said === "all" ? "run" : said;
  };
  return {
    timeout_ms,
    signal,
    stopping,
    tell,
    ...(quiet ? {} : { progress }),
    // What depends on how fast a machine is, is for a person's eyes alone.
    ...(quiet || !Deno.stderr.isTerminal() ? {} : { announce: progress }),
    ...(flags.step ? { ask } : {}),
    consent: (request) => askConsent(request, yes, quiet, answer),
  };
}

function checkNames(cluster: Cluster, wanted: readonly string[]): void {
  const names = cluster.nodes.map(({ name }) => name);
  const wrong = wanted.find((name) => !names.includes(name));
  if (wrong !== undefined) throw noSuchNode(wrong, names, cluster);
}

async function askStep(
  node: string,
  { why, run }: Step,
  goesOn: boolean,
  answer: Session["answer"],
): Promise<StepChoice | "all"> {
  const command = "copy" in run ? `copy ${run.copy} to ${run.to}` : paste(run);
  printNote(`\n${node}: ${why}\n  $ ${command}`);
  if (goesOn) return "run";
  const said = await answer(
    "Enter runs it, s skips it, a runs all the rest, q ends here: ",
  );
  switch (said) {
    case "":
    case "y":
      return "run";
    case "s":
      return "skip";
    case "a":
      return "all";
    default:
      return "stop";
  }
}

/** @throws {StepError} when there is neither -y nor a terminal */
async function askConsent(
  { what, preview, commands }: ConsentRequest,
  yes: boolean,
  quiet: boolean,
  answer: Session["answer"],
): Promise<boolean> {
  if (!yes && !Deno.stdin.isTerminal()) {
    throw new StepError(
      `refused: this would ${what}, and there is no terminal to ask at\n` +
        "what to do: look at it with --dry-run, then say yes with -y",
    );
  }
  if (!yes || !quiet) {
    if (preview !== undefined) printNote(preview.trim());
    const lines = commands.map((line) => `  $ ${line}`).join("\n");
    printNote(`\nThis will ${what}:\n${lines}`);
  }
  return yes || await answer("Type yes to go on: ") === "yes";
}
