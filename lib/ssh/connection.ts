/**
 * One connection a node: where its control socket lies, and who may use it
 * when.
 */
import { UnreachableError } from "../node/node.ts";
import type { PersistentShell } from "./persistent_shell.ts";
import type { SshTarget } from "./protocol.ts";

/** What this process knows of the connection to a node. */
export interface Connection {
  readonly socket: string;
  /** Whether a command went through it, and none has failed to since. */
  open: boolean;
  /** The first command, which opens it, under way. */
  opening?: Promise<unknown>;
  /** How many more commands may run at one time. */
  free: number;
  readonly waiting: (() => void)[];
  /** Lanes that nobody uses now. */
  readonly idle: PersistentShell[];
}

/** sshd's MaxSessions is 10 unless somebody changed it (sshd_config(5)); ending a command takes one, too. */
const sessions = 8;

const connections = new Map<string, Connection>();

/** The connection by this control socket; nothing is opened yet. */
export function connectionOf(socket: string): Connection {
  const known = connections.get(socket);
  if (known !== undefined) return known;
  const made = { socket, open: false, free: sessions, waiting: [], idle: [] };
  connections.set(socket, made);
  return made;
}

/**
 * Runs work over a connection when its turn comes: the first alone, since it
 * opens the connection for all that follow, and then some side by side. Who
 * waits for a first that fails fails as it does.
 *
 * @throws {UnreachableError} as the work does
 */
export async function inTurn<T>(
  connection: Connection,
  work: () => Promise<T>,
): Promise<T> {
  while (!connection.open) {
    if (connection.opening === undefined) {
      return await openBy(connection, work);
    }
    await connection.opening;
  }
  if (connection.free > 0) connection.free -= 1;
  else await new Promise<void>((turn) => connection.waiting.push(turn));
  try {
    return await work();
  } catch (error) {
    if (error instanceof UnreachableError) connection.open = false;
    throw error;
  } finally {
    const next = connection.waiting.shift();
    if (next === undefined) connection.free += 1;
    else next();
  }
}

async function openBy<T>(
  connection: Connection,
  work: () => Promise<T>,
): Promise<T> {
  const first = work();
  connection.opening = first;
  try {
    const result = await first;
    connection.open = true;
    return result;
  } finally {
    delete connection.opening;
  }
}

/** sockaddr_un has 108 bytes, one of them zero (unix(7)); ssh binds to a name that is 17 longer and renames it. */
const longest = 108 - 1 - 17;

/** What a control socket is called: 16 digits, the same for the same way to a machine. */
export async function socketName(
  stateDir: string,
  target: SshTarget,
): Promise<string> {
  const text = JSON.stringify([stateDir, Object.entries(target).sort()]);
  const bytes = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(text),
  );
  return new Uint8Array(bytes).toHex().slice(0, 16);
}

/**
 * The folder for control sockets: below $XDG_RUNTIME_DIR, else in the cluster's
 * state, else, where those are too long for a socket's path, in /tmp.
 *
 * @param runtimeDir $XDG_RUNTIME_DIR
 */
export function socketFolder(
  stateDir: string,
  runtimeDir: string | undefined,
  uid: number | null,
): string {
  const candidates = [
    ...(runtimeDir ? [`${runtimeDir}/deno-cni`] : []),
    `${stateDir}/ssh`,
  ];
  const fits = (folder: string) =>
    new TextEncoder().encode(folder).length + 1 + 16 <= longest;
  return candidates.find(fits) ?? `/tmp/deno-cni-${uid}`;
}

/**
 * Makes the folder where it is not there, for this user alone: who can write
 * to it could put a socket of his own there, and read all that passes.
 *
 * @throws {UnreachableError} when it is somebody else's, or open to others
 */
export async function makePrivate(folder: string, node: string): Promise<void> {
  const wrong = (what: string) =>
    new UnreachableError(
      node,
      `${folder}, for ssh's control sockets, ${what}: remove it`,
    );
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const { isDirectory, uid, mode } = await Deno.lstat(folder);
    if (!isDirectory) throw wrong("is no folder");
    if (uid !== Deno.uid()) throw wrong("belongs to another user");
    if (((mode ?? 0) & 0o077) !== 0) throw wrong("is open to other users");
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw wrong("is no folder");
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw wrong("cannot be made or read (permission denied)");
  }
}
