#!/usr/bin/env -S deno run -A
/** Measures the lab and the plugin beside their peers: `make bench`. */
import { type BenchPart, benchTable, isOver } from "../lib/dev/bench_report.ts";
import { choice, type CommandLine, type Flag } from "../lib/cli/flags.ts";
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

/** By the name that `--part` has for them. */
const parts = {
  lab: benchLab,
  look: benchLook,
  plugin: benchPlugin,
  daemon: benchDaemon,
  ssh: benchSsh,
  plan: benchPlan,
  agent: benchAgent,
  tunnel: benchTunnel,
  scale: benchScale,
} as const;

type PartName = keyof typeof parts;

const partNames = Object.keys(parts) as PartName[];

const { expected, read } = choice(...partNames);

/** Which parts; all of them where none is named. */
const chosenParts: Flag<readonly PartName[]> = {
  name: "part",
  value: "NAME",
  does: "only this part; may be repeated",
  many: true,
  expected,
  read(values) {
    const known = values.flatMap((value) => read(value) ?? []);
    return known.length === values.length ? { is: known } : undefined;
  },
};

const command = {
  name: "bench",
  summary: "measure the lab and the plugin beside their peers",
  text: [
    "Times differ between machines; look at the ratios. The lab is one of its " +
    "own, beside whatever is up.",
  ],
  examples: [[
    'make bench ARGS="--part scale"',
    "the labs of 30 and 60 nodes alone",
  ]],
  flags: { ...standard("cluster", "output"), parts: chosenParts },
  exits: {
    done: usualExits.done,
    failed: "a figure exceeds its bound, or could not be had",
    usage: usualExits.usage,
  },
} satisfies CommandLine;

await runScript(command, async ({ cluster, output, parts: chosen }) => {
  const measured: BenchPart[] = [];
  for (const name of chosen.length === 0 ? partNames : chosen) {
    try {
      const result = await parts[name](cluster);
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
