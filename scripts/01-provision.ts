#!/usr/bin/env -S deno run -A
/**
 * Stage 01: makes the machines. In the lab a machine is a set of Linux
 * namespaces that a sleeping process holds; on AWS and GCP it is an instance,
 * which costs money; machines that exist are looked at, and all that is wrong
 * with them is told.
 */
import { awsSteps } from "../lib/aws.ts";
import { gcpSteps } from "../lib/gcp.ts";
import { main } from "../lib/main.ts";
import type { Cluster } from "../lib/cluster.ts";
import { labSteps } from "../lib/lab.ts";
import { machineStep } from "../lib/ssh_machine.ts";
import type { Stage, Step } from "../lib/step.ts";

/** The steps that make the machines; none for those that exist. */
function making(cluster: Cluster): Step[] {
  switch (cluster.provider) {
    case "lab":
      return labSteps(cluster);
    case "aws":
      return awsSteps(cluster);
    case "gcp":
      return gcpSteps(cluster);
    case "local":
    case "ssh":
      return [];
  }
}

export const provision: Stage = {
  name: "01-provision",
  summary: "make the machines",
  afterwards: "make shell NODE=worker-1",
  operatorSteps: making,
  steps: ({ cluster, node }) =>
    cluster.provider === "lab" ? [] : [machineStep(node)],
  endsNodes: ({ provider }) => provider === "aws" || provider === "gcp",
};

if (import.meta.main) await main(provision);
