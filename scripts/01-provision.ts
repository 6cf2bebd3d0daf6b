#!/usr/bin/env -S deno run -A
/**
 * Stage 01: makes the machines. In the lab a machine is a set of Linux
 * namespaces that a sleeping process holds; machines that exist are looked at,
 * and all that is wrong with them is told.
 */
import { main } from "../lib/main.ts";
import type { Cluster } from "../lib/cluster.ts";
import { labSteps } from "../lib/lab.ts";
import { machineStep } from "../lib/ssh_machine.ts";
import type { Stage } from "../lib/step.ts";

export const provision: Stage = {
  name: "01-provision",
  summary: "make the machines",
  afterwards: "make shell NODE=worker-1",
  operatorSteps: (cluster: Cluster) =>
    cluster.provider === "lab" ? labSteps(cluster) : [],
  steps: ({ cluster, node }) =>
    cluster.provider === "lab" ? [] : [machineStep(node)],
};

if (import.meta.main) await main(provision);
