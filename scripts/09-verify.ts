#!/usr/bin/env -S deno run -A
/**
 * Stage 09: starts two test pods on every worker, by kubectl where there is a
 * Kubernetes, else as a container runtime would; tries every path between pods,
 * nodes and the outside; and compares what it saw with what the completed
 * stages should have brought about. The pods stay, for the curious, until
 * `--undo`.
 */
import { verifyMain } from "../lib/cli/verify_script.ts";
import type { Verification } from "../lib/verify/in_session.ts";
import { cniConfig } from "./03-cni-config.ts";
import { probedStages } from "./stages.ts";

export const verification: Verification = {
  stage: {
    name: "09-verify",
    summary: "start test pods and try every path",
    afterwards: "make shell NODE=worker-1 POD=shell",
  },
  probed: probedStages,
  cniConfig,
};

if (import.meta.main) await verifyMain(verification);
