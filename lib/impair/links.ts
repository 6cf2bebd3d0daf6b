/** The links of a lab that can be impaired: set, shown and cleared, on nodes and in their pods. */
import {
  cmd,
  CommandError,
  type RunOptions,
  succeeded,
} from "../exec/command.ts";
import type { Runner } from "../node/node.ts";
import { askParts } from "../node/parts.ts";
import { StepError } from "../stage/errors.ts";
import {
  clearCommand,
  type FoundImpairment,
  impairCommands,
  type Impairment,
  impairmentProgram,
  netemQuestion,
  readImpairments,
} from "./impairment.ts";

/** A node, or a pod of it, with the way to it. */
export interface LinkEnd {
  readonly node: string;
  readonly pod?: string;
  readonly runner: Runner;
}

/** An impaired link of a node, or of a pod of it. */
export interface ImpairedLink extends FoundImpairment {
  readonly node: string;
}

/**
 * Impairs a link in place of what impaired it before. What fails half-way is
 * cleared again.
 *
 * @throws {StepError} where the kernel has no means for it
 * @throws {CommandError}
 */
export async function impairLink(
  { runner }: LinkEnd,
  wanted: Impairment,
  options: RunOptions,
): Promise<void> {
  const hasNetem = succeeded(await runner.run(netemQuestion(), options));
  const commands = impairCommands(wanted, hasNetem);
  if (commands === undefined) {
    throw new StepError(
      "this kernel has no netem (CONFIG_NET_SCH_NETEM), and nothing else " +
        "delays packets\nwhat to do: take --loss or --rate alone, which work " +
        "without it; or load the module sch_netem",
    );
  }
  await clearLink({ runner }, options);
  for (const command of commands) {
    const outcome = await runner.run(command, options);
    if (succeeded(outcome)) continue;
    await runner.run(clearCommand(), options);
    throw new CommandError(runner.name, command, outcome, "impair its link");
  }
}

/**
 * Clears what impairs a link; where nothing of ours does, nothing is done.
 *
 * @throws {CommandError}
 */
export async function clearLink(
  { runner }: Pick<LinkEnd, "runner">,
  options: RunOptions,
): Promise<void> {
  const command = clearCommand();
  const outcome = await runner.run(command, options);
  if (succeeded(outcome)) return;
  throw new CommandError(runner.name, command, outcome, "clear its link");
}

/**
 * What impairs each of these links; a pod that is gone has none.
 *
 * @throws {UnreachableError}
 */
export async function impairedLinks(
  ends: readonly LinkEnd[],
  options: RunOptions,
): Promise<readonly ImpairedLink[]> {
  const found = await Promise.all(ends.map(async ({ node, pod, runner }) => {
    const question = impairmentProgram([]);
    const { parts = [] } = await askParts(runner, question, options);
    return readImpairments(parts).map(({ says }): ImpairedLink => ({
      node,
      ...(pod === undefined ? {} : { pod }),
      says,
    }));
  }));
  return found.flat();
}

/**
 * The pods that a node of a lab has, by the names of their network namespaces.
 *
 * @throws {UnreachableError}
 */
export async function podsOn(
  runner: Runner,
  options: RunOptions,
): Promise<readonly string[]> {
  const { stdout } = await runner.run(cmd`ls /run/netns`, options);
  return stdout.split("\n").filter(Boolean);
}
