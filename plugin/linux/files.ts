/**
 * The lease store's file calls, by system call: each of Deno's own brings some
 * code along that has to be compiled first, and an exception for every file
 * that is not there. Errors name the step, the file and the errno.
 */
import { errno } from "./errno.ts";
import {
  call,
  close,
  cString,
  incoming,
  outgoing,
  received,
  secondCString,
} from "./libc.ts";
import { FileError } from "./file_error.ts";
import { decodeUtf8, encoder } from "./utf8.ts";

/** Source: Linux `include/uapi/asm-generic/fcntl.h`, `include/uapi/linux/{fcntl,stat}.h`. */
const AT_FDCWD = -100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_CLOEXEC = 0o2000000;
const STATX_MTIME = 0x40;
const STATX_INO = 0x100;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** What the reference creates its files with, before the umask. */
const readable = 0o644;

/** The text of a file; undefined when there is none. */
export function readText(path: string): string | undefined {
  const bytes = readBytes(path);
  return bytes === undefined ? undefined : decodeUtf8(bytes);
}

/** The bytes of a file; undefined when there is none. */
export function readBytes(path: string): Uint8Array<ArrayBuffer> | undefined {
  const file = openFile(path, 0);
  if (file === -errno.ENOENT) return undefined;
  return using(must("read", path, file), () => readAll(file, path));
}

/**
 * Reads a descriptor to its end.
 * @param path what to call it in an error
 */
export function readAll(
  descriptor: number,
  path: string,
): Uint8Array<ArrayBuffer> {
  const { address, size } = incoming();
  let all = new Uint8Array(0);
  for (;;) {
    const length = must("read", path, call("read", descriptor, address, size));
    if (length === 0) return all;
    const longer = new Uint8Array(all.length + length);
    longer.set(all);
    longer.set(received(length), all.length);
    all = longer;
  }
}

/**
 * Writes all bytes to a descriptor.
 * @param path what to call it in an error
 */
export function writeAll(
  descriptor: number,
  path: string,
  data: Uint8Array,
): void {
  const { size } = incoming();
  for (let at = 0; at < data.length;) {
    const part = data.subarray(at, at + size);
    const written = call("write", descriptor, outgoing(part), part.length);
    at += must("write", path, written);
  }
}

/** Where a symbolic link leads; undefined when there is none. */
export function readSymlink(path: string): string | undefined {
  const { address, size } = incoming();
  const length = call("readlinkat", AT_FDCWD, cString(path), address, size);
  if (length === -errno.ENOENT) return undefined;
  return decodeUtf8(received(must("read", path, length)));
}

/** Inode and time of the last change, in milliseconds; undefined when there is nothing. */
export function inspect(
  path: string,
): { inode: bigint; changed_ms: number } | undefined {
  return statx(path, AT_FDCWD, 0);
}

/** The same of an open file. */
export function inspectOpen(
  descriptor: number,
  path: string,
): { inode: bigint; changed_ms: number } | undefined {
  return statx(path, descriptor, AT_EMPTY_PATH);
}

function statx(
  path: string,
  folder: number,
  flags: number,
): { inode: bigint; changed_ms: number } | undefined {
  const { address } = incoming();
  const name = cString(flags === AT_EMPTY_PATH ? "" : path);
  const asked = STATX_INO | STATX_MTIME;
  const result = call("statx", folder, name, flags, asked, address);
  if (result === -errno.ENOENT) return undefined;
  must("inspect", path, result);
  // struct statx: stx_ino at 32, stx_mtime (seconds, nanoseconds) at 112.
  const view = new DataView(received(256).slice().buffer);
  return {
    inode: view.getBigUint64(32, true),
    changed_ms: Number(view.getBigInt64(112, true)) * 1000 +
      Math.floor(view.getUint32(120, true) / 1e6),
  };
}

/** Writes the file from its start; an existing one keeps its inode. */
export function overwrite(path: string, data: string | Uint8Array): void {
  const file = must(
    "write",
    path,
    openFile(path, O_WRONLY | O_CREAT | O_TRUNC),
  );
  using(file, () => writeAll(file, path, bytesOf(data)));
}

