/**
 * `deno-cni metrics`: what the daemon has counted and how full the subnets are,
 * as Prometheus reads it.
 */

import { readText, remove } from "../linux/files.ts";
import { openForWriting, putAll } from "../linux/pipes.ts";
import { encoder } from "../linux/utf8.ts";
import { metric } from "./figures.ts";
import { daemonFolder, whereOf } from "./folder.ts";
import { leasesText } from "./lease_figures.ts";

/** How long the daemon may take to write down its counts: it makes its calls first. */
const patience_ms = 5_000;

export async function metricsText(version: string): Promise<string> {
  const counts = await askDaemon(version);
  const up = metric(
    "deno_cni_daemon_up",
    "gauge",
    "Whether a daemon of the installed version answers.",
    [["", counts === undefined ? 0 : 1]],
  );
  return up + (counts ?? "") + leasesText();
}

async function askDaemon(version: string): Promise<string | undefined> {
  const where = whereOf(`${daemonFolder}/${version}`);
  if (where === undefined) return undefined;
  const file = `${where.path}/metrics`;
  remove(file);
  const pipe = openForWriting(`${where.path}/call`);
  putAll(pipe, encoder.encode(`0 ${Deno.pid} metrics\n`));
  const until_ms = performance.now() + patience_ms;
  while (performance.now() < until_ms) {
    const text = readText(file);
    if (text !== undefined) return text;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return undefined;
}
