/** Has a daemon end once all calls are answered, and waits for that. */

import { daemonFolder, tellToStop, whereOf } from "./folder.ts";
import type { Warn } from "../detach.ts";
import { identityOf } from "../linux/pipes.ts";

/** As long as the daemon takes at most, and a little. */
const patience_ms = 10_000;

/** @returns the exit code: 0 when no daemon of the version is left */
export async function stopDaemon(
  version: string,
  warn: Warn,
): Promise<number> {
  const where = whereOf(`${daemonFolder}/${version}`);
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