/** Writes a new file; one of that name goes first, whatever other names it has. */
export function createAnew(path: string, text: string): void {
  const flags = O_WRONLY | O_CREAT | O_EXCL;
  let file = openFile(path, flags);
  if (file === -errno.EEXIST) {
    remove(path);
    file = openFile(path, flags);
  }
  must("write", path, file);
  using(file, () => writeAll(file, path, bytesOf(text)));
}

/** Gives a file a second name, atomically; false when that name is taken. */
export function hardLink(from: string, to: string): boolean {
  const names: [number, number, number, number] = [
    AT_FDCWD,
    cString(from),
    AT_FDCWD,
    secondCString(to),
  ];
  const result = call("linkat", ...names);
  if (result === -errno.EEXIST) return false;
  must("link", to, result);
  return true;
}

/** Makes a symbolic link, in place of one that may be there. */
export function symlink(target: string, path: string): void {
  const make = () =>
    call("symlinkat", cString(target), AT_FDCWD, secondCString(path));
  let result = make();
  if (result === -errno.EEXIST) {
    remove(path);
    result = make();
  }
  must("link", path, result);
}

/** Removes a file, or a folder with nothing in it; false when there was none. */
export function remove(path: string): boolean {
  let result = call("unlinkat", AT_FDCWD, cString(path), 0);
  if (result === -errno.EISDIR) {
    result = call("unlinkat", AT_FDCWD, cString(path), AT_REMOVEDIR);
  }
  if (result === -errno.ENOENT) return false;
  must("remove", path, result);
  return true;
}

/** Removes a folder and all that is in it, if it is there. */
export function removeFolder(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    const { code = "" } = error as { code?: string };
    if (!Object.hasOwn(errno, code)) throw error;
    throw new FileError("remove", path, errno[code as keyof typeof errno]);
  }
}

/** Makes a folder and those above it, as far as they are missing. */
export function makeFolders(path: string): void {
  const make = () => call("mkdirat", AT_FDCWD, cString(path), 0o755);
  let result = make();
  if (result === -errno.ENOENT) {
    makeFolders(folderOf(path));
    result = make();
  }
  if (result !== -errno.EEXIST) must("make", path, result);
  else if (!isFolder(path)) throw new FileError("make", path, errno.ENOTDIR);
}

const O_DIRECTORY = Deno.build.arch === "aarch64" ? 0o40000 : 0o200000;

function isFolder(path: string): boolean {
  const folder = openFile(path, O_DIRECTORY);
  if (folder >= 0) close(folder);
  return folder >= 0;
}

/** Sets the time of the last change, in seconds since 1970. */
export function setChanged(path: string, time_s: number): void {
  // Two struct timespec: last access and last change, each seconds and nanoseconds.
  const times = new BigInt64Array([BigInt(time_s), 0n, BigInt(time_s), 0n]);
  const name = secondCString(path);
  const address = outgoing(new Uint8Array(times.buffer));
  must("set the time of", path, call("utimensat", AT_FDCWD, name, address));
}

/** Opens a file for locking; makes it when it is missing, and its folder too. */
export function openLock(path: string): number {
  let file = openFile(path, O_RDWR | O_CREAT);
  if (file === -errno.ENOENT) {
    makeFolders(folderOf(path));
    file = openFile(path, O_RDWR | O_CREAT);
  }
  return must("open", path, file);
}

/** Takes an exclusive flock(2) without waiting; false when another process holds it. */
export function tryLock(descriptor: number, path: string): boolean {
  const result = call("flock", descriptor, LOCK_EX | LOCK_NB);
  if (result === -errno.EAGAIN) return false;
  must("lock", path, result);
  return true;
}

/** @returns its descriptor, or a negative errno */
function openFile(path: string, flags: number): number {
  return call("openat", AT_FDCWD, cString(path), flags | O_CLOEXEC, readable);
}

function using<T>(descriptor: number, body: () => T): T {
  try {
    return body();
  } finally {
    close(descriptor);
  }
}

/** Turns a negative errno into an error; gives any other result. */
function must(step: string, path: string, result: number): number {
  if (result < 0) throw new FileError(step, path, -result);
  return result;
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : data;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
