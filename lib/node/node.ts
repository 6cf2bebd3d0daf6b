/**
 * A node, and how to reach it: one interface for every transport. This file
 * has what all transports share, and the transport for this very machine.
 */
import {
  cmd,
  type Command,
  CommandError,
  type Outcome,
  type RunOptions,
  show,
  succeeded,
} from "../exec/command.ts";
import {
  readFile,
  removeFile,
  save,
  saysAbsent,
  writeOutput,
} from "../exec/shell_file.ts";
import { run } from "../exec/run.ts";
import { readSeen, writeSeen } from "./seen_file.ts";

/** A machine on which commands run. */
export interface Node {
  readonly name: string;
  /** Where this node keeps what this tool changed on it. */
  readonly journalPath: string;
  /**
   * The command that, run on the operator's machine, runs the given one on the node.
   *
   * @param terminal whether it is for a person at a terminal
   */
  enter(command: Command, terminal?: boolean): Command;
  /**
   * Runs a command on the node.
   *
   * @returns what came of it, whatever its exit code
   * @throws {UnreachableError} when the command never got to the node
   */
  run(command: Command, options?: RunOptions): Promise<Outcome>;
  /**
   * Puts a file of the operator's machine on the node, renamed into place.
   *
   * @param mode octal digits, as chmod(1) takes them
   * @throws {UnreachableError} as run() does
   * @throws {CommandError} when the node could not take it
   */
  copy(
    file: string,
    path: string,
    mode: string,
    options?: Pick<RunOptions, "timeout_ms" | "signal">,
  ): Promise<void>;
  /**
   * The folder of this machine in which the node's files are seen, where they are;
   * undefined while the node does not run.
   */
  root?(): string | undefined;
  /** What copy() will do, as a line for a POSIX shell on the operator's machine. */
  showCopy(file: string, path: string, mode: string): string;
}

/** A node that could not be reached: nothing was tried on it. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";

  /**
   * @param node its name
   * @param reason what was found, and what to do
   * @param isNoMore whether the machine is known to be gone, with all that was on it
   */
  constructor(
    readonly node: string,
    readonly reason: string,
    readonly isNoMore = false,
  ) {
    super(`${node}: ${reason}`);
  }
}

/** Where a node keeps its journal. */
export const journalPath = "/var/lib/deno-cni/journal";

/**
 * Reads a file of a node.
 *
 * @returns its text, or undefined when there is no such file
 * @throws {CommandError} when it is there and cannot be read
 */
export async function readNodeFile(
  node: Node,
  path: string,
  options?: RunOptions,
): Promise<string | undefined> {
  const seen = rootOf(node, options);
  const text = seen === undefined ? undefined : await readSeen(seen, path);
  if (text !== undefined) return text;
  const command = readFile(path);
  const outcome = await node.run(command, options);
  if (saysAbsent(outcome)) return undefined;
  if (succeeded(outcome)) return outcome.stdout;
  throw new CommandError(node.name, command, outcome, `read ${path}`);
}

/**
 * Writes a file of a node in one step, so that no reader sees half of it.
 *
 * @throws {CommandError} when the node could not write it
 */
export async function saveNodeFile(
  node: Node,
  path: string,
  content: string,
  options?: RunOptions,
): Promise<void> {
  const seen = rootOf(node, options);
  if (seen !== undefined && await writeSeen(seen, path, content)) return;
  const command = save(path, content);
  const outcome = await node.run(command, options);
  if (!succeeded(outcome)) {
    throw new CommandError(node.name, command, outcome, `write ${path}`);
  }
}

/** A run that is interrupted changes nothing more. */
function rootOf(node: Node, options?: RunOptions): string | undefined {
  return options?.signal?.aborted ? undefined : node.root?.();
}

/**
 * Removes a file of a node, and its folder where nothing else is in it.
 *
 * @throws {CommandError} when the node could not remove it
 */
export async function removeNodeFile(
  node: Node,
  path: string,
  options?: RunOptions,
): Promise<void> {
  const command = removeFile(path);
  const outcome = await node.run(command, options);
  if (!succeeded(outcome)) {
    throw new CommandError(node.name, command, outcome, `remove ${path}`);
  }
}

/**
 * This machine as a node: the transport `local`, and the operator's own side
 * of a stage.
 */
export function localNode(name: string, journal = journalPath): Node {
  const self: Node = {
    name,
    journalPath: journal,
    enter: (command) => command,
    run: (command, options) => run(command, options),
    async copy(file, path, mode) {
      const command = copyCommand(file, path, mode);
      const outcome = await run(command);
      if (!succeeded(outcome)) {
        throw new CommandError(name, command, outcome, `copy ${file}`);
      }
    },
    root: () => "",
    showCopy: (file, path, mode) => show(copyCommand(file, path, mode)),
  };
  return self;
}

function copyCommand(file: string, path: string, mode: string): Command {
  return writeOutput(path, mode, cmd`cat ${file}`);
}

/** How a cluster's machines are reached; nothing is sent to them yet. */
export interface Reach {
  /** The node of this name. */
  readonly nodeOf: (name: string) => Node;
  /** The operator's own machine, which keeps its journal in the cluster's state folder. */
  readonly operator: Node;
  /** The host outside the cluster, where commands can be run on it. */
  readonly outside: Node | undefined;
}

/** What is to be executed at a node's end of a path, or in a pod: the one door to both. */
export type Runner = Pick<Node, "name" | "run" | "enter">;
