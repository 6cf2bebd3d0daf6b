/** Which calls the daemon does itself. The others are given back to their launchers untouched, which go the slow way. */

import type { Prepared } from "../call.ts";
import { close, openLock, tryLock } from "../linux/files.ts";
import { FileError } from "../linux/files.ts";

/** Why a call is given back; in the figures. */
export type Reason =
  | "ipam"
  | "gc"
  | "path"
  | "input"
  | "rights"
  | "lock";

/**
 * Why the daemon does not do a call.
 * @returns undefined where it does
 */
export function whyNot({ call, config }: Prepared): Reason | undefined {
  // It would have to wait for another plugin, and for many links.
  if (config.ipam !== undefined) return "ipam";
  if (call.command === "GC") return "gc";
  const paths = "netns" in call
    ? [config.dataDir, call.netns]
    : [config.dataDir];
  if (paths.some(dependsOnProcess)) return "path";
  const takesLock = call.command === "ADD" || call.command === "DEL";
  if (takesLock && isLocked(`${config.dataDir}/${config.name}/lock`)) {
    return "lock";
  }
  return undefined;
}

/** A path that leads elsewhere in another process. */
function dependsOnProcess(path: string): boolean {
  if (path === "") return false;
  return !path.startsWith("/") || /\/(self|thread-self)(\/|$)/.test(path) ||
    path.includes("/../");
}

/** How long another process may hold the lock of the leases before the call waits in a process of its own. */
const briefly_ms = 20;

function isLocked(path: string): boolean {
  const until_ms = performance.now() + briefly_ms;
  const cell = new Int32Array(new SharedArrayBuffer(4));
  try {
    const lock = openLock(path);
    try {
      while (!tryLock(lock, path)) {
        if (performance.now() > until_ms) return true;
        Atomics.wait(cell, 0, 0, 1);
      }
      return false;
    } finally {
      close(lock);
    }
  } catch (error) {
    if (error instanceof FileError) return false; // The call itself will say so.
    throw error;
  }
}
