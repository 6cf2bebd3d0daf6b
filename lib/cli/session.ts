/**
 * One run of a script on a cluster: the cluster as it is known, a lock against
 * a second run, Ctrl-C, and where results go.
 */
import type { Flags } from "./flags.ts";
import { type Cluster } from "../cluster/cluster.ts";
import { paste } from "../exec/command.ts";
import type { StepResult } from "../stage/result.ts";
import type { ConsentRequest, Step } from "../stage/stage.ts";
import { UsageError } from "./usage_error.ts";
import type { StageRun } from "../stage/context.ts";
import { reachOf } from "./connect.ts";
import { StepError } from "../stage/errors.ts";
import { loadCluster } from "../cluster/load.ts";

/** A run under way. */
export interface Session extends StageRun, AsyncDisposable {
  readonly flags: Flags;
  /** Whether the user asked to end. */
  interrupted(): boolean;
  /**
   * Asks the user; undefined where the input ends or the user interrupts,
   * which ends the waiting at once.
   */
  answer(question: string): Promise<string | undefined>;
}

/** Another run is at work on the same cluster. */
export class BusyError extends Error {
  override readonly name = "BusyError";
}

/**
 * Begins a run.
 *
 * @param flags what the user asked for
 * @param tell told of each result at once
 * @param reading whether it only reads: then it takes no lock
 * @throws {ClusterFileError | UsageError | BusyError}
 */
export async function openSession(
  flags: Flags,
  tell: (result: StepResult) => void,
  reading = flags.dryRun,
): Promise<Session> {
  // What was found out earlier is read by who needs it: `down` must not stop at it.
  const first = await loadCluster(flags.cluster, { ignoreFound: true });
  checkNames(first, flags.nodes);
  const unlock = reading ? undefined : await lock(first);
  const results: StepResult[] = [];
  const abort = new AbortController();
  let stopping = false;
  let wake: (() => void) | undefined;
  const interrupt = () => {
    if (wake !== undefined) {
      console.error();
      wake();
    } else if (stopping) abort.abort();
    else {
      console.error(
        "\nending after the command under way; Ctrl-C again ends that too",
      );
    }
    stopping = true;
  };
  const answer = async (question: string) => {
    if (stopping) return undefined;
    const woken = new Promise<undefined>((resolve) => {
      wake = () => resolve(undefined);
    });
    try {
      return await Promise.race([readAnswer(question), woken]);
    } finally {
      wake = undefined;
    }
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, interrupt);
  return {
    flags,
    undo: flags.undo,
    nodes: flags.nodes,
    form: flags.form,
    reach: reachOf,
    results,
    context: {
      timeout_ms: flags.timeout_ms,
      signal: abort.signal,
      stopping: () => stopping,
      tell(result) {
        results.push(result);
        tell(result);
      },
      ...(flags.quiet
        ? {}
        : { progress: (line: string) => console.error(line) }),
      ...(flags.step
        ? {
          ask: async (node: string, step: Step) => {
            const goOn = await askTerminal(node, step, flags.yes, answer);
            stopping ||= !goOn;
            return goOn;
          },
        }
        : {}),
      consent: (request) => askConsent(request, flags, answer),
    },
    cluster: () => loadCluster(flags.cluster),
    selected: (cluster) =>
      cluster.nodes.map(({ name }) => name).filter((name) =>
        flags.nodes.length === 0 || flags.nodes.includes(name)
      ),
    interrupted: () => stopping,
    answer,
    [Symbol.asyncDispose]() {
      for (const signal of signals) {
        Deno.removeSignalListener(signal, interrupt);
      }
      unlock?.();
      return Promise.resolve();
    },
  };
}

function checkNames(cluster: Cluster, wanted: readonly string[]): void {
  const names = cluster.nodes.map(({ name }) => name);
  for (const name of wanted) {
    if (names.includes(name)) continue;
    throw new UsageError(
      `--node ${name}: no such node in ${cluster.file}; it has ${
        names.join(", ")
      }`,
    );
  }
}

/**
 * Takes the cluster's lock: two runs at once would write each other's journals
 * over. The kernel gives it back when this process ends, however it ends.
 */
async function lock(cluster: Cluster): Promise<() => void> {
  const file = await openLock(cluster.stateDir);
  if (!await file.tryLock(true)) {
    file.close();
    throw new BusyError(
      `another run is at work on the cluster "${cluster.name}" (it holds ${cluster.stateDir}/lock); wait for it, or end it`,
    );
  }
  return () => file.close();
}

async function openLock(stateDir: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(stateDir, { recursive: true });
    const access = { create: true, read: true, write: true };
    return await Deno.open(`${stateDir}/lock`, access);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new UsageError(
      `${stateDir}: permission denied; an earlier run belongs to another user (root?): ` +
        "go on as that user, or name another folder by DENO_CNI_STATE",
    );
  }
}

async function askTerminal(
  node: string,
  step: Step,
  yes: boolean,
  readAnswer: Session["answer"],
): Promise<boolean> {
  const command = "copy" in step.run
    ? `copy ${step.run.copy} to ${step.run.to}`
    : paste(step.run);
  console.error(`\n${node}: ${step.why}\n  $ ${command}`);
  if (yes) return true;
  const answer = await readAnswer("Enter runs it, q ends here: ");
  return answer === "" || answer === "y";
}

/** @throws {StepError} when there is neither -y nor a terminal */
async function askConsent(
  { what, preview, commands }: ConsentRequest,
  { yes, quiet }: Flags,
  readAnswer: Session["answer"],
): Promise<boolean> {
  if (!yes && !Deno.stdin.isTerminal()) {
    throw new StepError(
      `refused: this would ${what}, and there is no terminal to ask at\n` +
        "what to do: look at it with --dry-run, then say yes with -y",
    );
  }
  if (!yes || !quiet) {
    if (preview !== undefined) console.error(preview.trim());
    console.error(
      `\nThis will ${what}:\n${
        commands.map((line) => `  $ ${line}`).join("\n")
      }`,
    );
  }
  return yes || await readAnswer("Type yes to go on: ") === "yes";
}

/** The line that somebody types; undefined at its end (Ctrl-D). */
async function readAnswer(question: string): Promise<string | undefined> {
  await Deno.stderr.write(new TextEncoder().encode(question));
  const buffer = new Uint8Array(256);
  const length = await Deno.stdin.read(buffer);
  if (length === null) return undefined;
  return new TextDecoder().decode(buffer.subarray(0, length)).trim();
}
