/** What a person should know of the machines that a stage is about to work on. */
import type { AskRemarks } from "./ask_remarks.ts";
import type { StageRun } from "./context.ts";

/** The remarks on a run of a stage; none where the stage asks for none. */
export async function remarksOf(
  run: StageRun,
  ask: AskRemarks | undefined,
): Promise<readonly string[]> {
  if (ask === undefined || run.undo) return [];
  const cluster = await run.cluster();
  const { timeout_ms, signal } = run.context;
  const names = run.selected(cluster);
  return await ask(cluster, run.reach(cluster), names, { timeout_ms, signal });
}
