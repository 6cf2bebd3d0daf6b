/** What became of a step, and what there is to say of it. */
import { type Command, ending, type Outcome, show } from "../exec/command.ts";
import type { Copy, StageName } from "./stage.ts";

/** What became of a step. */
export type Status =
  | "ok"
  | "changed"
  | "failed"
  | "unreachable";

/** A line of the report: one step on one node. */
export interface StepResult {
  readonly stage: StageName;
  readonly node: string;
  readonly status: Status;
  /** What the step is for. */
  readonly why: string;
  /** The command, or the copy, in a line. */
  readonly command: string;
  /** What went wrong, what was found, and what to do; lines of text. */
  readonly problem?: string;
  /** What the command printed, where that was asked for. */
  readonly output?: string;
}

/** What a step does, in a line. */
export function label(run: Command | Copy): string {
  if ("copy" in run) return `copy ${run.copy} to ${run.to}`;
  return run.label ?? show(run);
}

/** What came of a command, whole, for finding out why it failed. */
export function describe(outcome: Outcome): string {
  const lines: string[] = [ending(outcome)];
  if (outcome.stdout.trim() !== "") {
    lines.push(`stdout: ${outcome.stdout.trim()}`);
  }
  if (outcome.stderr.trim() !== "") {
    lines.push(`stderr: ${outcome.stderr.trim()}`);
  }
  return lines.join("\n");
}

/** What to do about a command that failed on a node of this name. */
export function advice(outcome: Outcome, node: string): string {
  if (outcome.ended === "timed out") {
    return `what to do: find out what it waits for on ${node}, or give it longer ` +
      "(--timeout SECONDS); then run this stage again";
  }
  if (outcome.ended === "interrupted") {
    return "what to do: run this stage again, or take it back with --undo";
  }
  return hint(outcome.ended ?? outcome.stderr);
}

/** What to do, by what was said. */
export function hint(said: string): string {
  if (/no such command/.test(said)) {
    return "what to do: install the missing program on the node, then run this stage again";
  }
  if (/not permitted|permission denied|must be root/i.test(said)) {
    return "what to do: this needs root on the node: run it as root, or with sudo";
  }
  return "what to do: mend the cause, then run this stage again; what is done already is skipped";
}

/** The worst that became of a step; "done" where all went well. */
export function worst(
  results: readonly StepResult[],
): "failed" | "unreachable" | "done" {
  if (results.some(({ status }) => status === "failed")) return "failed";
  if (results.some(({ status }) => status === "unreachable")) {
    return "unreachable";
  }
  return "done";
}
