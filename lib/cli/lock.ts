/** A cluster's locks: two runs at once would write each other's journals over. */
import type { Cluster } from "../cluster/cluster.ts";
import { StepError } from "../stage/errors.ts";
import { UsageError } from "./usage_error.ts";

/** What a run locks out: other runs that change something, or other traces alone. */
export type LockName = "lock" | "trace.lock";

/**
 * Takes a lock of the cluster. The kernel gives it back when this process ends,
 * however it ends.
 *
 * @returns what gives it back earlier
 * @throws {StepError} when another run has it: it names that process
 * @throws {UsageError} when the cluster's folder cannot be written
 */
export async function lock(
  { name, stateDir }: Pick<Cluster, "name" | "stateDir">,
  which: LockName,
): Promise<() => void> {
  const path = `${stateDir}/${which}`;
  const file = await openLock(stateDir, path);
  if (await file.tryLock(true)) {
    await file.truncate();
    await file.write(new TextEncoder().encode(`${Deno.pid} ${thisRun()}\n`));
    return () => file.close();
  }
  file.close();
  const [, pid, what] = /^(\d+) (.*)$/m.exec(await Deno.readTextFile(path)) ??
    [];
  throw new StepError(
    `another run is at work on the cluster "${name}": ` +
      (pid === undefined ? `it holds ${path}` : `process ${pid}, ${what}`) +
      "\nwhat to do: wait for it, or end it; meanwhile status, doctor, trace, " +
      "shell, picture and studio only look, and work",
  );
}

/** This process as its user began it. */
function thisRun(): string {
  const script = Deno.mainModule.replace(/^.*\//, "").replace(/\.ts$/, "");
  return [script, ...Deno.args].join(" ").replaceAll("\n", " ");
}

async function openLock(stateDir: string, path: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(stateDir, { recursive: true });
    return await Deno.open(path, { create: true, read: true, write: true });
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const why = error instanceof Deno.errors.PermissionDenied
      ? "permission denied; an earlier run belongs to another user (root?): go " +
        "on as that user, or name"
      : `${error.message.replace(/ \(os error.*/s, "")}; the state of a ` +
        "cluster is kept there: name";
    throw new UsageError(
      `${stateDir}: ${why} another folder by DENO_CNI_STATE`,
    );
  }
}
