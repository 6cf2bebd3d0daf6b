/**
 * What mends something, as data, and its one rendering: lines that can be
 * pasted into bash or dash in the project's folder. Pure.
 */
import type { Cluster } from "../cluster/cluster.ts";
import type { Command } from "../exec/command.ts";
import { makeLine } from "../cluster/make_line.ts";
import { shellLine } from "../stage/make_command.ts";
import type { StageName } from "../stage/stage.ts";
import { printable } from "../text/printable.ts";

/** What mends something. */
export type Remedy =
  /** Runs a stage again, or takes it back: on one node, or on all. */
  | {
    readonly stage: StageName;
    readonly node?: string;
    readonly undo?: true;
  }
  /** Runs a command on a node, or on the host outside the cluster. */
  | { readonly run: Command; readonly on: string; readonly shows?: true }
  /** Makes another target, with these variables. */
  | {
    readonly make: string;
    readonly variables?: Readonly<Record<string, string>>;
    readonly shows?: true;
  }
  /** A sentence, where no command of ours does it. */
  | { readonly say: string; readonly shows?: true };

/** Runs a stage again on a node. */
export function makeStage(stage: StageName, node: string): Remedy {
  return { stage, node };
}

/** Runs a command on a node. */
export function onNode(on: string, run: Command): Remedy {
  return { run, on };
}

/** Runs a command on a node that shows something, and mends nothing. */
export function lookOn(on: string, run: Command): Remedy {
  return { run, on, shows: true };
}

/** Whether a remedy only shows where to look. */
export function isLook(remedy: Remedy): boolean {
  return "shows" in remedy && remedy.shows === true;
}

/** Makes a node's pods anew. */
export function newPods(node: string): readonly Remedy[] {
  return [
    { stage: "09-verify", node, undo: true },
    { stage: "09-verify" },
  ];
}

/** The line that a person pastes, or the sentence to read. */
export function remedyLine(
  remedy: Remedy,
  cluster: Pick<Cluster, "file">,
): string {
  if ("say" in remedy) return printable(remedy.say);
  if ("run" in remedy) return shellLine(remedy.on, remedy.run, cluster);
  if ("make" in remedy) return makeLine(remedy.make, cluster, remedy.variables);
  const { stage, node, undo } = remedy;
  const flags = [
    ...(undo ? ["--undo"] : []),
    ...(node === undefined ? [] : ["--node", node]),
  ];
  const variables = flags.length === 0 ? {} : { ARGS: flags };
  return makeLine(stage, cluster, variables);
}
