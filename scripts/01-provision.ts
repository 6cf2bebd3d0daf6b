#!/usr/bin/env -S deno run -A
/**
 * Stage 01: makes the machines. In the lab a machine is a set of Linux
 * namespaces that a sleeping process holds; on AWS and GCP it is an instance,
 * which costs money; machines that exist are looked at, and all that is wrong
 * with them is told.
 */
import { awsSteps } from "../lib/cloud/aws.ts";
import { gcpSteps } from "../lib/cloud/gcp.ts";
import { main } from "../lib/cli/stage_script.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { lackOfRoom } from "../lib/diagnosis/kernel_tables/room.ts";
import { labSteps } from "../lib/lab/steps.ts";
import { machineStep } from "../lib/steps/preflight.ts";
import type { Stage, Step } from "../lib/stage/stage.ts";

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
  afterwards: () => ({ on: "node" }),
  remarks: lackOfRoom,
  operator: {
    steps: making,
    endsNodes: ({ provider }) => provider === "aws" || provider === "gcp",
  },
  steps: ({ cluster, node }) =>
    cluster.provider === "lab"
      ? []
      : [machineStep(node, Date.now, cluster.firewall)],
};

if (import.meta.main) await main(provision);
