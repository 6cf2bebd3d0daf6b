/** A command to a node: by a shell that stays, or in a session of its own; and what came of it. */
import type { Command, Outcome } from "../exec/command.ts";
import { UnreachableError } from "../node/node.ts";
import { endAll, type SshTarget, toolArgs } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import { isStale, whyUnreachable } from "./failure.ts";
import {
  openPersistentShell,
  type PersistentShell,
} from "./persistent_shell.ts";
import {
  control,
  endThere,
  nothing,
  patience,
  type SendOptions,
  ssh,
} from "./session.ts";

/**
 * Sends a command, when its turn on the connection has come.
 *
 * @throws {UnreachableError} when it never began, or the connection broke under it
 */
export async function sendCommand(
  target: SshTarget,
  connection: Connection,
  command: Command,
  options: SendOptions,
): Promise<Outcome> {
  const way = fitsPersistentShell(command, options)
    ? byPersistentShell
    : bySession;
  return await way(target, connection, command, options);
}

/** What is read a byte at a time over there is short. */
const laneLimit = 1 << 15;

function fitsPersistentShell(
  { argv, stdin = "" }: Command,
  { input }: SendOptions,
): boolean {
  const length = argv.reduce((sum, word) => sum + word.length, stdin.length);
  return input === undefined && length <= laneLimit;
}

/** Runs a command by a shell that is idle, or a new one. */
async function byPersistentShell(
  target: SshTarget,
  connection: Connection,
  command: Command,
  options: SendOptions,
): Promise<Outcome> {
  const { timeout_ms = 30_000, signal } = options;
  if (signal?.aborted) return { ...nothing, ended: "interrupted" };
  const idle = connection.idle.pop();
  const shell = idle ?? await newPersistentShell(target, connection, options);
  if ("ended" in shell) return shell;
  const running = shell.run(command);
  const ended = await patience(running, timeout_ms, signal);
  const remark = ended === undefined ? "" : await endThere(
    target,
    connection,
    endAll(shell),
    () => shell.close(),
  );
  const reply = await running;
  if (reply.is === "done") {
    connection.idle.push(shell);
    return ended === undefined
      ? reply.outcome
      : { ...reply.outcome, code: undefined, ended };
  }
  // It had died while nobody used it.
  if (!reply.began && idle !== undefined) {
    return await byPersistentShell(target, connection, command, options);
  }
  const isOpen = await control(target, connection, "check");
  return cutOff(target, ended, reply, isOpen, remark);
}

/**
 * Opens a shell; a second time where the connection turns out to have died.
 *
 * @returns the shell, or what a command comes to that shall not begin any more
 * @throws {UnreachableError}
 */
async function newPersistentShell(
  target: SshTarget,
  connection: Connection,
  options: SendOptions,
): Promise<PersistentShell | Outcome & { readonly ended: "interrupted" }> {
  const { timeout_ms = 30_000, signal } = options;
  for (let tries = 1;; tries++) {
    const giveUp = new AbortController();
    const opening = openPersistentShell(
      ["ssh", ...toolArgs(target, connection.socket)],
      giveUp.signal,
    );
    const ended = await patience(opening, timeout_ms, signal);
    if (ended !== undefined) giveUp.abort();
    if (ended === "interrupted") return { ...nothing, ended };
    if (ended === "timed out") {
      // The one that has the connection would keep this side waiting.
      await control(target, connection, "exit");
    }
    const opened = await opening;
    if (opened.is === "open") return opened.shell;
    const { said, code } = opened;
    if (tries === 1 && code === 255 && isStale(said)) continue;
    const how = ended ?? opened.ended;
    const outcome = { ...nothing, code, ...(how ? { ended: how } : {}) };
    neverBegan(target, outcome, said, options);
  }
}

/** Runs a command in a session of its own: one with much input, or a stream of it. */
async function bySession(
  target: SshTarget,
  connection: Connection,
  command: Command,
  options: SendOptions,
): Promise<Outcome> {
  // sshd counts sessions, idle or not.
  connection.idle.pop()?.close();
  const first = await ssh(target, connection, command, options);
  const stale = !first.reply.began && first.outcome.code === 255 &&
    isStale(first.reply.said) && options.input === undefined;
  const { outcome, reply, remark } = stale
    ? await ssh(target, connection, command, options)
    : first;
  if (!reply.began) {
    if (outcome.ended === "interrupted") {
      return { ...nothing, ended: "interrupted" };
    }
    return neverBegan(target, outcome, reply.said, options);
  }
  if (reply.outcome !== undefined) return reply.outcome;
  const isOpen = await control(target, connection, "check");
  const { ended } = outcome;
  const gaveUp = ended === "timed out" || ended === "interrupted"
    ? ended
    : undefined;
  return cutOff(target, gaveUp, reply, isOpen, remark);
}

/** @throws {UnreachableError} with the reason */
function neverBegan(
  target: SshTarget,
  outcome: Pick<Outcome, "code" | "ended">,
  said: string,
  { timeout_ms = 30_000 }: SendOptions,
): never {
  const { name } = target;
  switch (outcome.ended) {
    case "no such command":
    case "not executable":
      throw new UnreachableError(
        name,
        "ssh is not installed on this machine: apt-get install openssh-client",
      );
    case "timed out":
      throw new UnreachableError(
        name,
        `no answer within ${
          timeout_ms / 1000
        } s: is it overloaded, or the way there? ` +
          "--timeout SECONDS gives it longer",
      );
    default:
      throw new UnreachableError(
        name,
        whyUnreachable(said, outcome.code, target),
      );
  }
}

/**
 * What came of a command that began, and of whose end nothing came back.
 *
 * @param isOpen whether the connection outlived it
 * @throws {UnreachableError} when the connection broke under it
 */
function cutOff(
  target: SshTarget,
  ended: "timed out" | "interrupted" | undefined,
  { stdout, stderr }: Pick<Outcome, "stdout" | "stderr">,
  isOpen: boolean,
  remark: string,
): Outcome {
  if (ended !== undefined) {
    return { code: undefined, stdout, stderr: stderr + remark, ended };
  }
  // Killed there, with the shell around it.
  if (isOpen) return { code: undefined, stdout, stderr, ended: "killed" };
  throw new UnreachableError(
    target.name,
    "the connection broke while a command ran: whether it did its work is " +
      "not known; run this stage again",
  );
}
