#!/usr/bin/env -S deno run -A
/** Measures the lab and the plugin beside their peers: `make bench`. */
import { isOver, table } from "../lib/dev/bench_report.ts";
import { exitCode } from "../lib/cli/flags.ts";
import { runScript } from "../lib/cli/script.ts";
import { benchDaemon } from "./bench/daemon.ts";
import { BenchError, benchLab } from "./bench/lab.ts";
import { benchLook } from "./bench/look.ts";
import { benchPlan } from "./bench/plan.ts";
import { benchPlugin } from "./bench/plugin.ts";
import { benchSsh } from "./bench/ssh.ts";

const help =
  `scripts/bench.ts: measure the lab and the plugin beside their peers

Usage: scripts/bench.ts [--cluster FILE] [-o json]
       make bench [ARGS="-o json"]

Times differ between machines; look at the ratios. The lab is one of its own,
beside whatever is up. Exit code 1 where a figure exceeds its bound.`;

const parts = [
  benchLab,
  benchLook,
  benchPlugin,
  benchDaemon,
  benchSsh,
  benchPlan,
];

await runScript(help, async ({ cluster, output }) => {
  const measured = [];
  for (const part of parts) {
    try {
      const result = await part(cluster);
      measured.push(result);
      if (output === "table") console.log(`${table(result)}\n`);
    } catch (error) {
      if (!(error instanceof BenchError)) throw error;
      console.error(error.message);
      return exitCode.failed;
    }
  }
  if (output === "json") console.log(JSON.stringify(measured, null, 2));
  return measured.some(({ rows }) => rows.some(isOver))
    ? exitCode.failed
    : exitCode.done;
});
