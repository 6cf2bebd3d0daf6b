#!/usr/bin/env -S deno run -A
/**
 * Stage 01: makes the machines. In the lab a machine is a set of Linux
 * namespaces that a sleeping process holds.
 */
import { main } from "../lib/main.ts";
import type { Cluster } from "../lib/cluster.ts";
import { cmd } from "../lib/command.ts";
import { labSteps } from "../lib/lab.ts";
import type { Stage, Step } from "../lib/step.ts";

/** Machines that are there already are only asked whether they answer. */
function answers(): Step {
  return {
    why: "The machine is there already; it has to answer, nothing more",
    unless: {
      ask: cmd`uname -sr`,
      read: (outcome) =>
        outcome.code === 0 && outcome.stdout.startsWith("Linux")
          ? { is: "present" }
          : {
            is: "unknown",
            reason: `expected a Linux machine, got "${outcome.stdout.trim()}"`,
          },
    },
    run: cmd`uname -sr`,
  };
}

export const provision: Stage = {
  name: "01-provision",
  summary: "make the machines",
  afterwards: "make shell NODE=worker-1",
  operatorSteps: (cluster: Cluster) =>
    cluster.provider === "lab" ? labSteps(cluster) : [],
  steps: ({ cluster }) => cluster.provider === "lab" ? [] : [answers()],
};

if (import.meta.main) await main(provision);
