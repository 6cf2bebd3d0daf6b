/**
 * Named pipes, and waiting for many descriptors at once; by system call. Source:
 * fifo(7), pipe(7), poll(2), tee(2).
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
  SystemError,
} from "./libc.ts";
import type { SystemCall } from "./system_calls.ts";

const AT_FDCWD = -100;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const S_IFIFO = 0o10000;
const FIONREAD = 0x541b;
const SPLICE_F_NONBLOCK = 2;
const STATX_INO = 0x100;

/** What poll(2) is asked for and tells. */
export const POLL = { IN: 1, OUT: 4, ERR: 8, HUP: 16 } as const;

function must(name: SystemCall, result: number): number {
  if (result < 0) throw new SystemError(name, -result);
  return result;
}

/**
 * Makes a named pipe in the place of one that may be there, which keeps those
 * who have it open.
 * @param spare a name on the same file system for the moment
 * @throws {SystemError}
 */
export function makePipe(path: string, spare: string): void {
  must("mknodat", call("mknodat", AT_FDCWD, cString(spare), S_IFIFO | 0o600));
  const names = [cString(spare), secondCString(path)] as const;
  must("renameat", call("renameat", AT_FDCWD, names[0], AT_FDCWD, names[1]));
}

/**
 * Opens a named pipe for reading; the descriptor holds it open for writing too,
 * so that its end is never read.
 * @throws {SystemError}
 */
export function openForReading(path: string): number {
  return open(AT_FDCWD, path, O_RDWR | O_NONBLOCK);
}

/**
 * Opens a named pipe for writing only, also while it has no reader.
 * @throws {SystemError}
 */
export function openForWriting(path: string): number {
  const both = open(AT_FDCWD, path, O_RDWR | O_NONBLOCK);
  try {
    return open(AT_FDCWD, path, O_WRONLY | O_NONBLOCK);
  } finally {
    close(both);
  }
}

/**
 * Opens a folder of /proc, say, as the place that paths are relative to.
 * @returns a descriptor, or a negative errno
 */
export function openPlace(path: string): number {
  return call("openat", AT_FDCWD, cString(path), O_PATH | O_CLOEXEC, 0);
}

/**
 * Opens a file at a place for reading, without waiting for anything.
 * @throws {SystemError}
 */
export function openAt(place: number, path: string): number {
  return open(place, path, O_NONBLOCK);
}

function open(place: number, path: string, flags: number): number {
  const opened = call("openat", place, cString(path), flags | O_CLOEXEC, 0);
  return must("openat", opened);
}

/** Device and inode of what a path leads to, as a text to compare; "" for nothing. */
export function identityAt(place: number, path: string): string {
  const { address } = incoming();
  const result = call("statx", place, cString(path), 0, STATX_INO, address);
  if (result < 0) return "";
  // struct statx: stx_ino at 32, stx_dev_major and stx_dev_minor at 136 and 140.
  const view = viewOf(received(256));
  const device = `${view.getUint32(136, true)}:${view.getUint32(140, true)}`;
  return `${device}:${view.getBigUint64(32, true)}`;
}

/** The same of a path that begins at the root. */
export function identityOf(path: string): string {
  return identityAt(AT_FDCWD, path);
}

/** What is waited for. */
export interface PollEntry {
  readonly descriptor: number;
  /** Of {@linkcode POLL}; ERR and HUP are told unasked. */
  readonly events: number;
}

/**
 * Waits until something happens on one of the descriptors.
 * @param timeout_ms at most so long; Infinity for ever
 * @returns what happened on each, in their order
 * @throws {SystemError}
 */
export function poll(
  watched: readonly PollEntry[],
  timeout_ms: number,
): number[] {
  const { address } = incoming();
  const set = received(8 * watched.length);
  const view = viewOf(set);
  for (const [at, { descriptor, events }] of watched.entries()) {
    view.setInt32(8 * at, descriptor, true);
    view.setUint32(8 * at + 4, events, true);
  }
  let time = 0;
  if (timeout_ms !== Infinity) {
    const left_ms = Math.max(0, timeout_ms);
    const seconds = Math.floor(left_ms / 1000);
    const nanoseconds = Math.ceil((left_ms % 1000) * 1e6);
    const spec = BigInt64Array.of(BigInt(seconds), BigInt(nanoseconds));
    time = outgoing(new Uint8Array(spec.buffer));
  }
  must("ppoll", call("ppoll", address, watched.length, time));
  return watched.map((_, at) => view.getUint16(8 * at + 6, true));
}

/** How many bytes lie in a pipe. */
export function fillOf(pipe: number): number {
  const { address } = incoming();
  must("ioctl", call("ioctl", pipe, FIONREAD, address));
  return viewOf(received(4)).getInt32(0, true);
}

/** A pipe of this process's own, through which the content of others can be seen. */
export function ownPipe(): { reading: number; writing: number } {
  const { address } = incoming();
  must("pipe2", call("pipe2", address, O_NONBLOCK | O_CLOEXEC));
  const view = viewOf(received(8));
  return { reading: view.getInt32(0, true), writing: view.getInt32(4, true) };
}

/**
 * Reads what lies in a pipe, and leaves it there.
 * @param length how much of it; at most 32 KiB
 * @returns the bytes; fewer where the pipe holds fewer
 * @throws {SystemError}
 */
export function peek(
  pipe: number,
  length: number,
  through: { reading: number; writing: number },
): Uint8Array {
  if (length === 0) return new Uint8Array(0);
  const { reading, writing } = through;
  const copied = call("tee", pipe, writing, length, SPLICE_F_NONBLOCK);
  if (copied === -errno.EAGAIN) return new Uint8Array(0);
  must("tee", copied);
  const bytes = new Uint8Array(copied);
  for (let at = 0; at < copied;) {
    const { address } = incoming();
    const got = must("read", call("read", reading, address, copied - at));
    bytes.set(received(got), at);
    at += got;
  }
  return bytes;
}

/**
 * Reads what lies in a pipe, at most 32 KiB.
 * @returns the bytes; none where it is empty
 * @throws {SystemError}
 */
export function take(pipe: number): Uint8Array {
  const { address, size } = incoming();
  const length = call("read", pipe, address, size);
  if (length === -errno.EAGAIN) return new Uint8Array(0);
  return received(must("read", length)).slice();
}

/** How long a pipe may stay full. */
const full_ms = 1000;

/**
 * Writes all bytes into a pipe; into one that has room for them, without waiting.
 * @returns false when it has no reader left, or one that does not read
 * @throws {SystemError}
 */
export function putAll(pipe: number, data: Uint8Array): boolean {
  for (let at = 0; at < data.length;) {
    const part = data.subarray(at, at + incoming().size);
    const written = call("write", pipe, outgoing(part), part.length);
    if (written === -errno.EPIPE) return false;
    if (written === -errno.EAGAIN) {
      const [room] = poll([{ descriptor: pipe, events: POLL.OUT }], full_ms);
      if (room === 0) return false;
      continue;
    }
    at += must("write", written);
  }
  return true;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
