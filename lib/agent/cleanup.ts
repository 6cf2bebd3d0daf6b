/** Takes everything of ours off a machine: by its journal, then by the marks that are left. */
import { cmd, succeeded } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { mark } from "../net/mark.ts";
import type { Node } from "../node/node.ts";
import { readJournal, writeJournal } from "../stage/journal.ts";
import { describe, type StepResult } from "../stage/result.ts";
import type { StageName } from "../stage/stage.ts";
import { undo } from "../stage/undo.ts";
import { routeProtocol } from "../steps/probes.ts";

const program = shellProgram("cleanup.sh", import.meta.url);

/** Of each command. */
const timeout_ms = 60_000;

/**
 * Takes back these stages on a machine, the last first.
 *
 * @returns what was done, and what could not be
 * @throws {UnreachableError}
 */
export async function cleanMachine(
  node: Node,
  stages: readonly StageName[],
): Promise<readonly StepResult[]> {
  const { signal } = new AbortController();
  const results: StepResult[] = [];
  for (const stage of stages.toReversed()) {
    results.push(
      ...await undo(stage, node, [], {
        timeout_ms,
        signal,
        stopping: () => false,
        tell: () => {},
        consent: () => Promise.resolve(true),
      }),
    );
  }
  const sweep = cmd`sh -c ${program} cleanup ${mark} ${routeProtocol}`;
  const outcome = await node.run(sweep, { timeout_ms });
  const done = { stage: "03-cni-config" as const, node: node.name };
  const why = "Remove what bears the mark, whatever the journal says";
  const command = "remove what bears the mark";
  if (!succeeded(outcome)) {
    const problem = describe(outcome);
    return [...results, { ...done, status: "failed", why, command, problem }];
  }
  const journal = await readJournal(node, { timeout_ms });
  await writeJournal(node, {
    complete: journal.complete.filter((name) => !stages.includes(name)),
    records: journal.records.filter(({ stage }) => !stages.includes(stage)),
  }, { timeout_ms });
  // What the journal could not take back, the marks have.
  return results.filter(({ status }) => status === "changed");
}
