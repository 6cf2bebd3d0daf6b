/**
 * Which calls the daemon does itself. The others are given back untouched to
 * their launchers, which go the slow way.
 */

import type { PreparedCall } from "../call.ts";
import { storesOf } from "../ipam.ts";
import { hasStore } from "../leases/leases.ts";
import type { StoreOptions } from "../leases/places.ts";
import { FileError } from "../linux/file_error.ts";
import { openLock, tryLock } from "../linux/files.ts";
import { close } from "../linux/libc.ts";

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
export function reasonToGiveBack(
  { call, network }: PreparedCall,
): Reason | undefined {
  // It would have to wait for another plugin, and for many links.
  if (network.ipam !== undefined) return "ipam";
  if (call.command === "GC") return "gc";
  const paths = "netns" in call
    ? [network.dataDir, call.netns]
    : [network.dataDir];
  if (paths.some(dependsOnProcess)) return "path";
  const takesLock = call.command === "ADD" || call.command === "DEL";
  return takesLock && storesOf(network).some(isLocked) ? "lock" : undefined;
}

/** A path that leads elsewhere in another process. */
function dependsOnProcess(path: string): boolean {
  if (path === "") return false;
  return !path.startsWith("/") || /\/(self|thread-self)(\/|$)/.test(path) ||
    path.includes("/../");
}

/** How long another process may hold the leases before a process of the call's own waits. */
const briefly_ms = 20;

function isLocked(store: StoreOptions): boolean {
  const until_ms = performance.now() + briefly_ms;
  const cell = new Int32Array(new SharedArrayBuffer(4));
  try {
    if (!hasStore(store)) return false; // To open its lock would make one.
    const path = `${store.dataDir}/${store.network}/lock`;
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
