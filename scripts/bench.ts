#!/usr/bin/env -S deno run -A
/** Measures the lab and the plugin beside their peers: `make bench`. */
import { benchTable, isOver } from "../lib/dev/bench_report.ts";
import type { CommandLine } from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { runScript } from "../lib/cli/script.ts";
import { benchAgent } from "./bench/agent.ts";
import { benchDaemon } from "./bench/daemon.ts";
import { BenchError, benchLab } from "./bench/lab.ts";
import { benchLook } from "./bench/look.ts";
import { benchPlan } from "./bench/plan.ts";
import { benchPlugin } from "./bench/plugin.ts";
import { benchScale } from "./bench/scale.ts";
import { benchSsh } from "./bench/ssh.ts";
import { benchTunnel } from "./bench/tunnel.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";

const command = {
  name: "bench",
  summary: "measure the lab and the plugin beside their peers",
  text: [
    "Times differ between machines; look at the ratios. The lab is one of its " +
    "own, beside whatever is up.",
  ],
  flags: standard("cluster", "output"),
  exits: {
    done: usualExits.done,
    failed: "a figure exceeds its bound",
    usage: usualExits.usage,
  },
} satisfies CommandLine;

const parts = [
  benchLab,
  benchLook,
  benchPlugin,
  benchDaemon,
  benchSsh,
  benchPlan,
  benchAgent,
  benchTunnel,
  benchScale,
];

await runScript(command, async ({ cluster, output }) => {
  const measured = [];
  for (const part of parts) {
    try {
      const result = await part(cluster);
      measured.push(result);
      if (output === "table") console.log(`${benchTable(result)}\n`);
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
