/**
 * What the daemon and its launchers meet at, below /run/deno-cni/daemon, which
 * is open to its owner alone:
 *
 * - `<version>`: where the daemon of a version is: its process, its descriptor of the pipe
 *   `call`, its folder
 * - `<process>.<start>/self`: the same of the daemon whose folder it is
 * - `<process>.<start>/call`: a named pipe in which launchers say that they are there
 * - `<process>.<start>/watch`: another, which the watchdog reads
 * - `<process>.<start>/net`: a link to the daemon's descriptor of its own network namespace; what
 *   /proc says of the process changes while it is in a pod's
 * - `<process>.<start>/slot/<n>`: the claim of a launcher, a file that holds its process ID;
 *   empty once its ADD has begun
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
import { close, openFile } from "../linux/libc.ts";
import {
  identityOf,
  makePipe,
  openForReading,
  openForWriting,
  putAll,
} from "../linux/pipes.ts";
import { encoder } from "../linux/utf8.ts";
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
  const folder = {
    path: own,
    call: openForReading(`${own}/call`),
    watch: openForWriting(`${own}/watch`),
  };
  const home = openFile("/proc/thread-self/ns/net");
  Deno.symlinkSync(`/proc/${Deno.pid}/fd/${home}`, `${own}/net`);
  createAnew(`${own}/self`, whereabouts(folder));
  return folder;
}

function removeDead(path: string, own: string): void {
  for (const { name, isDirectory } of [...Deno.readDirSync(path)]) {
    const file = `${path}/${name}`;
    if (!isDirectory) {
      if (whereOf(file) === undefined) remove(file);
      continue;
    }
    const lives = whereOf(`${file}/self`) !== undefined;
    if (file !== own && !lives) removeFolder(file);
  }
}

/** What others read of a daemon: its process, its descriptor of `call`, its folder. */
function whereabouts({ path, call }: Pick<Folder, "path" | "call">): string {
  return `${Deno.pid} ${call} ${path}\n`;
}

/** A daemon that lives. */
interface Where {
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

/** The daemon that a process is; undefined when it is none. */
export function daemonOf(pid: number): Where | undefined {
  if (inspect(daemonFolder) === undefined) return undefined;
  for (const { name } of Deno.readDirSync(daemonFolder)) {
    if (!name.startsWith(`${pid}.`)) continue;
    const found = whereOf(`${daemonFolder}/${name}/self`);
    if (found !== undefined) return found;
  }
  return undefined;
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

/**
 * Lets launchers of a version find the daemon, from now on instead of another one.
 * @returns that other one, if there is one
 */
export function publish(
  folder: Folder,
  version: string,
): Where | undefined {
  const { path } = folder;
  const file = `${daemonFolder}/${version}`;
  const before = whereOf(file);
  createAnew(`${path}/spare`, whereabouts(folder));
  Deno.renameSync(`${path}/spare`, file);
  return before;
}

/** Lets no further launcher find it. */
export function withdraw({ path }: Folder, version: string): void {
  const file = `${daemonFolder}/${version}`;
  if (whereOf(file)?.path === path) remove(file);
}

/** Has a daemon end once all calls are answered. */
export function tellToStop({ path }: Where): void {
  const pipe = openForWriting(`${path}/call`);
  putAll(pipe, encoder.encode("stop\n"));
  close(pipe);
}
