/**
 * Nodes reached by OpenSSH's client, 8.5 or newer: its configuration, agent,
 * jump hosts and known_hosts work as everywhere. Each node has one connection,
 * which stays open for the commands and runs that follow (ControlMaster), and
 * closes by itself a minute after the last.
 */
import type { Cluster, ClusterNode } from "./cluster.ts";
import {
  cmd,
  type Command,
  type Outcome,
  run,
  type RunOptions,
  show,
  succeeded,
  withInput,
} from "./command.ts";
import { journalPath, type Node, UnreachableError } from "./node.ts";
import {
  endMarked,
  pasteable,
  readReply,
  remoteLine,
  type Reply,
  type SshTarget,
  toolArgs,
} from "./ssh_command.ts";
import {
  type Connection,
  connectionOf,
  inTurn,
  makePrivate,
  socketFolder,
  socketName,
} from "./ssh_connection.ts";
import { copyOver, showCopyOver } from "./ssh_copy.ts";
import { isStale, whyUnreachable } from "./ssh_failure.ts";

/** How ssh reaches a node, as the cluster file says. */
export function sshTarget(
  cluster: Pick<Cluster, "ssh">,
  { name, address, ssh }: Pick<ClusterNode, "name" | "address" | "ssh">,
): SshTarget {
  return { host: address, ...cluster.ssh, ...ssh, name };
}

/**
 * A node reached by ssh. Nothing is sent yet; run() and copy() throw
 * UnreachableError, with the cause and what to do, where ssh, the login or sudo
 * fail before the command could begin, or where the connection breaks under it.
 *
 * @param stateDir the cluster's state folder, absolute
 */
export function sshNode(
  target: SshTarget,
  { stateDir }: Pick<Cluster, "stateDir">,
): Node {
  const connect = once(() => prepare(target, stateDir));
  const send = async (
    command: Command,
    options: SendOptions = {},
  ): Promise<Outcome> => {
    const connection = await connect();
    return await inTurn(
      connection,
      () => attempt(target, connection, command, options),
    );
  };
  return {
    name: target.name,
    journalPath,
    enter: (command, terminal = false) => pasteable(target, command, terminal),
    run(command, { env, cwd, ...options } = {}) {
      return send(
        { ...command, argv: within(command.argv, env, cwd) },
        options,
      );
    },
    copy: (file, path, mode, options) =>
      copyOver({ name: target.name, stateDir, send }, {
        file,
        path,
        mode,
        ...(options === undefined ? {} : { options }),
      }),
    showCopy: (file, path, mode) =>
      showCopyOver(
        file,
        path,
        mode,
        (command) => show(pasteable(target, command)),
      ),
  };
}

/** How a command is sent to a node: as RunOptions, but for what `env` and `cwd` do there. */
export type SendOptions = Omit<RunOptions, "env" | "cwd">;

function within(
  argv: Command["argv"],
  env: RunOptions["env"],
  cwd: string | undefined,
): Command["argv"] {
  if (env === undefined && cwd === undefined) return argv;
  return [
    "env",
    ...(cwd === undefined ? [] : [`--chdir=${cwd}`]),
    ...(env === undefined ? [] : [
      "-i",
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ]),
    ...argv,
  ];
}

async function prepare(
  target: SshTarget,
  stateDir: string,
): Promise<Connection> {
  const runtimeDir = Deno.env.get("XDG_RUNTIME_DIR");
  const folder = socketFolder(stateDir, runtimeDir, Deno.uid());
  await makePrivate(folder, target.name);
  return connectionOf(`${folder}/${await socketName(stateDir, target)}`);
}

/** One go at a command; a second where the connection had died before it began. */
async function attempt(
  target: SshTarget,
  connection: Connection,
  command: Command,
  options: SendOptions,
): Promise<Outcome> {
  const first = await ssh(target, connection, command, options);
  const stale = !first.reply.began && first.outcome.code === 255 &&
    isStale(first.reply.said) && options.input === undefined;
  const { outcome, reply, remark } = stale
    ? await ssh(target, connection, command, options)
    : first;
  if (!reply.began) {
    return neverBegan(target, outcome, reply.said, options);
  }
  if (reply.outcome !== undefined) return reply.outcome;
  const isOpen = await control(target, connection, "check");
  return cutOff(target, outcome, reply, isOpen, remark);
}

/** What came of an ssh. */
interface Sent {
  /** Of ssh itself; `ended` says why this side gave it up. */
  readonly outcome: Outcome;
  readonly reply: Reply;
  /** What there is to say of the command's end on the node. */
  readonly remark: string;
}

/**
 * Runs ssh. Who only killed it would leave the command at work on the node, and
 * wait for it, too: the process that has the connection holds its outputs.
 */
async function ssh(
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
  const remark = ended === undefined
    ? ""
    : await endThere(target, connection, mark, giveUp);
  const outcome = await running;
  return {
    outcome: ended === undefined
      ? outcome
      : { ...outcome, code: undefined, ended },
    reply: readReply(outcome, mark),
    remark,
  };
}

const nothing = { code: undefined, stdout: "", stderr: "" };

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
async function control(
  target: SshTarget,
  connection: Connection,
  what: "check" | "exit",
): Promise<boolean> {
  return succeeded(await client(target, connection, ["-O", what], {}));
}

/** Waits for a command; undefined when it ended by itself, else why nobody waits any longer. */
async function patience(
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
 * @returns what there is to say of it: nothing where all of it is gone
 */
async function endThere(
  target: SshTarget,
  connection: Connection,
  mark: string,
  giveUp: AbortController,
): Promise<string> {
  if (!await control(target, connection, "check")) {
    giveUp.abort();
    return "";
  }
  const own = crypto.randomUUID();
  const ending = client(
    target,
    connection,
    [remoteLine(endMarked(mark), own)],
    { timeout_ms: forever_ms },
  );
  const why = await patience(ending, 5_000, undefined) === undefined
    ? "some of it does not go"
    : "no answer";
  if (why !== "no answer") {
    const reply = readReply(await ending, own);
    if (reply.began && reply.outcome?.code === 0) return "";
  }
  giveUp.abort();
  await control(target, connection, "exit");
  connection.open = false;
  return `\nit could not be ended on ${target.name} (${why}), and may still be at work there`;
}

/** @throws {UnreachableError} but where the user did not want it to begin any more */
function neverBegan(
  target: SshTarget,
  outcome: Outcome,
  said: string,
  { timeout_ms = 30_000 }: SendOptions,
): Outcome {
  const { name } = target;
  switch (outcome.ended) {
    case "interrupted":
      return { code: undefined, stdout: "", stderr: "", ended: "interrupted" };
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
  { ended }: Outcome,
  { stdout, stderr }: Reply & { began: true },
  isOpen: boolean,
  remark: string,
): Outcome {
  if (ended === "timed out" || ended === "interrupted") {
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

/** Closes a node's connection, where one is open. */
export async function disconnect(
  target: SshTarget,
  { stateDir }: Pick<Cluster, "stateDir">,
): Promise<void> {
  const connection = await prepare(target, stateDir);
  await control(target, connection, "exit");
  connection.open = false;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => made ??= make();
}
