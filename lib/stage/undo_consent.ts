/** What a person has to agree to before stages are taken back. */
import type { StageRun } from "./context.ts";
import { notAgreed } from "./errors.ts";
import type { Stage } from "./stage.ts";

const agreed = new WeakSet<StageRun>();

/**
 * Asks for consent before these stages are taken back, once a run.
 *
 * @throws {StepError} where consent is not given
 */
export async function agreeToUndo(
  run: StageRun,
  stages: readonly Stage[],
): Promise<void> {
  if (agreed.has(run)) return;
  const { context } = run;
  const cluster = await run.cluster();
  const undone = run.selected(cluster);
  const { nodeOf } = run.reach(cluster);
  for (const { beforeUndo } of stages) {
    const request = await beforeUndo?.(cluster, undone, nodeOf, {
      timeout_ms: context.timeout_ms,
      signal: context.signal,
    });
    if (request === undefined) continue;
    if (!await context.consent?.(request)) {
      throw notAgreed("taken back");
    }
    agreed.add(run);
    return;
  }
}
