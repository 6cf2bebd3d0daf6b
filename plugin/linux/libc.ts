/**
 * The edge to the C library: the few system calls that Deno does not offer.
 *
 * All of them go through one symbol, syscall(2): binding a symbol costs more
 * than making a call (README.md has the figures). Every pointer that is passed
 * points into one buffer of our own, whose address is taken once.
 */

import { errno, errnoName } from "./errno.ts";
import { type SystemCall, systemCalls } from "./system_calls.ts";
import { encoder } from "./utf8.ts";

/** A step that the kernel refused. */
export class SystemError extends Error {
  override readonly name: string = "SystemError";

  /**
   * @param step what was asked of it
   * @param errno the kernel's number, positive
   * @param text the kernel's own words, or ""
   */
  constructor(step: string, readonly errno: number, text = "") {
    super(`${step}: ${errnoName(errno)}${text === "" ? "" : ` (${text})`}`);
  }
}

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;
const CLONE_NEWNET = 0x40000000;
const STATX_INO = 0x100;

/** Half for what is sent, half for what is received: netlink(7) dumps 32 KiB at a time. */
const half = 32768;

const bytes = new Uint8Array(2 * half);
const view = new DataView(bytes.buffer);

const interface_ = {
  syscall: {
    parameters: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"],
    result: "i32",
  },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

interface Opened {
  symbols: Deno.DynamicLibrary<typeof interface_>["symbols"];
  numbers: typeof systemCalls[keyof typeof systemCalls];
  /** Where `bytes` lies in memory. */
  address: number;
}

let opened: Opened | undefined;

function libc(): Opened {
  return opened ??= {
    symbols: Deno.dlopen("libc.so.6", interface_).symbols,
    numbers: systemCalls[Deno.build.arch],
    address: Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))),
  };
}

/**
 * Makes a system call with at most five arguments.
 * @returns what it returned, or the negative errno: an exception costs more
 * than a call, and many a "no such file" is no surprise
 */
export function call(
  name: SystemCall,
  a = 0,
  b = 0,
  c = 0,
  d = 0,
  e = 0,
): number {
  const { symbols, numbers } = libc();
  for (;;) {
    const result = symbols.syscall(
      BigInt(numbers[name]),
      BigInt(a),
      BigInt(b),
      BigInt(c),
      BigInt(d),
      BigInt(e),
      0n,
    );
    if (result >= 0) return result;
    const failure = new Deno.UnsafePointerView(symbols.__errno_location()!)
      .getInt32();
    if (failure !== errno.EINTR) return -failure;
  }
}

/** As {@linkcode call}; throws SystemError instead of returning its errno. */
export function system(
  name: SystemCall,
  a = 0,
  b = 0,
  c = 0,
  d = 0,
  e = 0,
): number {
  const result = call(name, a, b, c, d, e);
  if (result < 0) throw new SystemError(name, -result);
  return result;
}

/** Puts a C string at the buffer's start; gives its address. */
export function cString(text: string): number {
  return place(text, 0);
}

/** Puts a second C string beside that of {@linkcode cString}; gives its address. */
export function secondCString(text: string): number {
  return place(text, half);
}

function place(text: string, at: number): number {
  const room = bytes.subarray(at, at + half - 1);
  bytes[at + encoder.encodeInto(text, room).written] = 0;
  return libc().address + at;
}

/** Puts bytes, at most 32 KiB of them, where a call can read them; gives their address. */
export function outgoing(data: Uint8Array): number {
  bytes.set(data);
  return libc().address;
}

/** Where a call may write up to 32 KiB. */
export function incoming(): { address: number; size: number } {
  return { address: libc().address + half, size: half };
}

/** What a call has written there, from an offset on; the next call overwrites it. */
export function received(length: number, from = 0): Uint8Array {
  return bytes.subarray(half + from, half + from + length);
}

/**
 * Opens a file for reading; open(2).
 * @returns its descriptor
 * @throws {SystemError}
 */
export function openFile(path: string): number {
  const flags = O_RDONLY | O_CLOEXEC;
  return noteOpened(system("openat", AT_FDCWD, cString(path), flags));
}

/** Descriptors that a call of the plugin has opened and not closed. */
const leftOpen = new Set<number>();

/** Notes a descriptor that a call has opened; gives it. */
export function noteOpened(descriptor: number): number {
  leftOpen.add(descriptor);
  return descriptor;
}

/** Lets what is open now stay so: for a process that goes on, before its first call. */
export function keepLeftOpen(): void {
  leftOpen.clear();
}

/** Closes what a call has left open for its process's end to close: for a process that goes on. */
export function closeLeftOpen(): void {
  for (const descriptor of leftOpen) close(descriptor);
}

/** Closes a descriptor; close(2), after which it is closed whatever the kernel says. */
export function close(descriptor: number): void {
  leftOpen.delete(descriptor);
  call("close", descriptor);
}

/**
 * The next entries of an open folder; getdents64(2). Four times as quick as
 * Deno.readDirSync, which matters in a folder of 60,000 leases.
 * @returns `struct linux_dirent64`s one after the other, in a view that the
 * next call of this module overwrites; empty at the end
 * @throws {SystemError}
 */
export function folderEntries(folder: number): Uint8Array {
  const length = system("getdents64", folder, libc().address + half, half);
  return bytes.subarray(half, half + length);
}

/**
 * What file a descriptor stands for, as a text to compare: its device and inode.
 * Source: statx(2), which has one layout on all architectures.
 * @throws {SystemError}
 */
export function identity(descriptor: number): string {
  const empty = cString("");
  system("statx", descriptor, empty, AT_EMPTY_PATH, STATX_INO, empty + half);
  const inode = view.getBigUint64(half + 32, true);
  return `${view.getUint32(half + 136, true)}:${
    view.getUint32(half + 140, true)
  }:${inode}`;
}

/**
 * Moves this thread to a network namespace; setns(2). Between leaving and
 * coming back nothing asynchronous may run: Deno's other threads would be
 * started in the wrong namespace and stay there.
 * @throws {SystemError} EINVAL when the descriptor is no network namespace
 */
export function enterNetwork(descriptor: number): void {
  system("setns", descriptor, CLONE_NEWNET);
}

/**
 * Whether a descriptor is a terminal's: it alone knows the settings of one; ioctl_tty(2), TCGETS.
 */
export function isTerminal(descriptor: number): boolean {
  const TCGETS = 0x5401;
  return call("ioctl", descriptor, TCGETS, incoming().address) === 0;
}

/**
 * Ends the process; exit_group(2). Nothing is tidied up before: that takes Deno time, and the
 * kernel does it in any case.
 */
export function exitAtOnce(code: number): never {
  for (;;) call("exit_group", code);
}

/**
 * Puts a text in the place of this process's stdin, for a child that inherits
 * it: Deno offers no other way to feed one synchronously.
 * @throws {SystemError}
 */
export function feedStdin(text: string): void {
  const file = system("memfd_create", cString("stdin"));
  const content = encoder.encode(text);
  for (let at = 0; at < content.length;) {
    bytes.set(content.subarray(at, at + half));
    const length = Math.min(half, content.length - at);
    at += system("write", file, libc().address, length);
  }
  system("lseek", file);
  system("dup3", file, 0);
  close(file);
}
