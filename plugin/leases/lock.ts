/**
 * One process at a time in a lease store: flock(2) on the file that the reference locks too.
 */
import { inspect, inspectOpen, openLock, tryLock } from "../linux/files.ts";
import { close } from "../linux/libc.ts";
import { CniError, code } from "../cni/protocol.ts";

/**
 * Runs `body` under the exclusive lock `<folder>/lock`; makes the folder when it is missing.
 *
 * @param timeout_ms how long to wait while another process holds it
 * @throws {CniError} code 11 after that time
 * @throws {FileError}
 */
export function withLock<T>(
  folder: string,
  timeout_ms: number,
  body: () => T,
): T {
  const lock = acquire(folder, timeout_ms);
  try {
    return body();
  } finally {
    // Closing releases: no child process inherits Deno's descriptors.
    close(lock);
  }
}

function acquire(folder: string, timeout_ms: number): number {
  const path = `${folder}/lock`;
  const deadline = deadlineIn(timeout_ms);
  for (;;) {
    const file = openLock(path);
    let keep = false;
    try {
      keep = wait(file, path, deadline, timeout_ms);
      if (keep) return file;
    } finally {
      if (!keep) close(file);
    }
  }
}

/**
 * When the time is over, reckoned from the first question on: most calls find the lock free and
 * need no clock. Not Date.now(): the clock of a node may jump.
 */
function deadlineIn(timeout_ms: number): () => number {
  let deadline_ms: number | undefined;
  return () => deadline_ms ??= performance.now() + timeout_ms;
}

/** Waits for the lock; false when its file is no longer the one at the path. */
function wait(
  file: number,
  path: string,
  deadline: () => number,
  timeout_ms: number,
): boolean {
  if (tryLock(file, path)) return true;
  const deadline_ms = deadline();
  do {
    if (performance.now() >= deadline_ms) throw busy(path, timeout_ms);
    pause();
  } while (!tryLock(file, path));
  // The store may have been removed meanwhile.
  return inspect(path)?.inode === inspectOpen(file, path)?.inode;
}

/** Sleeps for a random moment, so that processes that wait do not go in step. */
function pause(): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(cell, 0, 0, 0.5 + Math.random() * 3);
}

function busy(path: string, timeout_ms: number): CniError {
  return new CniError(
    code.tryAgain,
    `Cannot lock ${path} within ${timeout_ms} ms: another process holds it`,
    `Try again; if that goes on, see who holds it: fuser -v ${path}`,
  );
}
