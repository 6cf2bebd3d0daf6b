/**
 * OpenSSH's client at work: a command in a session of its own, patience with
 * what takes long, and the end of what is no longer waited for.
 */
import {
  cmd,
  type Command,
  type Outcome,
  type StreamOptions,
  succeeded,
  withInput,
} from "../exec/command.ts";
import {
  endAll,
  readReply,
  remoteLine,
  type SshReply,
  type SshTarget,
  toolArgs,
} from "./protocol.ts";
import type { Connection } from "./connection.ts";
import { run } from "../exec/run.ts";

/** How a command is sent to a node: as StreamOptions, but for what `env` and `cwd` do there. */
export type SendOptions = Omit<StreamOptions, "env" | "cwd">;

/** What came of an ssh. */
interface Sent {
  /** Of ssh itself; `ended` says why this side gave it up. */
  readonly outcome: Outcome;
  readonly reply: SshReply;
  /** What there is to say of the command's end on the node. */
  readonly remark: string;
}

/**
 * Runs ssh.
 * To kill it alone would leave the command at work on the node.
 * This side would then wait on: the process that has the connection holds its outputs.
 */
export async function ssh(
  target: SshTarget,
  connection: Connection,
  command: Command,
  { timeout_ms = 30_000, signal, input }: SendOptions,
): Promise<Sent> {
  const mark = crypto.randomUUID();
  const line = remoteLine(command, mark, input !== undefined);
  const { stdin } = command;
  if (signal?.aborted) {
    const outcome: Outcome = { ...nothing, ended: "interrupted" };
    return { outcome, reply: readReply(outcome, mark), remark: "" };
  }
  const giveUp = new AbortController();
  const running = client(target, connection, [line], {
    timeout_ms: forever_ms,
    signal: giveUp.signal,
    ...(input === undefined ? {} : { input }),
  }, stdin);
  const ended = await patience(running, timeout_ms, signal);
  const remark = ended === undefined ? "" : await endThere(
    target,
    connection,
    endAll({ mark }),
    () => giveUp.abort(),
  );
  const outcome = await running;
  return {
    outcome: ended === undefined
      ? outcome
      : { ...outcome, code: undefined, ended },
    reply: readReply(outcome, mark),
    remark,
  };
}

/** Of a command that never ran. */
export const nothing = { code: undefined, stdout: "", stderr: "" };

/** For what is ended by other means. */
const forever_ms = 2 ** 31 - 1;

/** Runs OpenSSH's client; what it says is not translated, since it is read here. */
async function client(
  target: SshTarget,
  { socket }: Connection,
  args: readonly string[],
  options: SendOptions,
  stdin?: string,
): Promise<Outcome> {
  const command = cmd`ssh ${toolArgs(target, socket)} ${args}`;
  const env = { ...Deno.env.toObject(), LC_ALL: "C" };
  return await run(
    stdin === undefined ? command : withInput(command, stdin),
    { ...options, env },
  );
}

/** Asks the process that has the connection to do something; false where there is none. */
export async function control(
  target: SshTarget,
  connection: Connection,
  what: "check" | "exit",
): Promise<boolean> {
  return succeeded(await client(target, connection, ["-O", what], {}));
}

/** Waits for a command; undefined when it ended by itself, else why the waiting is over. */
export async function patience(
  running: Promise<unknown>,
  timeout_ms: number,
  signal: AbortSignal | undefined,
): Promise<"timed out" | "interrupted" | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let interrupt = () => {};
  const impatient = new Promise<"timed out" | "interrupted">((resolve) => {
    timer = setTimeout(() => resolve("timed out"), timeout_ms);
    interrupt = () => resolve("interrupted");
    signal?.addEventListener("abort", interrupt, { once: true });
  });
  try {
    return await Promise.race([running.then(() => undefined), impatient]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

/**
 * Ends a command on its node; where that cannot be, the connection, since nobody
 * else would end this side's waiting.
 *
 * @param end ends it there
 * @param giveUp ends this side of it
 * @returns what there is to say of it: nothing where all of it is gone
 */
export async function endThere(
  target: SshTarget,
  connection: Connection,
  end: Command,
  giveUp: () => void,
): Promise<string> {
  const why = await control(target, connection, "check")
    ? await tryToEnd(target, connection, end)
    : "the connection is gone";
  if (why === undefined) return "";
  giveUp();
  await control(target, connection, "exit");
  connection.open = false;
  return `\nit could not be ended on ${target.name} (${why}), and may still be at work there`;
}

/** @returns why it could not be done, undefined when it was */
async function tryToEnd(
  target: SshTarget,
  connection: Connection,
  end: Command,
): Promise<string | undefined> {
  const mark = crypto.randomUUID();
  const line = remoteLine(end, mark);
  const tooLate = new AbortController();
  const { signal } = tooLate;
  const options = { timeout_ms: forever_ms, signal };
  const ending = client(target, connection, [line], options);
  if (await patience(ending, 5_000, undefined) !== undefined) {
    tooLate.abort();
    return "no answer";
  }
  const reply = readReply(await ending, mark);
  if (!reply.began) return "no session for it";
  return reply.outcome?.code === 0 ? undefined : "some of it does not go";
}
