/** Has a daemon end once all calls are answered, and waits for that. */

import { daemonFolder, daemonOf, tellToStop, whereOf } from "./folder.ts";
import type { Warn } from "../detach.ts";
import { identityOf } from "../linux/pipes.ts";

/** As long as the daemon takes at most, and a little. */
const patience_ms = 10_000;

/**
 * @param pid of the daemon, which may be of another version: an update has put
 * this one in its place; without it, the daemon of this version
 * @returns the exit code: 0 when there is no such daemon any more
 */
export async function stopDaemon(
  version: string,
  pid: number | undefined,
  warn: Warn,
): Promise<number> {
  const where = pid === undefined
    ? whereOf(`${daemonFolder}/${version}`)
    : daemonOf(pid);
  if (where === undefined) return 0;
  tellToStop(where);
  const until_ms = performance.now() + patience_ms;
  while (identityOf(`/proc/${where.pid}/fd/${where.call}`) !== "") {
    if (performance.now() > until_ms) {
      warn(
        `process ${where.pid} goes on: end it by kill -9`,
      );
      return 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return 0;
}
