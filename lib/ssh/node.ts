/**
 * Nodes reached by OpenSSH's client, 8.5 or newer: its configuration, agent,
 * jump hosts and known_hosts work as everywhere. Each node has one connection,
 * which stays open for the commands and runs that follow (ControlMaster), and
 * closes by itself a minute after the last.
 */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import {
  type Command,
  type Outcome,
  type RunOptions,
  show,
} from "../exec/command.ts";
import { journalPath, type Node } from "../node/node.ts";
import { pasteable, type SshTarget } from "./protocol.ts";
import {
  type Connection,
  connectionOf,
  inTurn,
  makePrivate,
  socketFolder,
  socketName,
} from "./connection.ts";
import { copyOver, showCopyOver } from "./copy.ts";
import { sendCommand } from "./send.ts";
import { control, type SendOptions } from "./session.ts";

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
  const sendInTurn = async (
    command: Command,
    options: SendOptions = {},
  ): Promise<Outcome> => {
    const connection = await connect();
    return await inTurn(
      connection,
      () => sendCommand(target, connection, command, options),
    );
  };
  return {
    name: target.name,
    journalPath,
    enter: (command, terminal = false) => pasteable(target, command, terminal),
    run(command, { env, cwd, ...options } = {}) {
      return sendInTurn(
        { ...command, argv: within(command.argv, env, cwd) },
        options,
      );
    },
    copy: (file, path, mode, options) =>
      copyOver({ name: target.name, stateDir, send: sendInTurn }, {
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

/** Closes a node's connection, where one is open. */
export async function disconnect(
  target: SshTarget,
  { stateDir }: Pick<Cluster, "stateDir">,
): Promise<void> {
  const connection = await prepare(target, stateDir);
  for (const shell of connection.idle.splice(0)) shell.close();
  await control(target, connection, "exit");
  connection.open = false;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => made ??= make();
}
