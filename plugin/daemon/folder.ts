/**
 * What the daemon and its launchers meet at, below /run/deno-cni/daemon, which
 * is open to its owner alone:
 *
 * - `<version>`: where the daemon of a version is: its process, its descriptor of the pipe `call`, its folder
 * - `<process>.<start>/call`: a named pipe in which launchers say that they are there
 * - `<process>.<start>/watch`: another, which the watchdog reads
 * - `<process>.<start>/slot/<n>`: the claim of a launcher, a file that holds its process ID; empty once its ADD has begun
 * - `<process>.<start>/reply/<n>`: a named pipe for what that launcher is answered
 *
 * A daemon never uses the folder of another one: a launcher may still look at it.
 */

import {
  createAnew,
  inspect,
  makeFolders,
  overwrite,
  readText,
  remove,
  removeFolder,
} from "../linux/files.ts";
import {
  identityOf,
  makePipe,
  openForReading,
  openForWriting,
} from "../linux/pipes.ts";
import { CniError, code } from "../cni/protocol.ts";

/** Where all of them lie. */
export const daemonFolder = "/run/deno-cni/daemon";

/** How many launchers can be waiting at once; one more goes the slow way. */
export const slots = 64;

export interface Folder {
  readonly path: string;
  /** The pipe that says who is there. */
  readonly call: number;
  /** The pipe that the watchdog reads, for writing. */
  readonly watch: number;
}

/** A pipe for answers. */
export interface Reply {
  readonly descriptor: number;
  /** Which file it is, to compare. */
  readonly identity: string;
}

/**
 * Makes the folder of a daemon; those of daemons that are dead go.
 * @param path by default {@linkcode daemonFolder}
 * @throws {CniError} when it is open to others
 */
export function makeFolder(path: string): Folder {
  makeFolders(path);
  const own = `${path}/${Deno.pid}.${Date.now()}`;
  makeFolders(own);
  const [owner, me] = [path, own].map((folder) => Deno.statSync(folder).uid);
  if (owner !== me) {
    removeFolder(own);
    throw new CniError(
      code.io,
      `${path} belongs to the user ${owner}, not to ${me}`,
      "remove it: the daemon's folder must be open to its own user alone",
    );
  }
  Deno.chmodSync(path, 0o700);
  removeDead(path, own);
  for (const name of ["slot", "reply"]) makeFolders(`${own}/${name}`);
  for (const name of ["call", "watch"]) {
    makePipe(`${own}/${name}`, `${own}/spare`);
  }
  return {
    path: own,
    call: openForReading(`${own}/call`),
    watch: openForWriting(`${own}/watch`),
  };
}

function removeDead(path: string, own: string): void {
  for (const { name, isDirectory } of [...Deno.readDirSync(path)]) {
    const file = `${path}/${name}`;
    if (!isDirectory) {
      if (whereOf(file) === undefined) remove(file);
      continue;
    }
    const pid = Number(name.split(".")[0]);
    if (file !== own && !hasCall(pid, file)) removeFolder(file);
  }
}

/** A daemon that lives. */
export interface Where {
  readonly pid: number;
  readonly call: number;
  readonly path: string;
}

/** The daemon that a file says to be there; undefined when it is not. */
export function whereOf(file: string): Where | undefined {
  const [pid = "", call = "", path = ""] = (readText(file) ?? "").trim().split(
    " ",
  );
  const isThere = path !== "" &&
    identityOf(`/proc/${pid}/fd/${call}`) === identityOf(`${path}/call`);
  return isThere ? { pid: Number(pid), call: Number(call), path } : undefined;
}

/** Whether a process has the pipe of a folder open. */
function hasCall(pid: number, folder: string): boolean {
  const wanted = identityOf(`${folder}/call`);
  if (wanted === "") return false;
  try {
    return [...Deno.readDirSync(`/proc/${pid}/fd`)].some(({ name }) =>
      identityOf(`/proc/${pid}/fd/${name}`) === wanted
    );
  } catch {
    return false; // No such process.
  }
}

/** Makes a fresh pipe for a slot's answers, in the place of the one before. */
export function freshReply({ path }: Folder, slot: number): Reply {
  const pipe = `${path}/reply/${slot}`;
  makePipe(pipe, `${path}/spare`);
  return { descriptor: openForWriting(pipe), identity: identityOf(pipe) };
}

/** Marks that the ADD of a slot's launcher begins: from here on nothing else may make it. */
export function markBegun({ path }: Folder, slot: number): void {
  overwrite(`${path}/slot/${slot}`, "");
}

/** Lets another launcher claim a slot. */
export function freeSlot({ path }: Folder, slot: number): void {
  remove(`${path}/slot/${slot}`);
}

/** A launcher's claim of a slot. */
export interface Claim {
  /** The launcher's process ID; "" where its ADD has begun, or it could not write that. */
  readonly pid: string;
  readonly age_ms: number;
}

/** Every claim, by slot. */
export function claims({ path }: Folder): Map<number, Claim> {
  const found = new Map<number, Claim>();
  for (const { name } of Deno.readDirSync(`${path}/slot`)) {
    const file = `${path}/slot/${name}`;
    const text = readText(file);
    const inspected = inspect(file);
    if (text === undefined || inspected === undefined) continue;
    const age_ms = Date.now() - inspected.changed_ms;
    found.set(Number(name), { pid: text.trim(), age_ms });
  }
  return found;
}

/** Lets launchers of a version find the daemon. */
export function publish({ path, call }: Folder, version: string): void {
  const file = `${daemonFolder}/${version}`;
  createAnew(`${path}/spare`, `${Deno.pid} ${call} ${path}\n`);
  Deno.renameSync(`${path}/spare`, file);
}

/** Lets no further launcher find it. */
export function withdraw(version: string): void {
  remove(`${daemonFolder}/${version}`);
}
