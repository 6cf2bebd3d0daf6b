/** Takes everything of ours off a machine: by its journal, then by the marks that are left. */
import { cmd, succeeded } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { mark } from "../net/mark.ts";
import { nftTable } from "../net/nft_table.ts";
import type { Node } from "../node/node.ts";
import { readJournal, writeJournal } from "../stage/journal.ts";
import { describe, type StepResult } from "../stage/result.ts";
import type { StageName } from "../stage/stage.ts";
import { undo } from "../stage/undo.ts";
import { routeProtocol } from "../steps/probes.ts";

const program = shellProgram("cleanup.sh", import.meta.url);

/** Of each command. */
const timeout_ms = 60_000;

/** What was done on a machine. */
interface Cleaned {
  /** What the journal named and was taken back, and what could not be done. */
  readonly results: readonly StepResult[];
  /** What was found by its mark, and removed. */
  readonly removed: readonly string[];
  /** What is there still, and is not ours or is of use to others. */
  readonly left: readonly string[];
}

/**
 * Takes back these stages on a machine, the last first, and then what bears the mark.
 *
 * @throws {UnreachableError}
 */
export async function cleanMachine(
  node: Node,
  stages: readonly StageName[],
): Promise<Cleaned> {
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
  const sweep =
    cmd`sh -c ${program} cleanup ${mark} ${routeProtocol} ${nftTable}`;
  const outcome = await node.run(sweep, { timeout_ms });
  const lines = outcome.stdout.split("\n");
  const said = (verb: string) =>
    lines.filter((line) => line.startsWith(verb))
      .map((line) => line.slice(verb.length));
  const found = { removed: said("removed "), left: said("left ") };
  const done = { stage: "03-cni-config" as const, node: node.name };
  const why = "Remove what bears the mark, whatever the journal says";
  const command = "remove what bears the mark";
  if (!succeeded(outcome)) {
    const problem = describe(outcome);
    const failure: StepResult = {
      ...done,
      status: "failed",
      why,
      command,
      problem,
    };
    return { ...found, results: [...results, failure] };
  }
  await forgetStages(node, stages);
  // What the journal could not take back, the marks have.
  return {
    ...found,
    results: results.filter(({ status }) => status === "changed"),
  };
}

/** What the journal has of other stages stays in it; without any, it goes. */
async function forgetStages(
  node: Node,
  stages: readonly StageName[],
): Promise<void> {
  const options = { timeout_ms };
  const journal = await readJournal(node, options);
  await writeJournal(node, {
    complete: journal.complete.filter((name) => !stages.includes(name)),
    records: journal.records.filter(({ stage }) => !stages.includes(stage)),
  }, options);
  const folder = node.journalPath.replace(/\/[^/]*$/, "");
  await node.run(cmd`rmdir ${folder}`, options);
}
